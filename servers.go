package nats

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// server is one entry of the pool.
type server struct {
	url      *url.URL
	implicit bool // told of by a server, not given by the program
	// reconnects counts the attempts since the last success.
	reconnects int
	// tlsName is the name that its certificate is checked against, where that is
	// not the URL's host: it was told as an IP address by a server with a name.
	tlsName string
	// lastAuthErr is how it refused the credentials the last time, nil once it
	// has taken them.
	lastAuthErr error
}

// name is the server's address for people: without credentials, path or query.
func (s *server) name() string { return urlName(s.url) }

func urlName(u *url.URL) string { return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String() }

// serverPool is the list of servers a connection may use. The connection's lock
// guards it.
type serverPool struct {
	list        []*server
	current     *server
	known       map[string]bool // host:port ever seen
	noRandomize bool
	scheme      string // for addresses without one
	settled     bool   // web is known
	web         bool   // all servers are spoken to by WebSocket
}

// schemes that Connect takes. "tcp" is an old name of "nats".
var schemes = []string{"nats", "tcp", "tls", "ws", "wss"}

// defaultPort is the port of a URL without one.
func defaultPort(scheme string) int {
	switch scheme {
	case "ws":
		return 80
	case "wss":
		return 443
	}
	return DefaultPort
}

// parseServerURL reads "[scheme://][user:password@]host[:port]". Its errors show
// no more of the URL than scheme and host.
func parseServerURL(s string) (*url.URL, error) {
	if !strings.Contains(s, "://") {
		s = "nats://" + s
	}
	u, err := url.Parse(s)
	if err != nil {
		return nil, withoutCredentials(err)
	}
	if !slices.Contains(schemes, u.Scheme) {
		return nil, urlError(u, "unknown scheme %q, want one of %s", u.Scheme, strings.Join(schemes, ", "))
	}
	switch bare := !strings.HasPrefix(u.Host, "["); {
	case u.Hostname() == "":
		return nil, urlError(u, "a host is missing")
	case bare && strings.Count(u.Host, ":") > 1:
		return nil, urlError(u, "an IPv6 address needs brackets")
	case !bare && !isIPv6(u.Hostname()):
		return nil, urlError(u, "only an IPv6 address stands in brackets")
	case strings.Contains(u.Host, ","):
		return nil, urlError(u, "one server is wanted here, not a list")
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(defaultPort(u.Scheme)))
	}
	if p, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || p == 0 {
		return nil, urlError(u, "port %q is not in 1-65535", u.Port())
	}
	return u, nil
}

// isIPv6 tells whether host is an IPv6 address, with a zone that a URL can carry
// unescaped (RFC 6874, section 2) or none.
func isIPv6(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Is6() && !strings.ContainsFunc(a.Zone(), func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
	})
}

func urlError(u *url.URL, format string, args ...any) error {
	return fmt.Errorf("nats: server URL %q: "+format, append([]any{urlName(u)}, args...)...)
}

// withoutCredentials keeps a URL that cannot be parsed, and so not redacted
// either, out of the error text from its start to the last "@".
func withoutCredentials(err error) error {
	var ue *url.Error
	if !errors.As(err, &ue) {
		return err
	}
	clean := *ue
	if at := strings.LastIndexByte(clean.URL, '@'); at >= 0 {
		clean.URL = "…" + clean.URL[at:]
		clean.Err = errors.New("invalid server URL")
	}
	return &clean
}

// newServerPool makes the pool of Options: Servers, shuffled unless NoRandomize,
// with Url in front if it is set.
func newServerPool(o *Options) (*serverPool, error) {
	p := &serverPool{known: make(map[string]bool), noRandomize: o.NoRandomize, scheme: "nats"}
	if o.Secure {
		p.scheme = "tls"
	}
	for _, s := range o.Servers {
		if err := p.add(s, false); err != nil {
			return nil, err
		}
	}
	p.shuffle(0)
	if o.Url != "" {
		if err := p.add(o.Url, false); err != nil {
			return nil, err
		}
		last := len(p.list) - 1
		p.list[0], p.list[last] = p.list[last], p.list[0]
	}
	if len(p.list) == 0 {
		if err := p.add(DefaultURL, false); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *serverPool) add(s string, implicit bool) error {
	if !strings.Contains(s, "://") {
		s = p.scheme + "://" + s
	}
	u, err := parseServerURL(s)
	if err != nil {
		return err
	}
	if err := p.settle(u); err != nil {
		return err
	}
	p.append(u, implicit)
	return nil
}

// settle lets the first URL decide whether servers are spoken to by WebSocket, and
// refuses another kind.
func (p *serverPool) settle(u *url.URL) error {
	web := isWebSocket(u)
	switch {
	case !p.settled:
		p.web, p.settled = web, true
		switch {
		case web && p.scheme == "tls":
			p.scheme = "wss"
		case web:
			p.scheme = u.Scheme
		}
	case web != p.web:
		return ErrMixingWebsocketSchemes
	}
	return nil
}

// append adds a server and reports whether its address was never seen before.
func (p *serverPool) append(u *url.URL, implicit bool) (fresh bool) {
	fresh = !p.known[u.Host]
	p.known[u.Host] = true
	p.list = append(p.list, &server{url: u, implicit: implicit})
	return fresh
}

// shuffle mixes the pool from index on.
func (p *serverPool) shuffle(from int) {
	if p.noRandomize || len(p.list) <= from {
		return
	}
	part := p.list[from:]
	rand.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
}

// firstNot makes the first server that was not tried the current one; nil: there
// is none.
func (p *serverPool) firstNot(tried map[*server]bool) *server {
	for _, s := range p.list {
		if !tried[s] {
			p.current = s
			return s
		}
	}
	return nil
}

// next chooses the server for the next attempt: the current one goes to the end
// of the pool, or out of it if it was tried max times (max >= 0), and the first
// is current. nil: none is left.
func (p *serverPool) next(max int) *server {
	if i := slices.Index(p.list, p.current); i >= 0 {
		p.list = slices.Delete(p.list, i, i+1)
		if max < 0 || p.current.reconnects < max {
			p.list = append(p.list, p.current)
		}
	}
	if len(p.list) == 0 {
		p.current = nil
		return nil
	}
	p.current = p.list[0]
	return p.current
}

// discover takes over the addresses that a server told of and reports whether
// any of them is new. Entries that came this way and are no longer told of go,
// except the current one. An empty list changes nothing, and what is no address
// must not break the connection.
func (p *serverPool) discover(addrs []string) bool {
	if len(addrs) == 0 {
		return false
	}
	if len(p.known) > maxKnown {
		p.forgetKnown()
	}
	addrs = addrs[:min(len(addrs), maxTold)]
	told := make(map[string]*url.URL, len(addrs))
	for _, addr := range addrs {
		u, err := parseServerURL(p.scheme + "://" + addr)
		if err == nil && u.User == nil && u.Path == "" && u.RawQuery == "" && u.Fragment == "" {
			told[u.Host] = u
		}
	}
	p.list = slices.DeleteFunc(p.list, func(s *server) bool {
		return s.implicit && s != p.current && told[s.url.Host] == nil
	})
	for _, s := range p.list {
		delete(told, s.url.Host)
	}
	fresh := false
	for _, addr := range addrs { // in the order in which they were told
		u := told[withPort(addr, defaultPort(p.scheme))]
		if u == nil {
			continue
		}
		delete(told, u.Host)
		fresh = p.append(u, true) || fresh
		if p.current != nil {
			p.list[len(p.list)-1].inherit(p.current)
		}
	}
	if fresh {
		p.shuffle(1)
	}
	return fresh
}

// inherit gives an address that a server told of what counts for that server:
// its user, and for an IP address the name to check the certificate against.
func (s *server) inherit(from *server) {
	s.url.User = from.url.User
	if net.ParseIP(s.url.Hostname()) == nil {
		return
	}
	if s.tlsName = from.tlsName; s.tlsName == "" && net.ParseIP(from.url.Hostname()) == nil {
		s.tlsName = from.url.Hostname()
	}
}

// withPort is the form in which parseServerURL leaves an address.
func withPort(addr string, normal int) string {
	if _, port, err := net.SplitHostPort(addr); err == nil && port != "" {
		return addr
	}
	host := strings.Trim(strings.TrimSuffix(addr, ":"), "[]")
	return net.JoinHostPort(host, strconv.Itoa(normal))
}

// maxTold is how many addresses of one INFO are looked at.
const maxTold = 4096

// maxKnown bounds the memory of addresses that have been seen, against a server
// that makes up new ones for ever.
const maxKnown = 64 << 10

func (p *serverPool) forgetKnown() {
	clear(p.known)
	for _, s := range p.list {
		p.known[s.url.Host] = true
	}
}

// names lists the entries that want says, without credentials.
func (p *serverPool) names(want func(*server) bool) []string {
	names := make([]string, 0, len(p.list))
	for _, s := range p.list {
		if want(s) {
			names = append(names, s.name())
		}
	}
	return names
}

// splitURLs reads the url argument of Connect: several are separated by commas.
func splitURLs(s string) []string {
	var urls []string
	for part := range strings.SplitSeq(s, ",") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "/")
		if part != "" {
			urls = append(urls, part)
		}
	}
	return urls
}

// Servers returns the addresses of all servers of the pool, in the order in
// which they are tried, without credentials.
func (nc *Conn) Servers() []string {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.pool.names(func(*server) bool { return true })
}

// DiscoveredServers returns those of Servers that a server told of.
func (nc *Conn) DiscoveredServers() []string {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.pool.names(func(s *server) bool { return s.implicit })
}

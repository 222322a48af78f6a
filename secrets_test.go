package nats

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// secretBook collects secrets, and all text that a connection produces.
type secretBook struct {
	secrets []string

	mu     sync.Mutex
	texts  []string
	logged int // of the texts
}

// say notes something as it would be printed, in every way that fmt knows.
func (b *secretBook) say(what string, values ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			b.texts = append(b.texts, what+": "+fmt.Sprintf(verb, v))
		}
		if err, ok := v.(error); ok {
			for ; err != nil; err = errors.Unwrap(err) {
				b.texts = append(b.texts, what+": "+err.Error())
			}
		}
	}
}

// check greps every text for every secret, in the forms it may take on its way.
func (b *secretBook) check(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Greater(t, len(b.texts), 50, "nothing was said, so it proves nothing")
	require.Greater(t, b.logged, 50, "nothing was logged, so it proves nothing")
	for _, s := range b.secrets {
		quoted, err := json.Marshal(s)
		require.NoError(t, err)
		for _, form := range []string{s, string(quoted[1 : len(quoted)-1]), url.QueryEscape(s), url.PathEscape(s), url.UserPassword("u", s).String()[2:], s[:8]} {
			for _, text := range b.texts {
				if i := strings.Index(text, form); i >= 0 {
					require.Failf(t, "a secret", "%q in %q", form, text)
				}
			}
		}
	}
}

// watch is an option that notes everything a connection tells.
func (b *secretBook) watch(o *Options) error {
	o.AsyncErrorCB = func(nc *Conn, _ *Subscription, err error) { b.say("error handler", err, nc) }
	o.DisconnectedErrCB = func(nc *Conn, err error) { b.say("disconnected", err, nc) }
	o.ReconnectErrCB = func(nc *Conn, err error) { b.say("reconnect", err, nc) }
	o.ReconnectedCB = func(nc *Conn) { b.say("reconnected", nc) }
	o.ClosedCB = func(nc *Conn) { b.say("closed", nc, nc.LastError()) }
	o.Logger = slog.New(bookHandler{slog.NewJSONHandler(bookWriter{b, "JSON log"}, &slog.HandlerOptions{Level: slog.LevelDebug}), b})
	return nil
}

// bookHandler is a slog.Handler that notes what is logged, value by value and as JSON.
type bookHandler struct {
	slog.Handler
	b *secretBook
}

func (h bookHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool { h.b.say("log", a.Key, a.Value.Any()); return true })
	return h.Handler.Handle(ctx, r)
}

func (h bookHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return bookHandler{h.Handler.WithAttrs(attrs), h.b}
}

// bookWriter notes what is written.
type bookWriter struct {
	b    *secretBook
	what string
}

func (w bookWriter) Write(p []byte) (int, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	w.b.texts = append(w.b.texts, w.what+": "+string(p))
	w.b.logged++
	return len(p), nil
}

// look notes all that a connection's accessors give away, ConnectedUrl excepted,
// whose purpose it is.
func (b *secretBook) look(nc *Conn) {
	b.say("accessors", nc, nc.Opts, nc.Status(), nc.Servers(), nc.DiscoveredServers(), nc.ConnectedUrlRedacted(),
		nc.ConnectedAddr(), nc.ConnectedServerName(), nc.LastError(), nc.Stats(), nc.BufferStats())
}

// The servers that give secrets back: each gets the lines of CONNECT and PING.
var blabbers = map[string]func(p *peerConn, connect string){
	"refuses":           func(p *peerConn, _ string) { p.say("-ERR 'Authorization Violation'\r\n") },
	"echoes":            func(p *peerConn, c string) { p.say("%s\r\n", c) },
	"echoes the JSON":   func(p *peerConn, c string) { p.say("%s\r\n", strings.TrimPrefix(c, "CONNECT ")) },
	"complains":         func(p *peerConn, c string) { p.say("-ERR 'What is %s'\r\n", c) },
	"complains of JSON": func(p *peerConn, c string) { p.say("-ERR 'What is %s'\r\n", c[len("CONNECT {"):]) },
	"knows the words":   func(p *peerConn, c string) { p.say("-ERR 'Authorization Violation %s'\r\n", c[len("CONNECT {"):]) },
	"echoes later":      func(p *peerConn, c string) { p.say("PONG\r\n%s\r\n", c) },
	"echoes values":     func(p *peerConn, c string) { p.say("PONG\r\n%s\r\n", values(c)) },
	"complains later":   func(p *peerConn, c string) { p.say("PONG\r\n-ERR 'What is %s'\r\n", values(c)) },
	"does not permit": func(p *peerConn, c string) {
		p.say("PONG\r\n-ERR 'Permissions Violation for %s'\r\n", values(c))
		p.serve(nil)
	},
	"expires the user":    func(p *peerConn, c string) { p.say("PONG\r\n-ERR 'User Authentication Expired %s'\r\n", values(c)) },
	"has it in a message": func(p *peerConn, c string) { p.say("PONG\r\nMSG %s\r\n", values(c)) },
}

// values are the values in a CONNECT line, the secrets first.
func values(connect string) string {
	var m map[string]any
	if json.Unmarshal([]byte(strings.TrimPrefix(connect, "CONNECT ")), &m) != nil {
		return connect
	}
	return fmt.Sprint(m["pass"], " ", m["auth_token"], " ", m["sig"], " ", m["jwt"])
}

// No secret is in anything that the library says, whatever the server does.
func TestNoSecretIsEverShown(t *testing.T) {
	t.Parallel()
	_, seed := newKeys(t, nkeys.PrefixByteUser)
	b := &secretBook{}
	secret := func(s string) string { b.secrets = append(b.secrets, s); return s }
	secret(seed)
	sig, err := signer(seed)([]byte("PXoWU7zWAMt75FY"))
	require.NoError(t, err)
	jwt := secret("kwJ0eXAiOiJKV1QiLCJhbGciOiJlZDI1NTE5LW5rZXkifQ." + strings.Repeat("kyJq", 150) + ".c2ln")
	sign := signer(seed)
	ways := map[string]struct {
		userInfo string
		opts     []Option
	}{
		"options":   {"", []Option{UserInfo("joe", secret(`P4ssw0rd"<&\x`)), Token(secret("T0K3N-in-options"))}},
		"URL":       {"joe:" + url.PathEscape(secret("P4ss in/URL?")) + "@", nil},
		"URL token": {secret("T0K3N-in-URL") + "@", nil},
		"handlers":  {"", []Option{UserInfoHandler(func() (string, string) { return "joe", b.secrets[5] }), TokenHandler(func() string { return b.secrets[6] })}},
		"JWT":       {"", []Option{UserJWT(func() (string, error) { return jwt, nil }, sign)}},
		"files":     {"", []Option{UserCredentials(fileOf(t, testserver.Creds(jwt, seed)))}},
		"nkey":      {"", []Option{Nkey("UNOT", sign)}},
	}
	secret(base64.RawURLEncoding.EncodeToString(sig))
	for len(b.secrets) < 7 {
		secret(fmt.Sprintf("h4ndl3r-%d-secret", len(b.secrets)))
	}
	for does, reply := range blabbers {
		s := scripted(t, func(p *peerConn) {
			p.say("INFO %s\r\n", nonceInfo)
			connect, ok := p.line()
			if _, pinged := p.line(); ok && pinged {
				reply(p, connect)
			}
		})
		for with, way := range ways {
			what := does + ", " + with
			u := strings.Replace(s.url(), "//", "//"+way.userInfo, 1)
			opts := append(append([]Option{b.watch, MaxReconnects(1), unhurried()}, fast()[:2]...), way.opts...)
			nc, err := Connect(u, opts...)
			b.say(what, err)
			if err == nil {
				soon(t, func() bool { return nc.LastError() != nil || nc.Stats().Reconnects > 0 }, what)
				b.look(nc)
				nc.Close()
				b.look(nc)
			}
		}
	}
	badURLs(b, ways["URL"].userInfo, ways["URL token"].userInfo)
	badFiles(t, b, seed, jwt)
	b.check(t)
}

// A server that has seen a secret may call itself so the next time.
func TestLoggerHidesSecretsInNames(t *testing.T) {
	t.Parallel()
	const secret = "S3CRET-of-joe"
	s := scripted(t, func(p *peerConn) {
		if p.n == 0 {
			p.welcome()
			p.cut()
			return
		}
		p.say("INFO {\"server_id\":%q,\"server_name\":%q,\"version\":%q,\"cluster\":%q,\"max_payload\":1024}\r\n", secret, secret, secret, secret)
		p.line()
		p.line()
		p.say("PONG\r\n")
		p.serve(nil)
	})
	b := newLogBook()
	connectTo(t, s.url(), append(fast(), b.option(), UserInfo("joe", secret))...)
	back := b.wait(t, "INFO nats: reconnected")
	require.Equal(t, hidden, back.attrs["server_name"])
	require.NotContains(t, fmt.Sprint(back.attrs), secret)
}

// badURLs are refused, and shown without what stands before the host.
func badURLs(b *secretBook, users ...string) {
	for _, user := range users {
		for _, u := range []string{"nats://%sh:99999", "nats://%s", "foo://%sh", "nats://%sh h", "nats://%s[::1", "nats://%sh:x",
			"%sh:-1", "nats://%s%%zz@h", "nats://%sa,b", "tls://%s127.0.0.1:1", "nats://%s127.0.0.1:1"} {
			u = fmt.Sprintf(u, user)
			_, err := Connect(u)
			_, errOfOne := Options{Url: u}.Connect()
			b.say("bad URL", err, errOfOne, Options{Url: u, Servers: []string{u}, Password: b.secrets[2], Token: b.secrets[3]})
		}
	}
}

// badFiles have a secret in the wrong place.
func badFiles(t *testing.T, b *secretBook, seed, jwt string) {
	t.Helper()
	broken := seed[:len(seed)-2] + "AA"
	for _, content := range []string{broken, "x" + seed, " " + seed, seed + jwt, testserver.Creds(broken, seed), testserver.Creds(jwt, broken)} {
		file := fileOf(t, content)
		_, err := NkeyOptionFromSeed(file)
		b.say("nkey file", err)
		for _, option := range []Option{UserCredentials(file), UserCredentials(file, file), UserCredentialBytes([]byte(content)), UserJWTAndSeed(jwt, content)} {
			_, err := handshakeOver(t, "nats://10.0.0.1", "INFO "+nonceInfo+"\r\n", func(o *Options) error {
				b.say("option", option(o))
				return nil
			})
			b.say("credentials", err)
		}
		b.say("certificate", ClientCert(file, file)(&Options{}), RootCAs(file)(&Options{}))
	}
}

func TestRedactedURLs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"nats://h:1":           "nats://h:1",
		"nats://joe:secret@h":  "nats://joe:xxxxx@h:4222",
		"nats://joe:@h":        "nats://joe:xxxxx@h:4222",
		"nats://t0ken@h/p?q=1": "nats://xxxxx@h:4222/p?q=1",
	} {
		u, err := parseServerURL(in)
		require.NoError(t, err)
		require.Equal(t, want, redacted(u))
	}
	for in, want := range map[string]string{
		"h": "h", "a:b@h": "xxxxx@h", "nats://a:b@h": "nats://xxxxx@h", "a:b://c@h": "xxxxx@h", "nats://a@b@h": "nats://xxxxx@h",
	} {
		require.Equal(t, want, redactedText(in))
	}
}

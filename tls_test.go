package nats

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// tlsURL is a server's URL with the scheme of TLS.
func tlsURL(s *testserver.Server) string { return strings.Replace(s.URL(), "nats:", "tls:", 1) }

// tlsFirst makes a server speak TLS before INFO.
func tlsFirst(o *natsserver.Options) { o.TLSHandshakeFirst = true }

// tlsAllowed makes a server take TLS and plain clients.
func tlsAllowed(o *natsserver.Options) { o.AllowNonTLS = true }

// withCerts serves a fixed certificate.
func withCert(certs *testserver.Certs, cert tls.Certificate) testserver.Option {
	return func(o *natsserver.Options) {
		testserver.TLS(certs)(o)
		o.TLSConfig.Certificates = []tls.Certificate{cert}
	}
}

func issue(t testing.TB, c *testserver.Certs, spec testserver.CertSpec) tls.Certificate {
	t.Helper()
	cert, err := c.Issue(spec)
	require.NoError(t, err)
	return cert
}

// Compatibility 10.15 to 10.18: who asks for TLS, and what happens.
func TestTLSWhoWants(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	plain := testserver.Run(t)
	may := testserver.Run(t, testserver.TLS(certs), tlsAllowed)
	must := testserver.Run(t, testserver.TLS(certs))
	first := testserver.Run(t, testserver.TLS(certs), tlsFirst)
	trusting := func(o *Options) error { o.TLSConfig = certs.ClientConfig(); return nil }
	for name, c := range map[string]struct {
		url    string
		opts   []Option
		secure bool
		err    error
	}{
		"nobody":               {plain.URL(), nil, false, nil},
		"client":               {plain.URL(), []Option{Secure(certs.ClientConfig())}, false, ErrSecureConnWanted},
		"URL":                  {tlsURL(plain), []Option{trusting}, false, ErrSecureConnWanted},
		"server":               {must.URL(), []Option{trusting}, true, nil},
		"server, unknown CA":   {must.URL(), nil, false, ErrTLS},
		"both":                 {must.URL(), []Option{Secure(certs.ClientConfig())}, true, nil},
		"both, by files":       {must.URL(), []Option{RootCAs(certs.CAFile)}, true, nil},
		"both, by URL":         {tlsURL(must), []Option{trusting}, true, nil},
		"both, system's CAs":   {must.URL(), []Option{Secure()}, false, ErrTLS},
		"server may":           {may.URL(), []Option{trusting}, false, nil},
		"server may, client":   {may.URL(), []Option{Secure(certs.ClientConfig())}, true, nil},
		"server may, URL":      {tlsURL(may), []Option{RootCAs(certs.CAFile)}, true, nil},
		"first":                {first.URL(), []Option{RootCAs(certs.CAFile), TLSHandshakeFirst()}, true, nil},
		"first, of one alone":  {must.URL(), []Option{RootCAs(certs.CAFile), TLSHandshakeFirst()}, false, ErrTLS},
		"first, plain server":  {plain.URL(), []Option{RootCAs(certs.CAFile), TLSHandshakeFirst()}, false, ErrTLS},
		"first implies secure": {plain.URL(), []Option{trusting, set(func(o *Options) { o.TLSHandshakeFirst = true })}, false, ErrTLS},
	} {
		nc, err := Connect(c.url, append(c.opts, Timeout(patience))...)
		if c.err != nil {
			if assert.ErrorIs(t, err, c.err, name) {
				assert.ErrorContains(t, err, strings.TrimPrefix(c.url, "nats://"), "%s: the server is named", name)
			}
			continue
		}
		if !assert.NoError(t, err, name) {
			continue
		}
		speaks(t, nc)
		state, err := nc.TLSConnectionState()
		if c.secure {
			assert.NoError(t, err, name)
			assert.GreaterOrEqual(t, state.Version, uint16(tls.VersionTLS12), name)
			assert.NotEmpty(t, state.PeerCertificates, name)
		} else {
			assert.ErrorIs(t, err, ErrConnectionNotTLS, name)
		}
		assert.Equal(t, c.url == must.URL() || c.url == tlsURL(must) || c.url == first.URL(), nc.TLSRequired(), name)
		nc.Close()
		_, err = nc.TLSConnectionState()
		assert.ErrorIs(t, err, ErrDisconnected, name)
	}
	_, err := Connect(must.URL(), RootCAs(certs.CAFile), TLSHandshakeFirst(), Timeout(patience))
	require.ErrorContains(t, err, "does not look like a TLS handshake")
}

// Compatibility 2.8: one server's "tls" counts for all, and for those without a scheme.
func TestTLSByURLCountsForAll(t *testing.T) {
	t.Parallel()
	plain := welcoming(t)
	_, err := Connect("tls://127.0.0.1:1,"+plain.url(), DontRandomize(), Timeout(patience))
	require.ErrorIs(t, err, ErrSecureConnWanted)
	o := asked(t, Secure())
	o.Servers = []string{"a", "nats://b", "tls://c:1"}
	o.NoRandomize = true
	pool, err := newServerPool(&o)
	require.NoError(t, err)
	require.Equal(t, []string{"tls://a:4222", "nats://b:4222", "tls://c:1"},
		pool.names(func(*server) bool { return true }))
}

// What is wrong is said, with the server and the step.
func TestTLSErrors(t *testing.T) {
	t.Parallel()
	certs, other := testserver.RunCerts(t), testserver.RunCerts(t)
	yesterday := time.Now().Add(-time.Hour)
	hosts := []string{"127.0.0.1"}
	run := func(spec testserver.CertSpec) string {
		return testserver.Run(t, withCert(certs, issue(t, certs, spec))).URL()
	}
	trust := RootCAs(certs.CAFile)
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	wrongCA := issue(t, other, testserver.CertSpec{Name: "client"})
	mutual := testserver.Run(t, testserver.MutualTLS(certs)).URL()
	for name, c := range map[string]struct {
		url  string
		opts []Option
		as   any
		text string
		step string
	}{
		"wrong host":      {run(testserver.CertSpec{Hosts: []string{"example.com"}}), []Option{trust}, &host, "IP SAN", stepTLS},
		"wrong name":      {run(testserver.CertSpec{Hosts: hosts}), []Option{trust, Secure(&tls.Config{ServerName: "example.org", RootCAs: certs.Pool})}, &host, "as example.org", stepTLS},
		"expired":         {run(testserver.CertSpec{Hosts: hosts, NotAfter: yesterday}), []Option{trust}, &invalid, "expired", stepTLS},
		"unknown CA":      {run(testserver.CertSpec{Hosts: hosts}), []Option{RootCAs(other.CAFile)}, &unknown, "unknown authority", stepTLS},
		"no certificate":  {mutual, []Option{trust}, nil, "certificate required", stepAnswer},
		"other CA's":      {mutual, []Option{trust, ClientTLSConfig(func() (tls.Certificate, error) { return wrongCA, nil }, nil)}, nil, "unknown certificate authority", stepAnswer},
		"TLS 1.2, no one": {mutual, []Option{Secure(&tls.Config{RootCAs: certs.Pool, MaxVersion: tls.VersionTLS12})}, nil, "remote error: tls:", stepTLS},
		"TLS 1.1":         {mutual, []Option{Secure(&tls.Config{RootCAs: certs.Pool, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})}, nil, "no supported versions", stepTLS},
	} {
		_, err := Connect(c.url, append(c.opts, Timeout(patience))...)
		if !assert.ErrorIs(t, err, ErrTLS, name) {
			continue
		}
		assert.ErrorContains(t, err, c.text, name)
		assert.ErrorContains(t, err, strings.TrimPrefix(c.url, "nats://"), name)
		assert.Condition(t, func() bool { // a write may notice first
			return strings.Contains(err.Error(), c.step) || c.step == stepAnswer && strings.Contains(err.Error(), stepConnect)
		}, "%s: %v", name, err)
		if c.as != nil {
			assert.ErrorAs(t, err, c.as, name)
		}
	}
}

// A server that is gone behind the handshake.
func TestTLSClosedBehindHandshake(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	s := scripted(t, func(p *peerConn) {
		p.say("INFO %s\r\n", strings.Replace(plainInfo, "{", `{"tls_required":true,`, 1))
		conn := tls.Server(p.TCPConn, certs.ServerConfig())
		if conn.Handshake() == nil {
			_, _ = io.ReadFull(conn, make([]byte, len("CONNECT")))
		}
	})
	_, err := Connect(s.url(), RootCAs(certs.CAFile), Timeout(patience))
	require.ErrorIs(t, err, ErrTLS)
	require.ErrorContains(t, err, "connection closed by remote after TLS handshake")
	require.True(t, errors.Is(err, io.EOF) || isBreak(err), "%v", err)
}

// Compatibility 1.9 and 10.20.
func TestTLSOptionErrors(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	missing, junk := filepath.Join(t.TempDir(), "missing"), fileOf(t, "junk")
	own := errors.New("no certificate today")
	for name, c := range map[string]struct {
		option Option
		text   string
		is     error
	}{
		"two configurations": {Secure(&tls.Config{}, &tls.Config{}), "multiple tls.Configs", ErrMultipleTLSConfigs},
		"no handler":         {ClientTLSConfig(nil, nil), "at least one", ErrClientCertOrRootCAsRequired},
		"no CA file":         {RootCAs(missing), "nats: error loading or parsing rootCA file: open " + missing, os.ErrNotExist},
		"junk as CA":         {RootCAs(certs.CAFile, junk), `nats: failed to parse root certificate from "` + junk + `"`, nil},
		"no certificate":     {ClientCert(missing, certs.ClientKeyFile), "nats: error loading client certificate: open " + missing, os.ErrNotExist},
		"junk as key":        {ClientCert(certs.ClientCertFile, junk), "nats: error loading client certificate: tls:", nil},
		"other's key":        {ClientCert(certs.ClientCertFile, certs.ServerKeyFile), "private key does not match", nil},
		"handler's error":    {ClientTLSConfig(func() (tls.Certificate, error) { return tls.Certificate{}, own }, nil), "no certificate today", own},
	} {
		d := &dialLog{}
		_, err := Connect("tls://10.0.0.1", c.option, SetCustomDialer(d))
		assert.ErrorContains(t, err, c.text, name)
		assert.Empty(t, d.seen(), name)
		if c.is != nil {
			assert.ErrorIs(t, err, c.is, name)
		}
	}
	o := asked(t, RootCAs(certs.CAFile), ClientCert(certs.ClientCertFile, certs.ClientKeyFile))
	require.True(t, o.Secure)
	require.EqualValues(t, tls.VersionTLS12, o.TLSConfig.MinVersion)
	o = asked(t, RootCAs(certs.CAFile), Secure(&tls.Config{ServerName: "x"}))
	require.NotNil(t, o.RootCAsCB, "a later Secure keeps the handlers")
	require.Equal(t, "x", o.TLSConfig.ServerName)
}

// The program's configuration is its own: it is neither changed nor used later.
func TestTLSConfigIsCopied(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	s := testserver.Run(t, testserver.MutualTLS(certs))
	cfg := certs.ClientConfig()
	nc := connectTo(t, s.URL(), append(fast(), quiet(), Secure(cfg), ClientCert(certs.ClientCertFile, certs.ClientKeyFile))...)
	require.Empty(t, cfg.ServerName)
	require.Empty(t, cfg.Certificates)
	cfg.ServerName, cfg.RootCAs = "elsewhere", x509.NewCertPool()
	require.NoError(t, s.Restart())
	soon(t, func() bool { return nc.Stats().Reconnects > 0 && nc.IsConnected() }, "reconnect")
}

func TestMutualTLSAndMap(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	mutual := testserver.Run(t, testserver.MutualTLS(certs))
	speaks(t, connectTo(t, mutual.URL(), RootCAs(certs.CAFile), ClientCert(certs.ClientCertFile, certs.ClientKeyFile)))
	cfg := certs.ClientConfig()
	cfg.Certificates = []tls.Certificate{certs.Client}
	speaks(t, connectTo(t, mutual.URL(), Secure(cfg)))

	dir := t.TempDir()
	cert, key := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	issue(t, certs, testserver.CertSpec{Name: "joe", Email: "joe@example.com", CertFile: cert, KeyFile: key})
	mapped := testserver.RunConfig(t, `
		tls { cert_file: "`+certs.ServerCertFile+`", key_file: "`+certs.ServerKeyFile+`", ca_file: "`+certs.CAFile+`"
			verify_and_map: true, timeout: 10 }
		authorization { users: [{user: "joe@example.com"}] }`)
	speaks(t, connectTo(t, mapped.URL(), RootCAs(certs.CAFile), ClientCert(cert, key)))
	refused(t, mapped.URL(), RootCAs(certs.CAFile), ClientCert(certs.ClientCertFile, certs.ClientKeyFile))
}

// New certificates on both sides, from another authority, take effect with the
// next connection.
func TestRotatedCertificates(t *testing.T) {
	t.Parallel()
	old, fresh := testserver.RunCerts(t), testserver.RunCerts(t)
	var serving atomic.Pointer[testserver.Certs]
	serving.Store(old)
	s := testserver.Run(t, testserver.MutualTLS(old), func(o *natsserver.Options) {
		o.TLSConfig.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return serving.Load().MutualConfig(), nil
		}
	})
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	install := func(c *testserver.Certs) {
		for from, to := range map[string]string{c.CAFile: ca, c.ClientCertFile: cert, c.ClientKeyFile: key} {
			pem, err := os.ReadFile(from)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to, pem, 0o600))
		}
	}
	install(old)
	back, onBack := connEvents()
	errs, onErr := errEvents()
	nc := connectTo(t, s.URL(), append(fast(), ReconnectJitter(0, 0), onErr, RootCAs(ca), ClientCert(cert, key), ReconnectHandler(onBack))...)
	speaks(t, nc)

	serving.Store(fresh)
	s.CutClients()
	err := got(t, errs, "refused certificate")
	require.ErrorIs(t, err, ErrTLS, "the program is told why it does not come back")
	require.ErrorContains(t, err, "unknown authority")
	require.NoError(t, nc.Publish("kept", []byte("x")))
	install(fresh)
	got(t, back, "reconnect with the new certificates")
	speaks(t, nc)
	state, err := nc.TLSConnectionState()
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(fresh.Server.Certificate[0])
	require.NoError(t, err)
	require.True(t, leaf.Equal(state.PeerCertificates[0]))
}

// Compatibility 9.8: the pause has the jitter for TLS.
func TestTLSJitter(t *testing.T) {
	t.Parallel()
	o := Options{ReconnectJitter: 1, ReconnectJitterTLS: time.Hour}
	require.EqualValues(t, 1, o.jitter())
	o.TLSConfig = &tls.Config{}
	require.Equal(t, time.Hour, o.jitter())
	o = Options{ReconnectJitterTLS: time.Hour, Secure: true}
	longer := false
	for range 100 {
		longer = longer || (&outage{}).pause(1, &o) > time.Second
	}
	require.True(t, longer)
}

// ownTLS is a CustomDialer that brings TLS itself.
type ownTLS struct{ cfg *tls.Config }

func (d ownTLS) Dial(network, addr string) (net.Conn, error) { return tls.Dial(network, addr, d.cfg) }
func (ownTLS) SkipTLSHandshake() bool                        { return true }

func TestDialerWithTLSOfItsOwn(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	s := testserver.Run(t, testserver.TLS(certs), tlsFirst)
	nc := connectTo(t, tlsURL(s), SetCustomDialer(ownTLS{certs.ClientConfig()}))
	speaks(t, nc)
	_, err := nc.TLSConnectionState()
	require.ErrorIs(t, err, ErrConnectionNotTLS, "it is not ours")
}

// Compatibility 2.16 and 10.16: servers that are told as IP addresses are checked
// against the name of the one that told of them.
func TestTLSNameOfDiscoveredServers(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	named := issue(t, certs, testserver.CertSpec{Name: "s", Hosts: []string{"localhost"}})
	c := testserver.RunCluster(t, 3, withCert(certs, named))
	back, onBack := connEvents()
	url := strings.Replace(tlsURL(c.Servers[0]), "127.0.0.1", "localhost", 1)
	nc := connectTo(t, url, append(fast(), quiet(), RootCAs(certs.CAFile), ReconnectHandler(onBack))...)
	soon(t, func() bool { return len(nc.DiscoveredServers()) >= 2 }, "discovery")
	for i := range 2 { // the second one was told of again by a server that is an IP address itself
		soon(t, func() bool { return nc.IsConnected() }, "connection")
		at := nc.ConnectedServerName()
		for _, s := range c.Servers {
			if s.Running() && s.Server().Name() == at {
				s.Stop()
			}
		}
		got(t, back, "reconnect")
		speaks(t, nc)
		require.Truef(t, strings.HasPrefix(nc.ConnectedUrl(), "tls://127.0.0.1:"), "%d: %s", i, nc.ConnectedUrl())
	}
	_, err := Connect(tlsURL(c.Servers[2]), RootCAs(certs.CAFile), Timeout(patience))
	if !errors.Is(err, ErrNoServers) {
		require.ErrorContains(t, err, "IP SAN", "by itself the address is not the name")
	}
}

// The name goes from one address to the next; a name that was told is its own.
func TestTLSNameIsInherited(t *testing.T) {
	t.Parallel()
	o := asked(t, Secure())
	o.Servers = []string{"example.com"}
	pool, err := newServerPool(&o)
	require.NoError(t, err)
	pool.firstNot(nil)
	pool.discover([]string{"10.0.0.1:4222"})
	pool.current = pool.list[1]
	pool.discover([]string{"10.0.0.1:4222", "10.0.0.2:4222", "[::1]:4222", "other.org:4222"})
	names := make(map[string]string)
	for _, s := range pool.list {
		names[s.url.Hostname()] = s.tlsName
	}
	require.Equal(t, map[string]string{"example.com": "", "10.0.0.1": "example.com", "10.0.0.2": "example.com",
		"::1": "example.com", "other.org": ""}, names)
}

// A server that tells of others can not make the client say anything in clear to
// them, nor trust what they show.
func TestDiscoveredServersGetNothingInClear(t *testing.T) {
	t.Parallel()
	certs, other := testserver.RunCerts(t), testserver.RunCerts(t)
	heard := make(chan string, 1000)
	trap := func(info string, answer func(net.Conn)) *scriptedServer {
		return scripted(t, func(p *peerConn) {
			p.say("INFO %s\r\n", info)
			b := make([]byte, 4096)
			n, _ := p.Read(b)
			heard <- string(b[:n])
			if answer != nil && n > 0 {
				answer(&replayedConn{p.TCPConn, b[:n]})
			}
		})
	}
	mustTLS := strings.Replace(plainInfo, "{", `{"tls_required":true,`, 1)
	plain := trap(plainInfo, nil)
	deaf := trap(mustTLS, nil)
	stranger := trap(mustTLS, func(conn net.Conn) {
		secure := tls.Server(conn, other.ServerConfig())
		if secure.Handshake() == nil {
			b := make([]byte, 4096)
			n, _ := secure.Read(b)
			heard <- string(b[:n])
		}
	})
	addr := func(s *scriptedServer) string { return s.ln.Addr().String() }
	told := `"connect_urls":["` + addr(plain) + `","` + addr(deaf) + `","` + addr(stranger) + `","nats://` + addr(plain) + `"],`
	var lose = make(chan struct{})
	home := scripted(t, func(p *peerConn) {
		p.say("INFO %s\r\n", strings.Replace(mustTLS, "{", "{"+told, 1))
		secure := tls.Server(p.TCPConn, certs.ServerConfig())
		if secure.Handshake() != nil || p.n > 0 {
			return
		}
		b := make([]byte, 64<<10)
		for in := ""; !strings.Contains(in, "PING"); {
			n, err := secure.Read(b)
			if err != nil {
				return
			}
			in += string(b[:n])
		}
		_, _ = io.WriteString(secure, "PONG\r\n")
		<-lose
	})
	url := strings.Replace(home.url(), "nats://", "tls://joe:S3CR3TPW@", 1)
	errs, onErr := errEvents()
	nc := connectTo(t, url, append(fast(), RootCAs(certs.CAFile), onErr)...)
	require.Len(t, nc.DiscoveredServers(), 3)
	require.NoError(t, nc.Publish("my.subject", []byte("payload")))
	close(lose)
	wanted := map[error]bool{ErrSecureConnWanted: true, ErrTLS: true}
	for len(wanted) > 0 {
		err := got(t, errs, "refused servers")
		for w := range wanted {
			if errors.Is(err, w) {
				delete(wanted, w)
			}
		}
	}
	soon(t, func() bool { return nc.Stats().Reconnects > 12 }, "several rounds")
	nc.Close()
	for len(heard) > 0 {
		text := <-heard
		for _, secret := range []string{"CONNECT", "joe", "S3CR3TPW", "my.subject", "payload"} {
			require.NotContains(t, text, secret)
		}
	}
}

// replayedConn is a connection whose first bytes were read already.
type replayedConn struct {
	*net.TCPConn
	first []byte
}

func (c *replayedConn) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.TCPConn.Read(b)
}

// What is said in clear behind INFO, by whomever, does not count once there is TLS.
func TestTLSForgetsWhatCameInClear(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	s := scripted(t, func(p *peerConn) {
		p.say("INFO %s\r\nPONG\r\nMSG foo 1 5\r\nevil!\r\n", strings.Replace(plainInfo, "{", `{"tls_required":true,`, 1))
		conn := tls.Server(p.TCPConn, certs.ServerConfig())
		if conn.Handshake() != nil {
			return
		}
		_, _ = io.WriteString(conn, "-ERR 'Authorization Violation'\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	_, err := Connect(s.url(), RootCAs(certs.CAFile), Timeout(patience))
	require.ErrorIs(t, err, ErrAuthorization)
}

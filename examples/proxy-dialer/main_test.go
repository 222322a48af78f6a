package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demotest"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

// pageVar makes this test program be the page: a process reads the proxies of its
// environment only once.
const pageVar = "PROXY_DIALER_PAGE"

func TestMain(m *testing.M) {
	if os.Getenv(pageVar) != "" {
		main()
		return
	}
	leaktest.VerifyTestMain(m)
}

// page runs the page in a process of its own.
func page(t *testing.T, w io.Writer, env []string, args ...string) error {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, args...)
	// The race detector sleeps for a second at the end of a process unless it is told.
	cmd.Env = append(append(os.Environ(), pageVar+"=1", "NO_PROXY=", "no_proxy=", "GORACE=atexit_sleep_ms=10"), env...)
	cmd.Stdout, cmd.Stderr = w, w
	return cmd.Run()
}

func TestProxyDialer(t *testing.T) {
	t.Parallel()
	demotest.Output(t, func(w io.Writer) error { return page(t, w, nil) })
}

// The proxy of the environment is used for a server of the user's.
func TestProxyOfTheEnvironment(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	proxy := runProxy(t, map[string]string{"nats.elsewhere:4333": srv.Addr()})
	through := "HTTPS_PROXY=" + strings.Replace(proxy.url(), "//", "//me:secret@", 1)
	var out strings.Builder
	require.NoError(t, page(t, &out, []string{through}, "-url", "nats://nats.elsewhere:4333"), out.String())
	assert.Equal(t, "nats://nats.elsewhere:4333: connected, received \"hello\"\n", out.String())
	assert.Equal(t, []string{"nats.elsewhere:4333"}, proxy.made())
	assert.Equal(t, "Basic bWU6c2VjcmV0", proxy.credentials())

	out.Reset()
	require.NoError(t, page(t, &out, []string{through, "NO_PROXY=127.0.0.1"}, "-url", srv.URL()), out.String())
	assert.Len(t, proxy.made(), 1, "NO_PROXY: straight to the server")
}

// Every later connection goes through the proxy too.
func TestReconnectThroughTheProxy(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	proxy := runProxy(t, map[string]string{"nats.example:4222": srv.Addr()})
	nc, err := nats.Connect("nats://nats.example", nats.SetCustomDialer(by(proxy)), nats.SkipHostLookup(),
		nats.ReconnectWait(10*time.Millisecond), nats.MaxReconnects(-1))
	require.NoError(t, err)
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	srv.Kill()
	<-lost
	require.NoError(t, nc.Publish("a", []byte("kept")))
	require.NoError(t, srv.Start())
	require.NoError(t, nc.FlushTimeout(20*time.Second))
	assert.GreaterOrEqual(t, len(proxy.made()), 2)
}

func TestProxyRefuses(t *testing.T) {
	t.Parallel()
	proxy := runProxy(t, map[string]string{"down.example:1": "127.0.0.1:1"})
	_, err := by(proxy).Dial("tcp", "nats.example:4222")
	require.ErrorContains(t, err, "no tunnel to nats.example:4222: 403 Forbidden")
	_, err = by(proxy).Dial("tcp", "down.example:1")
	require.ErrorContains(t, err, "502 Bad Gateway")

	other := &dialer{proxy: http.ProxyURL(&url.URL{Scheme: "socks5", Host: "p", User: url.UserPassword("me", "secret")})}
	_, err = other.Dial("tcp", "nats.example:4222")
	require.ErrorContains(t, err, "only http proxies")
	assert.NotContains(t, err.Error(), "secret")
}

// A proxy that says nothing, or too much, does not hold a dial up for ever.
func TestProxyThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	d := &dialer{proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: ln.Addr().String()})}

	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = d.DialContext(ctx, "tcp", "nats.example:4222")
	require.ErrorIs(t, err, context.DeadlineExceeded)

	failed := make(chan error, 1)
	go func() { // ends with the dial
		_, err := d.Dial("tcp", "nats.example:4222")
		failed <- err
	}()
	first, err := ln.Accept() // that of the dial above
	require.NoError(t, err)
	defer first.Close()
	conn, err := ln.Accept()
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2*maxAnswer))
	require.NoError(t, err)
	require.Error(t, <-failed)
}

func runProxy(t *testing.T, hosts map[string]string) *connectProxy {
	t.Helper()
	proxy, err := startProxy(hosts)
	require.NoError(t, err)
	t.Cleanup(proxy.close)
	return proxy
}

func by(p *connectProxy) *dialer {
	u, _ := url.Parse(p.url()) // made of an address
	return &dialer{proxy: http.ProxyURL(u)}
}

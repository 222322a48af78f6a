package testserver

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRunAcceptsClients(t *testing.T) {
	t.Parallel()
	s := Run(t)
	require.True(t, s.Running())
	require.Equal(t, "nats://"+s.Addr(), s.URL())
	require.Empty(t, s.WebsocketURL())
	require.Empty(t, s.ConfigFile())

	c := connectRaw(t, s.Addr())
	require.Equal(t, s.Port(), c.info.Port)
	require.Equal(t, s.Server().ID(), c.info.ID)
	require.Equal(t, 1, s.NumClients())
	c.send("SUB a 1\r\nPUB a 2\r\nhi\r\n")
	c.expect("MSG a 1 2")
	require.Equal(t, "hi", c.line())
	require.NoError(t, c.conn.Close())
	require.Eventually(t, func() bool { return s.NumClients() == 0 }, patience, tick)
}

func TestStopAndStartKeepThePort(t *testing.T) {
	t.Parallel()
	s := Run(t)
	addr := s.Addr()
	c := connectRaw(t, addr)
	first := s.Server().ID()

	s.Stop()
	require.False(t, s.Running())
	require.Nil(t, s.Server())
	require.Zero(t, s.NumClients())
	rest, err := io.ReadAll(c.r)
	require.NoError(t, err)
	require.NotContains(t, string(rest), "-ERR")
	_, err = net.Dial("tcp", addr)
	require.Error(t, err)
	s.Stop() // does nothing

	require.NoError(t, s.Start())
	require.Equal(t, addr, s.Addr())
	require.NotEqual(t, first, connectRaw(t, addr).info.ID)
	require.ErrorIs(t, s.Start(), ErrRunning)
}

func TestRestartUnderClients(t *testing.T) {
	t.Parallel()
	s := Run(t)
	for range 10 {
		connectRaw(t, s.Addr())
		require.NoError(t, s.Restart())
	}
	connectRaw(t, s.Addr())
}

func TestStartAfterShutdownFromOutside(t *testing.T) {
	t.Parallel()
	s := Run(t)
	s.Server().Shutdown()
	require.False(t, s.Running())
	require.NoError(t, s.Start())
	connectRaw(t, s.Addr())
}

func TestStartWaitsForAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	s := Run(t)
	s.Stop()
	l, err := net.Listen("tcp", s.Addr())
	require.NoError(t, err)
	defer l.Close()

	started := make(chan error, 1)
	go func() { started <- s.Start() }() // ends when the port is free again
	// The accessors answer meanwhile.
	require.False(t, s.Running())
	select {
	case err := <-started:
		require.Failf(t, "started on a taken port", "%v", err)
	case <-time.After(100 * time.Millisecond):
	}
	require.NoError(t, l.Close())
	select {
	case err := <-started:
		require.NoError(t, err)
	case <-time.After(patience):
		require.Fail(t, "not started on a free port")
	}
	connectRaw(t, s.Addr())
}

func TestStartGivesUpOnAPortThatStaysTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = New(Config{Port: port, StartTimeout: 100 * time.Millisecond})
	require.Error(t, err)
	require.True(t, addrInUse(err), "%v", err)
	require.ErrorContains(t, err, l.Addr().String())
}

func TestPortOfTheCaller(t *testing.T) {
	t.Parallel()
	other := Run(t)
	other.Stop() // a port that is held for it, but free to those who ask for it
	port := other.Port()
	s, err := New(Config{Port: port})
	require.NoError(t, err)
	defer s.Close()
	require.Equal(t, port, s.Port())
	connectRaw(t, s.Addr())
}

func TestBadOptionsAreAnError(t *testing.T) {
	t.Parallel()
	bad := func(o *server.Options) { o.MaxPayload, o.MaxPending = 1000, 10 }
	_, err := New(Config{Options: []Option{bad}})
	require.Error(t, err)
}

func TestClose(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Options: []Option{JetStream()}})
	require.NoError(t, err)
	store := s.Server().StoreDir()
	require.DirExists(t, store)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.NoDirExists(t, filepath.Dir(store))
	require.False(t, s.Running())
	require.ErrorIs(t, s.Start(), ErrClosed)
	require.ErrorIs(t, s.Restart(), ErrClosed)
	s.Kill()
	s.Stop()
	require.Zero(t, s.CutClients())
}

func TestEightAtOnce(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	servers := make([]*Server, 8)
	errs := make([]error, 8)
	for i := range servers {
		wg.Go(func() { servers[i], errs[i] = New(Config{}) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	seen := make(map[int]bool)
	for _, s := range servers {
		defer s.Close()
		assert.Equal(t, s.Server().ID(), connectRaw(t, s.Addr()).info.ID)
		seen[s.Port()] = true
	}
	require.Len(t, seen, 8)
}

// A stopped server's port must not go to anybody who asks for any port.
func TestPortIsKeptWhileStopped(t *testing.T) {
	t.Parallel()
	if !holdSharesPort {
		t.Skip("ports cannot be held on this system")
	}
	s := Run(t)
	s.Stop()
	for range 2000 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := l.Addr().(*net.TCPAddr).Port
		require.NoError(t, l.Close())
		require.NotEqual(t, s.Port(), port)
	}
	require.NoError(t, s.Start())
}

func TestManyCallersAtOnce(t *testing.T) {
	t.Parallel()
	s := Run(t)
	var wg sync.WaitGroup
	for _, f := range []func(){s.Stop, s.Kill, func() { s.CutClients() }, func() { _ = s.Start() }} {
		wg.Go(func() {
			for range 5 {
				f()
				_, _, _ = s.Running(), s.NumClients(), s.Server()
			}
		})
	}
	wg.Wait()
	if !s.Running() {
		require.NoError(t, s.Start())
	}
	connectRaw(t, s.Addr())
}

func TestLog(t *testing.T) {
	t.Parallel()
	var buf bytes.Buffer // read after Close only
	s, err := New(Config{Log: &buf, Options: []Option{func(o *server.Options) { o.Debug = true }}})
	require.NoError(t, err)
	connectRaw(t, s.Addr())
	require.NoError(t, s.Close())
	require.Contains(t, buf.String(), "[INF] Listening for client connections on "+s.Addr())
	require.Contains(t, buf.String(), "[DBG]")
}

func TestLameDuck(t *testing.T) {
	t.Parallel()
	s := Run(t)
	c := connectRaw(t, s.Addr())
	gone := make(chan struct{})
	go func() { // ends with the lame duck mode
		defer close(gone)
		s.LameDuck()
	}()
	require.Contains(t, c.line(), `"ldm":true`)
	rest, err := io.ReadAll(c.r)
	require.NoError(t, err)
	require.NotContains(t, string(rest), "-ERR")
	<-gone
	require.False(t, s.Running())
	require.NoError(t, s.Start())
	connectRaw(t, s.Addr())
}

func TestWebsocketPort(t *testing.T) {
	t.Parallel()
	s := Run(t, Websocket())
	addr, ok := strings.CutPrefix(s.WebsocketURL(), "ws://")
	require.True(t, ok)
	require.NotEqual(t, s.Addr(), addr)
	for range 2 {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.Equal(t, s.WebsocketURL(), s.Server().WebsocketURL())
		require.NoError(t, s.Restart())
	}
}

// A websocket port with TLS, or with compression, is as it was asked for.
func TestWebsocketPortOptions(t *testing.T) {
	t.Parallel()
	certs := RunCerts(t)
	s := Run(t, WebsocketTLS(certs))
	addr, ok := strings.CutPrefix(s.WebsocketURL(), "wss://")
	require.True(t, ok)
	conn, err := tls.Dial("tcp", addr, certs.ClientConfig())
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	connectRaw(t, s.Addr())

	s = Run(t, WebsocketCompression())
	addr, ok = strings.CutPrefix(s.WebsocketURL(), "ws://")
	require.True(t, ok)
	req, err := http.NewRequest(http.MethodGet, "http://"+addr, nil)
	require.NoError(t, err)
	for k, v := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key":        "MDEyMzQ1Njc4OWFiY2RlZg==",
		"Sec-WebSocket-Extensions": "permessage-deflate; server_no_context_takeover; client_no_context_takeover"} {
		req.Header.Set(k, v)
	}
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusSwitchingProtocols, answer.StatusCode)
	require.Contains(t, answer.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
}

// fakeTB stands in for a *testing.T.
type fakeTB struct {
	testing.TB
	failed   bool
	cleanups []func()
}

func (f *fakeTB) Helper()               {}
func (f *fakeTB) Fatalf(string, ...any) { f.failed = true }
func (f *fakeTB) Cleanup(c func())      { f.cleanups = append(f.cleanups, c) }

func TestRunCleansUp(t *testing.T) {
	t.Parallel()
	tb := new(fakeTB)
	s := RunConfig(tb, "jetstream: enabled")
	require.False(t, tb.failed)
	connectRaw(t, s.Addr())
	conf := s.ConfigFile()
	require.FileExists(t, conf)
	require.Len(t, tb.cleanups, 1)
	tb.cleanups[0]()
	require.False(t, tb.failed)
	require.False(t, s.Running())
	_, err := os.Stat(conf)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestRunFailsTheTest(t *testing.T) {
	t.Parallel()
	tb := new(fakeTB)
	require.Nil(t, RunConfig(tb, "port: nonsense"))
	require.True(t, tb.failed)
	tb = new(fakeTB)
	require.Nil(t, RunCluster(tb, 0))
	require.True(t, tb.failed)
}

// BenchmarkStart is the time from New to the first accepted connection.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		s, err := New(Config{})
		require.NoError(b, err)
		conn, err := net.Dial("tcp", s.Addr())
		require.NoError(b, err)
		require.NoError(b, conn.Close())
		b.StopTimer()
		require.NoError(b, s.Close())
		b.StartTimer()
	}
}

// Only the best of a few counts: the machine may be busy with other things.
func TestStartIsFast(t *testing.T) {
	best := time.Hour
	for range 5 {
		began := time.Now()
		s, err := New(Config{})
		best = min(best, time.Since(began))
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	t.Logf("start: %v", best)
	require.Less(t, best, 200*time.Millisecond)
}

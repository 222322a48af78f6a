package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// tlsPipe is both ends of a TLS connection over a pipe.
func tlsPipe(t testing.TB, certs *testserver.Certs, wrap func(net.Conn) net.Conn, conf func(*tls.Config)) (client, server *tls.Conn) {
	t.Helper()
	a, b := net.Pipe()
	t.Cleanup(func() { a.Close(); b.Close() })
	cfg := certs.ClientConfig()
	cfg.ServerName = "localhost"
	conf(cfg)
	client, server = tls.Client(wrap(a), cfg), tls.Server(b, certs.ServerConfig())
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }() // ends with the handshake
	require.NoError(t, client.Handshake())
	require.NoError(t, got(t, done, "handshake"))
	return client, server
}

// brittle takes some more bytes and then fails.
type brittle struct {
	net.Conn
	left int // negative: no limit
}

var errBrittle = errors.New("the socket broke")

func (c *brittle) Write(b []byte) (int, error) {
	if c.left < 0 || len(b) <= c.left {
		if c.left >= 0 {
			c.left -= len(b)
		}
		return c.Conn.Write(b)
	}
	n, err := c.Conn.Write(b[:c.left])
	c.left = 0
	if err == nil {
		err = errBrittle
	}
	return n, err
}

// The outbox counts as taken what a failed write says it took. Below TLS the
// socket may break at any byte of a record; what the write says is exactly what
// the server can read.
func TestFailedTLSWriteTellsWhatWasTaken(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	data := make([]byte, 70_000)
	for name, conf := range map[string]func(*tls.Config){
		"1.2":           func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 },
		"1.3":           func(*tls.Config) {},
		"large records": func(c *tls.Config) { c.DynamicRecordSizingDisabled = true },
	} {
		for _, budget := range []int{0, 1, 4, 5, 6, 100, 1400, 1401, 16_000, 16_405, 16_406, 16_407, 30_000, 65_535, 71_000, 200_000} {
			socket := &brittle{left: -1}
			client, server := tlsPipe(t, certs, func(c net.Conn) net.Conn { socket.Conn = c; return socket }, conf)
			read := make(chan int, 1)
			go func() { // ends with the connection
				n, _ := io.Copy(io.Discard, server)
				read <- int(n)
			}()
			socket.left = budget
			parts := net.Buffers{data[:10], data[10:20_000], data[20_000:]}
			n, err := parts.WriteTo(client)
			assert.Equal(t, n < int64(len(data)), err != nil, "%s, %d: %v", name, budget, err)
			socket.Conn.Close()
			assert.Equal(t, int(n), got(t, read, "end"), "%s, %d", name, budget)
		}
	}
}

// receiveNumbered takes numbered messages up to the last one. They must be in
// order and none twice; it returns how many are missing.
func receiveNumbered(t testing.TB, sub *Subscription, messages int) (missing int) {
	t.Helper()
	for next := 0; next < messages; {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err, "after message %d", next-1)
		n := numberOf(t, string(m.Data[:7]))
		require.GreaterOrEqual(t, n, next, "out of order or twice")
		missing += n - next
		next = n + 1
	}
	return missing
}

// stingy is a socket that takes a few bytes until its write deadline has passed.
type stingy struct {
	net.Conn
	mu    sync.Mutex
	until time.Time
	got   []byte
	waits int
}

func (c *stingy) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.until = t
	return nil
}

func (c *stingy) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(b), 3)
	c.got = append(c.got, b[:n]...)
	if n < len(b) {
		c.waits++
		return n, fmt.Errorf("write: %w", errDeadline)
	}
	return n, nil
}

var errDeadline = func() error { // what net.Conn returns behind its deadline
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	_ = a.SetWriteDeadline(time.Now().Add(-time.Second))
	_, err := a.Write([]byte("x"))
	return err
}()

func TestTLSSocketGoesOnWhileThereIsProgress(t *testing.T) {
	t.Parallel()
	raw := &stingy{}
	c := &tlsSocket{Conn: raw, resume: true, stall: time.Minute}
	n, err := c.Write([]byte("0123456789"))
	require.NoError(t, err)
	require.Equal(t, 10, n)
	require.Equal(t, "0123456789", string(raw.got), "each byte once")
	require.Equal(t, 3, raw.waits)
	require.WithinDuration(t, time.Now().Add(time.Minute), raw.until, 30*time.Second)

	for name, c := range map[string]*tlsSocket{
		"a socket of another kind": {Conn: &stingy{}, stall: time.Minute},
		"the handshake":            {Conn: &stingy{}, resume: true},
	} {
		n, err := c.Write([]byte("0123456789"))
		require.ErrorIs(t, err, errDeadline, name)
		require.Equal(t, 3, n, name)
	}
	c = &tlsSocket{Conn: &stingy{}, resume: true, stall: time.Minute}
	c.closing.Store(true)
	_, err = c.Write([]byte("0123456789"))
	require.ErrorIs(t, err, errDeadline)
	require.WithinDuration(t, time.Now(), c.Conn.(*stingy).until, 10*time.Second, "a close does not wait for long")
}

// A close does not wait for a peer that reads nothing.
func TestTLSCloseDoesNotWait(t *testing.T) {
	t.Parallel()
	socket := &tlsSocket{stall: time.Minute}
	client, _ := tlsPipe(t, testserver.RunCerts(t), func(c net.Conn) net.Conn { socket.Conn = c; return socket }, func(*tls.Config) {})
	start := time.Now()
	_ = (&secureConn{Conn: client, socket: socket}).Close()
	require.Less(t, time.Since(start), 4*time.Second, "crypto/tls by itself waits five")
}

// silentTLS is a server that wants TLS and then says nothing; the first clients are
// let in without.
func silentTLS(t testing.TB, welcomes int) *scriptedServer {
	t.Helper()
	return scripted(t, func(p *peerConn) {
		if p.n < welcomes {
			p.welcome()
			return
		}
		p.say(`INFO {"tls_required":true}` + "\r\n")
		p.await()
	})
}

// The time for the handshake covers TLS.
func TestTLSHandshakeTimesOut(t *testing.T) {
	t.Parallel()
	s := silentTLS(t, 0)
	start := time.Now()
	_, err := Connect(s.url(), Timeout(100*time.Millisecond))
	require.ErrorIs(t, err, ErrTLS)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, stepTLS+" "+s.url())
	require.Less(t, time.Since(start), patience)
}

// Close does not wait for a TLS handshake that is under way, and nor does anything
// else.
func TestCloseEndsTLSHandshake(t *testing.T) {
	t.Parallel()
	s := silentTLS(t, 1)
	nc := connectTo(t, s.url(), append(fast(), quiet(), Timeout(time.Hour))...)
	soon(t, func() bool { return nc.Stats().Reconnects == 1 }, "second server")
	require.NoError(t, nc.Publish("foo", nil))
	require.Equal(t, RECONNECTING, nc.Status())
	nc.Close()
	got(t, nc.done, "end")
}

package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is for what must happen; it is never waited out in a good run.
const patience = 60 * time.Second

func testCtx(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// server is an upstream that hands out the connections it accepts.
type server struct {
	addr  string
	conns chan *net.TCPConn
}

func newServer(t *testing.T) *server {
	t.Helper()
	ln, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	s := &server{addr: ln.Addr().String(), conns: make(chan *net.TCPConn, 100)}
	var all []*net.TCPConn
	var wg sync.WaitGroup
	// Owned by the test; ends when its listener is closed.
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			all = append(all, c.(*net.TCPConn))
			s.conns <- c.(*net.TCPConn)
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
		for _, c := range all {
			_ = c.Close()
		}
	})
	return s
}

// accept waits for the next connection. It is closed when the test ends, before
// the proxy, which else would wait for that.
func (s *server) accept(t *testing.T) *net.TCPConn {
	t.Helper()
	select {
	case c := <-s.conns:
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		return c
	case <-time.After(patience):
		require.FailNow(t, "no connection has come to the server")
		return nil
	}
}

// dial connects to an address; the connection is closed when the test ends.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c.(*net.TCPConn)
}

// rig is a client and a server with the proxy between them.
type rig struct {
	p      *Proxy
	srv    *server
	client *net.TCPConn
	server *net.TCPConn
	conn   *Conn
}

func newRig(t *testing.T, opts ...Option) *rig {
	t.Helper()
	r := &rig{srv: newServer(t)}
	r.p = Run(t, r.srv.addr, opts...)
	r.connect(t)
	return r
}

// connect makes the next connection the rig's.
func (r *rig) connect(t *testing.T) {
	t.Helper()
	r.client = dial(t, r.p.Addr())
	r.server = r.srv.accept(t)
	r.conn = r.p.Last()
}

// ends returns the sending and the receiving end of a direction.
func (r *rig) ends(dir Direction) (from, to *net.TCPConn) {
	if dir == Down {
		return r.server, r.client
	}
	return r.client, r.server
}

// pass sends b and waits until it has come out at the other end.
func (r *rig) pass(t *testing.T, dir Direction, b []byte) {
	t.Helper()
	from, to := r.ends(dir)
	// A receiver can be quicker than the proxy's bookkeeping.
	waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Held() == 0 })
	before := traffic(r.conn, dir).Forwarded
	write(t, from, b)
	require.Equal(t, b, readN(t, to, len(b)))
	waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Forwarded == before+int64(len(b)) })
}

func traffic(c *Conn, dir Direction) Traffic {
	if s := c.Stats(); dir == Up {
		return s.Up
	} else {
		return s.Down
	}
}

func waitTraffic(t *testing.T, c *Conn, dir Direction, cond func(Traffic) bool) {
	t.Helper()
	require.NoError(t, c.Wait(testCtx(t), func(s ConnStats) bool {
		if dir == Up {
			return cond(s.Up)
		}
		return cond(s.Down)
	}))
}

func waitDone(t *testing.T, c *Conn) {
	t.Helper()
	select {
	case <-c.Done():
	case <-time.After(patience):
		require.FailNow(t, "the connection has not ended")
	}
}

func write(t *testing.T, c net.Conn, b []byte) {
	t.Helper()
	_, err := c.Write(b)
	require.NoError(t, err)
}

// writeAside writes b in a goroutine and returns its outcome. The goroutine
// ends with the write; the connection has a deadline.
func writeAside(c net.Conn, b []byte) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.Write(b)
		done <- err
	}()
	return done
}

func readN(t *testing.T, c net.Conn, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	return b
}

// outcome is how a connection ends for a reader.
type outcome string

const (
	sawEOF   outcome = "EOF"
	sawReset outcome = "reset"
)

// readToEnd reads all there is and says how it ended.
func readToEnd(t *testing.T, c net.Conn) ([]byte, outcome) {
	t.Helper()
	b, err := io.ReadAll(c)
	switch {
	case err == nil:
		return b, sawEOF
	case errors.Is(err, syscall.ECONNRESET):
		return b, sawReset
	}
	require.NoError(t, err, "after %d bytes", len(b))
	return nil, ""
}

// dialToEnd connects, reads to the end and says how it ended. A reset that
// comes quickly is seen by connect already.
func dialToEnd(t *testing.T, addr string) outcome {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if errors.Is(err, syscall.ECONNRESET) {
		return sawReset
	}
	require.NoError(t, err)
	defer func() { _ = c.Close() }()
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, how := readToEnd(t, c)
	return how
}

// pattern is n bytes without a short period, so that a byte lost or doubled
// shows. A shorter pattern is the beginning of a longer one.
func pattern(n int) []byte {
	out := make([]byte, 0, n)
	for len(out) < n {
		out = append(out, period()[:min(1_000_003, n-len(out))]...)
	}
	return out
}

var period = sync.OnceValue(func() []byte {
	b := make([]byte, 1_000_003)
	x := uint32(2463534242)
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
})

// requireSame is require.Equal without megabytes of output.
func requireSame(t *testing.T, want, got []byte) {
	t.Helper()
	require.Equal(t, len(want), len(got))
	require.True(t, bytes.Equal(want, got), "same length, other bytes")
}

// directions runs a test for Up and for Down.
func directions(t *testing.T, f func(t *testing.T, dir Direction)) {
	t.Parallel()
	for name, dir := range map[string]Direction{"Up": Up, "Down": Down} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, dir)
		})
	}
}

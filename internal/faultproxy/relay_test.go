package faultproxy

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRelayEcho(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	// Owned by the test; ends when the client has sent its FIN.
	echoed := make(chan error, 1)
	go func() {
		_, err := io.Copy(struct{ io.Writer }{r.server}, r.server)
		_ = r.server.CloseWrite()
		echoed <- err
	}()
	data := pattern(1 << 20)
	wrote := make(chan error, 1)
	// Ends with the write.
	go func() {
		_, err := r.client.Write(data)
		_ = r.client.CloseWrite()
		wrote <- err
	}()
	got, how := readToEnd(t, r.client)
	require.NoError(t, <-wrote)
	require.NoError(t, <-echoed)
	require.Equal(t, sawEOF, how)
	requireSame(t, data, got)
	waitDone(t, r.conn)

	n := int64(len(data))
	all := Traffic{Read: n, Forwarded: n}
	require.Equal(t, ConnStats{Up: all, Down: all, Ended: true}, r.conn.Stats())
	require.Equal(t, Stats{Accepted: 1, Up: all, Down: all}, r.p.Stats())
}

func TestRelayPassesFINInOneDirection(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		from, to := r.ends(dir)
		write(t, from, []byte("last words"))
		require.NoError(t, from.CloseWrite())
		got, how := readToEnd(t, to)
		require.Equal(t, sawEOF, how)
		require.Equal(t, "last words", string(got))
		// The other direction is still open.
		r.pass(t, Both^dir, pattern(1000))
		require.False(t, r.conn.Stats().Ended)
		require.NoError(t, to.CloseWrite())
		_, how = readToEnd(t, from)
		require.Equal(t, sawEOF, how)
		waitDone(t, r.conn)
	})
}

func TestRelayPassesReset(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		r.pass(t, dir, []byte("hello"))
		from, to := r.ends(dir)
		require.NoError(t, from.SetLinger(0))
		require.NoError(t, from.Close())
		_, how := readToEnd(t, to)
		require.Equal(t, sawReset, how)
		waitDone(t, r.conn)
	})
}

func TestServerGoesWhileClientWrites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.server.SetLinger(0))
	wrote := writeAside(r.client, pattern(8<<20))
	require.NoError(t, r.p.WaitUp(testCtx(t), 100_000))
	require.NoError(t, r.server.Close())
	// The client learns of it while reading, with what it still writes swallowed
	// until it closes, or by a reset.
	_, _ = readToEnd(t, r.client)
	require.NoError(t, r.client.Close())
	<-wrote
	waitDone(t, r.conn)
	tr := r.conn.Stats().Up
	require.Zero(t, tr.Held())
}

// A server that has closed is found out by the client's next bytes, also when
// its FIN has been passed on long before.
func TestServerGoneEndsTheConnection(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.server.Close())
	_, how := readToEnd(t, r.client)
	require.Equal(t, sawEOF, how)
	require.Eventually(t, func() bool {
		_, _ = r.client.Write([]byte("x"))
		return r.conn.Stats().Ended
	}, patience, 5*time.Millisecond)
}

func TestUpstreamDown(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	closed, err := listen("127.0.0.1:0")
	require.NoError(t, err)
	nobody := closed.Addr().String()
	require.NoError(t, closed.Close())

	p := Run(t, nobody)
	require.Equal(t, sawReset, dialToEnd(t, p.Addr()))
	require.NoError(t, p.WaitOpen(testCtx(t), 0))
	require.Equal(t, Stats{Accepted: 1, DialFailed: 1}, p.Stats())

	p.SetUpstream("nats://" + srv.addr)
	r := &rig{p: p, srv: srv}
	r.connect(t)
	r.pass(t, Up, []byte("PING\r\n"))
	require.Equal(t, 2, r.conn.ID())
}

func TestSetUpstreamLeavesOpenConnections(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := newServer(t)
	r.p.SetUpstream(other.addr)
	second := dial(t, r.p.Addr())
	write(t, second, []byte("two"))
	require.Equal(t, "two", string(readN(t, other.accept(t), 3)))
	r.pass(t, Up, []byte("one"))
}

func TestConns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.conn
	r.connect(t)
	second := r.conn
	require.Equal(t, []*Conn{first, second}, r.p.Conns())
	require.Equal(t, r.client.LocalAddr().String(), second.ClientAddr().String())
	require.Equal(t, []int{1, 2}, []int{first.ID(), second.ID()})

	first.Faults().Cut(FIN)
	require.Equal(t, []*Conn{second}, r.p.Conns())
	require.Equal(t, 1, r.p.Stats().Open)
	r.pass(t, Up, []byte("still here"))
	require.Zero(t, first.Stats().Up.Read)
	require.EqualValues(t, 10, second.Stats().Up.Forwarded)
	require.EqualValues(t, 10, r.p.Stats().Up.Forwarded)
}

func TestURL(t *testing.T) {
	t.Parallel()
	p := Run(t, "127.0.0.1:1")
	host, port, err := net.SplitHostPort(p.Addr())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
	require.Equal(t, "nats://127.0.0.1:"+port, p.URL())
}

func TestWaitErrors(t *testing.T) {
	t.Parallel()
	p, err := New("127.0.0.1:1")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, p.WaitUp(ctx, 1), context.Canceled)
	require.ErrorIs(t, p.WaitDown(ctx, 1), context.Canceled)
	require.NoError(t, p.WaitUp(ctx, 0), "what is true already needs no context")

	failed := make(chan error, 1)
	// Ends with the proxy.
	go func() { failed <- p.WaitAccepted(context.Background(), 1) }()
	p.Close()
	require.ErrorIs(t, <-failed, net.ErrClosed)
	require.ErrorIs(t, p.SetAccept(Refuse), net.ErrClosed)
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pass(t, Up, []byte("hello"))
	start := time.Now()
	r.p.Close()
	require.Less(t, time.Since(start), lingerFor, "Close does not wait for peers that stay")
	waitDone(t, r.conn)
	_, how := readToEnd(t, r.client)
	assert.Equal(t, sawEOF, how)
	_, how = readToEnd(t, r.server)
	assert.Equal(t, sawEOF, how)
	_, err := net.DialTimeout("tcp", r.p.Addr(), time.Second)
	require.Error(t, err)
	require.Zero(t, r.p.Stats().Open)
	r.p.Close()
}

func TestCloseWithEveryFaultInForce(t *testing.T) {
	t.Parallel()
	faults := map[string]func(Faults){
		"StopReading":  func(f Faults) { f.StopReading(Both) },
		"Hold":         func(f Faults) { f.StopForwarding(Both, Hold) },
		"Drop":         func(f Faults) { f.StopForwarding(Both, Drop) },
		"Delay":        func(f Faults) { f.Delay(Both, time.Hour) },
		"Throttle":     func(f Faults) { f.Throttle(Both, 1) },
		"CutAfter":     func(f Faults) { f.CutAfter(Both, 1<<40, RST) },
		"CutFrame":     func(f Faults) { f.CutFrame(Both, FrameCut{Nth: 1000}) },
		"HalfClose":    func(f Faults) { f.HalfClose(Up) },
		"full sockets": func(Faults) {},
	}
	for name, inject := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, HoldLimit(1<<20))
			inject(r.p.Live())
			up := writeAside(r.client, pattern(8<<20))
			down := writeAside(r.server, pattern(8<<20))
			closed := make(chan struct{})
			// Ends with Close, which is what is tested.
			go func() { r.p.Close(); close(closed) }()
			select {
			case <-closed:
			case <-time.After(patience):
				require.FailNow(t, "Close hangs")
			}
			require.True(t, r.conn.Stats().Ended)
			_ = r.client.Close()
			_ = r.server.Close()
			<-up
			<-down
		})
	}
}

type fakeTB struct{ failed bool }

func (*fakeTB) Helper()                 {}
func (*fakeTB) Cleanup(func())          {}
func (f *fakeTB) Fatalf(string, ...any) { f.failed = true }

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	for _, o := range []Option{HoldLimit(0), HoldLimit(minHold - 1), SocketBuffers(-1)} {
		tb := &fakeTB{}
		require.Nil(t, Run(tb, "127.0.0.1:1", o))
		require.True(t, tb.failed)
	}
}

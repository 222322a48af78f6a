package faultproxy

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRefuse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for range 5 {
		require.NoError(t, r.p.SetAccept(Refuse))
		require.NoError(t, r.p.SetAccept(Refuse), "a second time is no change")
		for range 20 {
			_, err := net.Dial("tcp", r.p.Addr())
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		}
		r.pass(t, Up, []byte("open ones go on"))
		require.NoError(t, r.p.SetAccept(Relay))
		require.NoError(t, r.p.SetAccept(Relay))
		r.connect(t)
		r.pass(t, Up, []byte("hello"))
	}
	require.Equal(t, 6, r.p.Stats().Accepted)
}

// SetAccept waits for a port that somebody else has taken meanwhile.
func TestReopenRetries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.p.SetAccept(Refuse))
	taken, err := listen(r.p.Addr())
	require.NoError(t, err)
	opened := make(chan error, 1)
	// Ends with SetAccept.
	go func() { opened <- r.p.SetAccept(Relay) }()
	select {
	case err := <-opened:
		require.FailNow(t, "the port was taken", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, taken.Close())
	require.NoError(t, <-opened)
	r.connect(t)
	r.pass(t, Up, []byte("hello"))
}

func TestCloseWhileReopening(t *testing.T) {
	t.Parallel()
	p, err := New("127.0.0.1:1")
	require.NoError(t, err)
	require.NoError(t, p.SetAccept(Refuse))
	taken, err := listen(p.Addr())
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	opened := make(chan error, 1)
	// Ends with SetAccept.
	go func() { opened <- p.SetAccept(Relay) }()
	require.Eventually(t, func() bool { return len(p.turn) == 1 }, patience, 5*time.Millisecond)
	p.Close()
	require.ErrorIs(t, <-opened, net.ErrClosed)
}

func TestAcceptAndClose(t *testing.T) {
	t.Parallel()
	for mode, want := range map[AcceptMode]outcome{CloseAtOnce: sawEOF, ResetAtOnce: sawReset} {
		r := newRig(t)
		require.NoError(t, r.p.SetAccept(mode))
		for range 3 {
			require.Equal(t, want, dialToEnd(t, r.p.Addr()))
		}
		require.Equal(t, r.conn, r.p.Last())
		r.pass(t, Up, []byte("open ones go on"))
		require.NoError(t, r.p.SetAccept(Relay))
		r.connect(t)
		r.pass(t, Up, []byte("hello"))
		require.Equal(t, 2, r.conn.ID())
		s := r.p.Stats()
		require.Equal(t, []int{5, 3, 2}, []int{s.Accepted, s.Rejected, s.Open})
		require.Empty(t, r.srv.conns, "the server has heard nothing of the others")
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.p.SetAccept(Silent))
	c := dial(t, r.p.Addr())
	require.NoError(t, r.p.WaitAccepted(testCtx(t), 2))
	silent := r.p.Last()
	write(t, c, pattern(1_000_000))
	waitTraffic(t, silent, Up, func(tr Traffic) bool { return tr.Dropped == 1_000_000 })
	require.NoError(t, c.CloseWrite())
	_, how := readToEnd(t, c)
	require.Equal(t, sawEOF, how)
	waitDone(t, silent)

	c = dial(t, r.p.Addr())
	require.NoError(t, r.p.WaitAccepted(testCtx(t), 3))
	r.p.Last().Faults().Cut(RST)
	_, how = readToEnd(t, c)
	require.Equal(t, sawReset, how)

	c = dial(t, r.p.Addr())
	require.NoError(t, r.p.WaitAccepted(testCtx(t), 4))
	require.Equal(t, 2, r.p.Stats().Open)
	r.p.Close()
	_, how = readToEnd(t, c)
	require.Equal(t, sawEOF, how)
	require.Empty(t, r.srv.conns)
}

// Scopes without a gap: a connection that comes while All is called is cut,
// either as an open one or as a later one.
func TestAllHasNoGap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	dialled := make(chan []net.Conn, 1)
	// Ends after its dials.
	go func() {
		var conns []net.Conn
		for range 30 {
			if c, err := net.Dial("tcp", r.p.Addr()); err == nil {
				conns = append(conns, c)
			}
		}
		dialled <- conns
	}()
	require.NoError(t, r.p.WaitAccepted(testCtx(t), 10))
	r.p.All().Cut(FIN)
	conns := <-dialled
	require.Len(t, conns, 30)
	require.NoError(t, r.p.WaitAccepted(testCtx(t), 31))
	require.NoError(t, r.p.WaitOpen(testCtx(t), 0))
	for _, c := range conns {
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		_, how := readToEnd(t, c)
		require.Equal(t, sawEOF, how)
		require.NoError(t, c.Close())
	}
}

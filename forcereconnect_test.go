package nats

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// It makes a new session at once, whatever the pauses are, also where the connection
// does not reconnect by itself.
func TestForceReconnect(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Option{"long pauses": ReconnectWait(time.Hour), "no reconnect": NoReconnect()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lost, onLost := lossEvents()
			back, onBack := connEvents()
			_, nc := connect(t, onLost, ReconnectHandler(onBack), opt)
			first, err := nc.GetClientID()
			require.NoError(t, err)
			s, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			require.NoError(t, nc.ForceReconnect())
			require.NoError(t, nc.Publish("foo", []byte("x")))
			require.NoError(t, got(t, lost, "loss"))
			got(t, back, "reconnect")
			second, err := nc.GetClientID()
			require.NoError(t, err)
			require.NotEqual(t, first, second)
			_, err = s.NextMsg(patience)
			require.NoError(t, err)
			require.EqualValues(t, 1, nc.Stats().Reconnects)
			require.NoError(t, nc.LastError())
		})
	}
}

// Many calls make one reconnect.
func TestForceReconnectTenTimes(t *testing.T) {
	t.Parallel()
	back, onBack := connEvents()
	hold := newGate(t)
	s := scripted(t, func(p *peerConn) {
		if p.n == 1 {
			hold.wait() // the new session begins behind the last call
		}
		p.welcome()
		p.serve(nil)
	})
	nc := connectTo(t, s.url(), append(fast(), ReconnectHandler(onBack))...)
	for range 10 {
		require.NoError(t, nc.ForceReconnect())
		require.Equal(t, RECONNECTING, nc.Status())
	}
	hold.open()
	got(t, back, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	require.EqualValues(t, 1, nc.Stats().Reconnects)
	require.Empty(t, back)
}

// What was not sent goes to the next server.
func TestForceReconnectLosesNothingUnsent(t *testing.T) {
	t.Parallel()
	d := newBreakableDialer()
	_, nc := connect(t, append(fast(), SetCustomDialer(d))...)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.FlushTimeout(patience))
	d.stallWrites()
	for i := range 100 {
		require.NoError(t, nc.Publish("foo", []byte(strconv.Itoa(i))))
	}
	require.NoError(t, nc.ForceReconnect())
	for i := range 100 {
		m, err := s.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
	}
}

// A Flush behind it waits for the next session.
func TestFlushAfterForceReconnect(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, fast()...)
	for range 20 {
		require.NoError(t, nc.ForceReconnect())
		require.NoError(t, nc.FlushTimeout(patience))
	}
	require.EqualValues(t, 20, nc.Stats().Reconnects)
}

// Close and ForceReconnect at the same moment: it is closed.
func TestForceReconnectAndClose(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	for range 30 {
		lost, onLost := lossEvents()
		closed, onClosed := connEvents()
		nc := connectTo(t, s.URL(), append(fast(), onLost, ClosedHandler(onClosed))...)
		done := make(chan struct{})
		go func() { // ends at once
			_ = nc.ForceReconnect()
			close(done)
		}()
		nc.Close()
		got(t, done, "ForceReconnect")
		got(t, closed, "close")
		require.Equal(t, CLOSED, nc.Status())
		require.LessOrEqual(t, len(lost), 2)
	}
}

// Calls that wait for the server are told.
func TestForceReconnectReleasesWhatWaits(t *testing.T) {
	t.Parallel()
	peers := make(chan *peerConn, 10)
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		peers <- p
		p.await() // no PONG, no reply
	})
	nc := connectTo(t, s.url(), fast()...)
	got(t, peers, "session")
	results := make(chan error, 2)
	go func() { results <- nc.FlushTimeout(patience) }() // both end with ForceReconnect
	go func() { _, err := nc.Request("foo", nil, patience); results <- err }()
	soon(t, func() bool {
		nc.requests.mu.Lock()
		defer nc.requests.mu.Unlock()
		nc.pings.mu.Lock()
		defer nc.pings.mu.Unlock()
		return len(nc.requests.waiting) == 1 && len(nc.pings.fifo) == 1
	}, "both wait")
	require.NoError(t, nc.ForceReconnect())
	require.ErrorIs(t, got(t, results, "result"), ErrConnectionClosed)
	require.ErrorIs(t, got(t, results, "result"), ErrConnectionClosed)
}

// A request that it ends while its message is unsent is not sent late.
func TestForceReconnectWithdrawsRequests(t *testing.T) {
	t.Parallel()
	d := newBreakableDialer()
	_, nc := connect(t, append(fast(), SetCustomDialer(d))...)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.FlushTimeout(patience))
	d.stallWrites()
	require.NoError(t, nc.Publish("foo", []byte("the writer has it")))
	soon(t, func() bool {
		nc.out.mu.Lock()
		defer nc.out.mu.Unlock()
		return nc.out.inHand == nc.out.tail // not only the PING of the flush
	}, "the writer has it")
	ended := make(chan error, 1)
	go func() { // ends with ForceReconnect
		_, err := nc.Request("foo", []byte("nobody waits for the answer"), patience)
		ended <- err
	}()
	soon(t, func() bool { return nc.BufferStats().Msgs == 2 }, "not published")
	require.NoError(t, nc.ForceReconnect())
	require.ErrorIs(t, got(t, ended, "request"), ErrConnectionClosed)
	require.EqualValues(t, 1, nc.BufferStats().Withdrawn)
	require.NoError(t, nc.Publish("foo", []byte("behind")))
	for _, want := range []string{"the writer has it", "behind"} {
		m, err := s.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Data))
	}
}

// It ends the present pause, and only that.
func TestForceReconnectEndsThePause(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	pauses := make(chan int, 100)
	failed := make(chan error, 100)
	s, nc := connect(t, onLost, MaxReconnects(-1), ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }),
		CustomReconnectDelay(func(n int) time.Duration { pauses <- n; return time.Hour }))
	s.Stop()
	got(t, lost, "loss")
	for want := 1; want <= 3; want++ {
		require.Equal(t, want, got(t, pauses, "pause"))
		soon(t, func() bool { nc.mu.Lock(); defer nc.mu.Unlock(); return nc.pause != nil }, "pause")
		require.NoError(t, nc.ForceReconnect())
		require.Error(t, got(t, failed, "failed attempt"))
	}
	require.Equal(t, 4, got(t, pauses, "pause"))
	require.NoError(t, s.Start())
	soon(t, func() bool { nc.mu.Lock(); defer nc.mu.Unlock(); return nc.pause != nil }, "pause")
	require.NoError(t, nc.ForceReconnect())
	soon(t, nc.IsConnected, "connection")
}

func TestForceReconnectErrors(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 1)
	require.NoError(t, nc.Drain())
	require.ErrorIs(t, nc.ForceReconnect(), ErrConnectionDraining)
	_, err = s.NextMsg(patience)
	require.NoError(t, err)
	soon(t, nc.IsClosed, "close")
	require.ErrorIs(t, nc.ForceReconnect(), ErrConnectionClosed)
}

// It may be called in every handler.
func TestForceReconnectInHandlers(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	back, onBack := connEvents()
	nc := connectTo(t, srv.URL(), append(fast(), ReconnectHandler(onBack),
		ConnectHandler(func(nc *Conn) { _ = nc.ForceReconnect() }))...)
	got(t, back, "reconnect")
	_, err := nc.Subscribe("foo", func(m *Msg) { _ = m.Sub.conn.ForceReconnect() })
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", nil))
	got(t, back, "reconnect")
}

// After a failed write the first attempt comes at once if the option says so.
func TestReconnectOnFlusherErrorSkipsThePause(t *testing.T) {
	t.Parallel()
	back, onBack := connEvents()
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		p.serve(nil)
	})
	broken := newBreakableDialer()
	nc := connectTo(t, s.url(), quiet(), SetCustomDialer(broken), ReconnectHandler(onBack),
		ReconnectWait(time.Hour), ReconnectOnFlusherError())
	broken.breakWrites()
	require.NoError(t, nc.Publish("foo", nil))
	got(t, back, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
}

// Without reconnects a failed write closes the connection, with or without the option.
func TestFailedWriteWithoutReconnectCloses(t *testing.T) {
	t.Parallel()
	for _, opt := range []Option{ReconnectOnFlusherError(), nil} {
		closed, onClosed := connEvents()
		errs, onErr := errEvents()
		s := scripted(t, func(p *peerConn) {
			p.welcome()
			p.serve(nil)
		})
		broken := newBreakableDialer()
		nc := connectTo(t, s.url(), onErr, SetCustomDialer(broken), ClosedHandler(onClosed), NoReconnect(), opt)
		broken.breakWrites()
		require.NoError(t, nc.Publish("foo", nil))
		got(t, closed, "close")
		require.ErrorIs(t, nc.LastError(), errBroken)
		require.ErrorIs(t, got(t, errs, "error event"), errBroken)
	}
}

// The request's own context ends the wait as ever.
func TestRequestAfterForceReconnect(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, fast()...)
	_, err := nc.Subscribe("echo", func(m *Msg) { _ = m.Respond(m.Data) })
	require.NoError(t, err)
	_, err = nc.Request("echo", nil, patience)
	require.NoError(t, err)
	require.NoError(t, nc.ForceReconnect())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := nc.RequestWithContext(ctx, "echo", []byte("again"))
	require.NoError(t, err)
	require.Equal(t, "again", string(m.Data))
}

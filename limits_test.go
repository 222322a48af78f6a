package nats

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// inOutage connects, and takes the server away.
func inOutage(t *testing.T, opts ...Option) (*testserver.Server, *Conn) {
	t.Helper()
	lost, onLost := lossEvents()
	_, silent := errEvents()
	s, nc := connect(t, append(append(fast(), onLost, silent), opts...)...)
	s.Stop()
	got(t, lost, "loss")
	return s, nc
}

// waitingForRoom reports whether a publish waits.
func waitingForRoom(nc *Conn) func() bool {
	return func() bool {
		nc.out.mu.Lock()
		defer nc.out.mu.Unlock()
		return nc.out.room != nil
	}
}

// wantReplayed waits until the writer has accounted for what it sent.
func wantReplayed(t *testing.T, nc *Conn, n uint64) {
	t.Helper()
	soon(t, func() bool { return nc.BufferStats().Replayed == n }, "not %d replayed", n)
}

func TestReconnectBufLimits(t *testing.T) {
	t.Parallel()
	frame := len("PUB foo 10\r\n0123456789\r\n")
	for _, tc := range []struct {
		name        string
		bytes, msgs int
		want        int // messages that are taken
	}{
		{"messages only, exact", 0, 5, 5},
		{"one message", 0, 1, 1},
		{"bytes only, the last one may pass", 3*frame + 1, 0, 4},
		{"bytes only, on the byte", 3 * frame, 0, 3},
		{"both, bytes first", 2 * frame, 5, 2},
		{"both, messages first", 10 * frame, 5, 5},
		{"off", -1, 5, 0},
		{"negative number of messages is no limit", 4 * frame, -1, 4},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, nc := inOutage(t, ReconnectBufSize(tc.bytes), ReconnectBufMsgs(tc.msgs))
			taken := 0
			for range 20 {
				if err := nc.Publish("foo", []byte("0123456789")); err != nil {
					require.ErrorIs(t, err, ErrReconnectBufExceeded)
					continue
				}
				taken++
			}
			require.Equal(t, tc.want, taken)
			st := nc.BufferStats()
			require.Less(t, st.OldestAge, patience)
			st.OldestAge = 0
			require.Equal(t, BufferStats{
				Msgs: taken, Bytes: taken * frame, MaxMsgs: taken, MaxBytes: taken * frame,
				Buffered: uint64(taken), Rejected: uint64(20 - taken),
			}, st)
			n, err := nc.Buffered()
			require.NoError(t, err)
			require.Equal(t, st.Bytes, n)
		})
	}
}

// Flushes and subscriptions during an outage count towards no limit and make the
// buffer no larger.
func TestControlFramesAreNotBuffered(t *testing.T) {
	t.Parallel()
	_, nc := inOutage(t, ReconnectBufMsgs(2))
	for range 100 {
		require.ErrorIs(t, nc.FlushTimeout(time.Microsecond), ErrTimeout)
		sub, err := nc.SubscribeSync("bar")
		require.NoError(t, err)
		require.NoError(t, sub.AutoUnsubscribe(3))
	}
	require.Zero(t, nc.BufferStats().Bytes)
	require.NoError(t, nc.Publish("foo", nil))
	require.NoError(t, nc.Publish("foo", nil))
	require.ErrorIs(t, nc.Publish("foo", nil), ErrReconnectBufExceeded)
}

func TestOverflowBlock(t *testing.T) {
	t.Parallel()
	full := func(t *testing.T, opts ...Option) (*testserver.Server, *Conn) {
		s, nc := inOutage(t, append(opts, ReconnectBufMsgs(1), ReconnectBufOverflow(OverflowBlock))...)
		require.NoError(t, nc.Publish("foo", []byte("first")))
		return s, nc
	}
	waiting := func(t *testing.T, nc *Conn, publish func() error) <-chan error {
		result := make(chan error, 1)
		go func() { result <- publish() }() // ends with what the test does next
		soon(t, waitingForRoom(nc), "the publish does not wait")
		require.Empty(t, result)
		return result
	}
	t.Run("until there is a server", func(t *testing.T) {
		t.Parallel()
		s, nc := full(t)
		result := waiting(t, nc, func() error { return nc.Publish("foo", []byte("second")) })
		require.NoError(t, s.Start())
		require.NoError(t, got(t, result, "publish"))
		require.NoError(t, nc.FlushTimeout(patience))
		require.EqualValues(t, 2, nc.Stats().OutMsgs)
	})
	t.Run("until the connection is closed", func(t *testing.T) {
		t.Parallel()
		_, nc := full(t)
		result := waiting(t, nc, func() error { return nc.Publish("foo", nil) })
		nc.Close()
		require.ErrorIs(t, got(t, result, "publish"), ErrConnectionClosed)
	})
	t.Run("until the context ends", func(t *testing.T) {
		t.Parallel()
		_, nc := full(t)
		ctx, cancel := context.WithCancel(t.Context())
		result := waiting(t, nc, func() error { return nc.PublishWithContext(ctx, "foo", nil) })
		cancel()
		require.ErrorIs(t, got(t, result, "publish"), context.Canceled)
		require.Equal(t, 1, nc.BufferStats().Msgs)
	})
	t.Run("until room is made", func(t *testing.T) {
		t.Parallel()
		_, nc := full(t)
		result := waiting(t, nc, func() error {
			return nc.PublishMsgWithContext(t.Context(), &Msg{Subject: "foo", Data: []byte("second")})
		})
		require.Len(t, nc.PurgeBuffer(), 1)
		require.NoError(t, got(t, result, "publish"))
	})
	t.Run("not with the buffer off", func(t *testing.T) {
		t.Parallel()
		_, nc := inOutage(t, ReconnectBufSize(-1), ReconnectBufOverflow(OverflowBlock))
		require.ErrorIs(t, nc.Publish("foo", nil), ErrReconnectBufExceeded)
	})
	t.Run("connected, while the socket is behind", func(t *testing.T) {
		t.Parallel()
		s := scripted(t, func(p *peerConn) {
			if _, ok := p.welcome(); ok {
				<-t.Context().Done() // reads nothing
			}
		})
		nc := connectTo(t, s.url(), ReconnectBufSize(100), FlusherTimeout(0))
		nc.setHandler(func(o *Options) { o.Timeout = 10 * time.Millisecond }) // for Close
		ctx, cancel := context.WithCancel(t.Context())
		result := waiting(t, nc, func() error {
			for {
				if err := nc.PublishWithContext(ctx, "foo", make([]byte, 100_000)); err != nil {
					return err
				}
			}
		})
		cancel()
		require.ErrorIs(t, got(t, result, "publish"), context.Canceled)
	})
}

func TestUnknownOverflowPolicy(t *testing.T) {
	t.Parallel()
	_, err := Connect("nats://127.0.0.1:1", ReconnectBufOverflow(99))
	require.ErrorIs(t, err, ErrInvalidArg)
}

func TestReconnectBufFilter(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	var nc *Conn
	ready := make(chan struct{})
	s, nc := inOutage(t, ReconnectBufFilter(func(subject string) bool {
		<-ready
		asked.Add(1)
		_ = nc.BufferStats() // runs under no lock
		return !strings.HasPrefix(subject, "live.")
	}))
	close(ready)
	require.ErrorIs(t, nc.Publish("live.price", []byte("x")), ErrDisconnected)
	require.NoError(t, nc.Publish("orders", []byte("x")))
	require.EqualValues(t, 2, asked.Load())
	require.Equal(t, 1, nc.BufferStats().Msgs)
	require.EqualValues(t, 1, nc.BufferStats().Rejected)
	require.NoError(t, s.Start())
	require.NoError(t, nc.FlushTimeout(patience))
	require.NoError(t, nc.Publish("live.price", []byte("x")), "with a server nothing is filtered")
	require.EqualValues(t, 2, asked.Load())
}

func TestNoBuffer(t *testing.T) {
	t.Parallel()
	s, nc := inOutage(t)
	m := &Msg{Subject: "foo"}
	require.ErrorIs(t, nc.PublishMsgWithContext(t.Context(), m, NoBuffer()), ErrDisconnected)
	require.NoError(t, nc.PublishMsgWithContext(t.Context(), m))
	require.NoError(t, s.Start())
	require.NoError(t, nc.FlushTimeout(patience))
	require.NoError(t, nc.PublishMsgWithContext(t.Context(), m, NoBuffer()))
}

func TestPublishWithContextArguments(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	var noContext context.Context
	done, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, nc.PublishWithContext(noContext, "foo", nil), ErrInvalidContext)
	require.ErrorIs(t, nc.PublishWithContext(done, "foo", nil), context.Canceled)
	require.ErrorIs(t, nc.PublishMsgWithContext(t.Context(), nil), ErrInvalidMsg)
	require.ErrorIs(t, nc.PublishMsgWithContext(noContext, &Msg{}), ErrInvalidContext)
	require.ErrorIs(t, nc.PublishMsgWithContext(done, &Msg{Subject: "foo"}), context.Canceled)
	require.ErrorIs(t, nc.PublishMsgWithContext(t.Context(), &Msg{Subject: "foo", Header: Header{"a b": nil}}), ErrBadHeaderMsg)
	require.ErrorIs(t, nc.PublishWithContext(t.Context(), "a b", nil), ErrBadSubject)
	require.Zero(t, nc.Stats().OutMsgs)
	require.NoError(t, nc.PublishWithContext(t.Context(), "foo", nil))
}

func TestPurgeBuffer(t *testing.T) {
	t.Parallel()
	s, nc := inOutage(t)
	require.Nil(t, nc.PurgeBuffer())
	want := []*Msg{
		{Subject: "a", Data: []byte("plain")},
		{Subject: "b", Reply: "r", Data: []byte{}},
		{Subject: "c", Header: Header{"k": {"v", "w"}}, Data: []byte("with\r\nlines")},
		{Subject: "d", Reply: "r", Header: Header{"k": {"v"}}, Data: make([]byte, 200_000)},
	}
	for _, m := range want {
		require.NoError(t, nc.PublishMsg(m))
	}
	msgs := nc.PurgeBuffer()
	require.Len(t, msgs, len(want))
	for i, m := range msgs {
		require.True(t, m.Equal(want[i]), "message %d", i)
	}
	st := nc.BufferStats()
	require.Zero(t, st.Msgs)
	require.Zero(t, st.Bytes)
	require.EqualValues(t, 4, st.Purged)
	nc.out.mu.Lock()
	require.Nil(t, nc.out.head, "memory is kept")
	nc.out.mu.Unlock()
	sub, err := nc.SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("after", nil))
	require.NoError(t, s.Start())
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "after", m.Subject, "what was purged is not sent")
}

// The counters over an outage: what was held, what was sent later, and what the
// kernel had without an answer when the connection broke.
func TestBufferStatsOverAnOutage(t *testing.T) {
	t.Parallel()
	peers := make(chan *peerConn, 10)
	var answer, away atomic.Bool
	s := scripted(t, func(p *peerConn) {
		if away.Load() {
			return
		}
		if _, ok := p.welcome(); !ok {
			return
		}
		peers <- p
		for {
			f, ok := p.frame()
			if !ok {
				return
			}
			if f.op == "PING" && answer.Load() {
				p.say("PONG\r\n")
			}
		}
	})
	lost, onLost := lossEvents()
	_, silent := errEvents()
	nc := connectTo(t, s.url(), append(fast(), onLost, silent)...)
	answer.Store(true)
	for range 10 {
		require.NoError(t, nc.Publish("foo", nil))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, BufferStats{}, nc.BufferStats())
	answer.Store(false)
	for range 3 {
		require.NoError(t, nc.Publish("foo", nil))
	}
	soon(t, func() bool { return nc.BufferStats().Msgs == 0 }, "not sent")
	away.Store(true)
	got(t, peers, "connection").cut()
	got(t, lost, "loss")
	answer.Store(true)
	for range 5 {
		require.NoError(t, nc.Publish("foo", nil))
	}
	st := nc.BufferStats()
	require.EqualValues(t, 3, st.InDoubt, "sent, and no PONG behind them")
	require.EqualValues(t, 5, st.Buffered)
	away.Store(false)
	require.NoError(t, nc.FlushTimeout(patience))
	wantReplayed(t, nc, 5)
	st = nc.BufferStats()
	require.EqualValues(t, 3, st.InDoubt)
	require.Equal(t, 5, st.MaxMsgs)
	nc.Close()
	require.EqualValues(t, 3, nc.BufferStats().InDoubt, "a connection that is closed is not broken")
}

// Counters are read at once, also during a dial.
func TestBufferStatsDuringADial(t *testing.T) {
	t.Parallel()
	d := &slowDialer{}
	s := testserver.Run(t)
	lost, onLost := lossEvents()
	nc := connectTo(t, s.URL(), append(fast(), onLost, SetCustomDialer(d))...)
	d.set(300 * time.Millisecond)
	s.Kill()
	got(t, lost, "loss")
	soon(t, func() bool { return d.count() >= 2 }, "no dial")
	start := time.Now()
	for range 1000 {
		nc.BufferStats()
	}
	require.Less(t, time.Since(start), 200*time.Millisecond)
	require.NoError(t, s.Start())
	require.NoError(t, nc.FlushTimeout(patience))
}

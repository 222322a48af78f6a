package nats

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// What was published before Close is sent.
func TestCloseSendsWhatIsUnsent(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	sub, err := connectTo(t, s.URL()).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())
	nc := connectTo(t, s.URL())
	for i := range 1000 {
		require.NoError(t, nc.Publish("foo", numbered(i, 2000)))
	}
	nc.Close()
	for i := range 1000 {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, i, numberOf(t, string(m.Data[:7])))
	}
}

// Close gives a link that takes nothing up after Timeout.
func TestCloseOnAStalledLink(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	proxy := faultproxy.Run(t, s.Addr())
	nc := connectTo(t, proxy.URL(), ReconnectBufSize(64<<20))
	nc.setHandler(func(o *Options) { o.Timeout = 100 * time.Millisecond })
	proxy.Live().StopReading(faultproxy.Up)
	for range 300 {
		require.NoError(t, nc.Publish("foo", make([]byte, 100_000)))
	}
	done := make(chan struct{})
	go func() { // ends with Close
		nc.Close()
		close(done)
	}()
	got(t, done, "Close")
	require.True(t, nc.IsClosed())
}

func TestCloseIsIdempotentAndConcurrent(t *testing.T) {
	t.Parallel()
	var none *Conn
	none.Close()
	var calls atomic.Int32
	closed, onClosed := connEvents()
	lost, onLost := lossEvents()
	_, nc := connect(t, onLost, ClosedHandler(func(nc *Conn) {
		calls.Add(1)
		onClosed(nc)
	}))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(nc.Close)
	}
	wg.Wait()
	require.Same(t, nc, got(t, closed, "close"))
	require.NoError(t, got(t, lost, "disconnect event"))
	nc.Close()
	require.EqualValues(t, 1, calls.Load())
	require.Empty(t, lost)
	require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionClosed)
	_, err := nc.SubscribeSync("foo")
	require.ErrorIs(t, err, ErrConnectionClosed)
	_, err = nc.Request("foo", nil, time.Second)
	require.ErrorIs(t, err, ErrConnectionClosed)
	require.Zero(t, nc.NumSubscriptions())
	require.Empty(t, nc.ConnectedUrl())
	require.NotZero(t, nc.MaxPayload(), "what the server said stays readable")
}

// Close works inside every handler.
func TestCloseInHandlers(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	for _, tc := range []struct {
		name string
		opt  func(done chan struct{}) []Option
		use  func(nc *Conn)
	}{
		{"message handler", nil, func(nc *Conn) {
			_, err := nc.Subscribe("foo", func(m *Msg) { m.Sub.conn.Close() })
			require.NoError(t, err)
			require.NoError(t, nc.Publish("foo", nil))
		}},
		{"connect handler", func(chan struct{}) []Option {
			return []Option{ConnectHandler(func(nc *Conn) { nc.Close() })}
		}, func(*Conn) {}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			done := make(chan struct{})
			opts := []Option{ClosedHandler(func(*Conn) { close(done) })}
			if tc.opt != nil {
				opts = append(opts, tc.opt(done)...)
			}
			tc.use(connectTo(t, s.URL(), opts...))
			got(t, done, "closed handler")
		})
	}
	t.Run("reconnect delay handler", func(t *testing.T) {
		t.Parallel()
		s := testserver.Run(t)
		var nc *Conn
		ready := make(chan struct{})
		closed, onClosed := connEvents()
		nc = connectTo(t, s.URL(), ClosedHandler(onClosed), CustomReconnectDelay(func(int) time.Duration {
			<-ready
			nc.Close()
			return time.Hour
		}))
		close(ready)
		s.Stop()
		got(t, closed, "close")
	})
}

// Close ends a reconnect at once: in a pause, in a dial, in a handshake.
func TestCloseDuringAReconnect(t *testing.T) {
	t.Parallel()
	t.Run("pause", func(t *testing.T) {
		t.Parallel()
		lost, onLost := lossEvents()
		s, nc := connect(t, onLost, ReconnectWait(time.Hour))
		s.Stop()
		got(t, lost, "loss")
		nc.Close()
		got(t, nc.done, "the lifecycle goroutine's end")
	})
	t.Run("handshake", func(t *testing.T) {
		t.Parallel()
		lost, onLost := lossEvents()
		silent := make(chan struct{}, 10)
		s := scripted(t, func(p *peerConn) {
			if p.n > 0 {
				silent <- struct{}{}
				p.await()
				return
			}
			p.welcome()
		})
		nc := connectTo(t, s.url(), append(fast(), onLost, Timeout(time.Hour))...)
		got(t, lost, "loss")
		got(t, silent, "attempt")
		nc.Close()
		got(t, nc.done, "the lifecycle goroutine's end")
		require.Empty(t, lost, "there is nothing to lose")
	})
	t.Run("buffered", func(t *testing.T) {
		t.Parallel()
		lost, onLost := lossEvents()
		closed, onClosed := connEvents()
		s, nc := connect(t, append(fast(), onLost, ClosedHandler(onClosed))...)
		s.Stop()
		got(t, lost, "loss")
		for range 100 {
			require.NoError(t, nc.Publish("foo", make([]byte, 10_000)))
		}
		nc.Close()
		got(t, closed, "close")
		got(t, nc.done, "the lifecycle goroutine's end")
		require.Nil(t, nc.out.last, "memory is kept")
	})
}

func TestNoCallbacksAfterClientClose(t *testing.T) {
	t.Parallel()
	fail := func(*Conn) { t.Error("a handler was called") }
	_, nc := connect(t, NoCallbacksAfterClientClose(), ClosedHandler(fail), DisconnectHandler(fail))
	nc.Close()
	nc.events.mu.Lock()
	defer nc.events.mu.Unlock()
	require.Empty(t, nc.events.queue)
	require.True(t, nc.events.closed)
}

// An idle connection holds no chunk of the outbox.
func TestIdleConnectionHoldsNoBuffer(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	for range 1000 {
		require.NoError(t, nc.Publish("foo", make([]byte, 1000)))
	}
	require.NoError(t, nc.Flush())
	// The PONG can be here a moment before the writer has accounted for it all.
	soon(t, func() bool {
		nc.out.mu.Lock()
		defer nc.out.mu.Unlock()
		return nc.out.head == nil && nc.out.last == nil
	}, "memory is kept")
}

// A Close before a new session was told of ends the outage that was: its beginning is
// not told again.
func TestCloseBeforeTheReturnWasTold(t *testing.T) {
	t.Parallel()
	cut, back, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := scripted(t, func(p *peerConn) {
		if p.n == 0 {
			p.welcome()
			<-cut
			return
		}
		<-back
		p.welcome()
		<-over // and reads nothing, so what is buffered cannot go
	})
	defer close(over)
	events := make(chan string, 10)
	nc := connectTo(t, s.url(), append(fast(), Timeout(200*time.Millisecond), ReconnectBufSize(64<<20),
		DisconnectErrHandler(func(*Conn, error) { events <- "lost" }), ReconnectHandler(func(*Conn) { events <- "back" }),
		ClosedHandler(func(*Conn) { events <- "closed" }))...)
	close(cut)
	require.Equal(t, "lost", got(t, events, "loss"))
	for range 500 { // more than the kernel takes
		require.NoError(t, nc.Publish("foo", make([]byte, 64<<10)))
	}
	close(back)
	soon(t, nc.IsConnected, "not back")
	nc.Close()
	require.Equal(t, "closed", got(t, events, "end"))
}

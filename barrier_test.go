package nats

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A barrier waits for what all handlers have had queued, and for nothing later.
func TestBarrierWaitsForWhatIsQueued(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	var handled [2]atomic.Int64
	hold := newGate(t)
	var subs [2]*Subscription
	for i := range subs {
		var err error
		subs[i], err = nc.Subscribe("foo"+strconv.Itoa(i), func(*Msg) {
			if handled[i].Load() >= 5 {
				return
			}
			hold.wait()
			handled[i].Add(1)
		})
		require.NoError(t, err)
		p.deliver(t, subs[i], 0, 5)
	}
	seen := make(chan [2]int64, 10)
	note := func() { seen <- [2]int64{handled[0].Load(), handled[1].Load()} }
	require.NoError(t, nc.Barrier(note))
	require.NoError(t, nc.Barrier(note), "there may be several")
	n, _, err := subs[0].Pending()
	require.NoError(t, err)
	require.Equal(t, 5, n, "a barrier is no message")
	require.Empty(t, seen)
	hold.open()
	require.Equal(t, [2]int64{5, 5}, got(t, seen, "barrier"))
	require.Equal(t, [2]int64{5, 5}, got(t, seen, "barrier"))
}

// Without a handler to wait for, it runs at once, in the call.
func TestBarrierWithoutHandlers(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	_, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	_, err = nc.ChanSubscribe("foo", make(chan *Msg, 10))
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 1)
	_, err = nc.Request("nobody", nil, patience)
	require.ErrorIs(t, err, ErrNoResponders)
	ran := false
	require.NoError(t, nc.Barrier(func() { ran = nc.Flush() == nil }))
	require.True(t, ran)
	nc.Close()
	require.ErrorIs(t, nc.Barrier(func() { t.Error("run") }), ErrConnectionClosed)
}

// Idle handlers do not keep it.
func TestBarrierWithIdleHandlers(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	for range 10 {
		_, err := nc.Subscribe("foo", func(*Msg) {})
		require.NoError(t, err)
	}
	var mu sync.Mutex
	done := make(chan struct{})
	mu.Lock() // the caller may hold what f needs
	require.NoError(t, nc.Barrier(func() {
		mu.Lock()
		defer mu.Unlock()
		close(done)
	}))
	mu.Unlock()
	got(t, done, "barrier")
}

// Whatever ends a subscription, the barriers in it come.
func TestBarrierOutlivesTheSubscription(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(nc *Conn, s *Subscription) error{
		"unsubscribe":      func(_ *Conn, s *Subscription) error { return s.Unsubscribe() },
		"close":            func(nc *Conn, _ *Subscription) error { nc.Close(); return nil },
		"drain":            func(_ *Conn, s *Subscription) error { return s.Drain() },
		"auto-unsubscribe": func(_ *Conn, s *Subscription) error { return s.AutoUnsubscribe(2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, nc := connect(t)
			hold, entered := newGate(t), make(chan struct{}, 10)
			s, err := nc.Subscribe("foo", func(*Msg) {
				entered <- struct{}{}
				hold.wait()
			})
			require.NoError(t, err)
			publishNumbers(t, nc, "foo", 0, 3)
			got(t, entered, "message")
			ran := make(chan struct{}, 10)
			require.NoError(t, nc.Barrier(func() { ran <- struct{}{} }))
			require.NoError(t, end(nc, s))
			hold.open()
			got(t, ran, "barrier")
			soon(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return !s.working }, "rest")
			require.Empty(t, ran, "it runs once")
		})
	}
}

// Under a storm of messages and ends every barrier runs, once.
func TestBarriersInAStorm(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	var ran atomic.Int64
	var wg sync.WaitGroup
	const barriers = 50
	for range 4 {
		wg.Go(func() {
			for range barriers {
				s, err := nc.Subscribe("foo", func(*Msg) {})
				if err != nil {
					t.Error(err)
					return
				}
				_ = nc.Publish("foo", nil)
				_ = nc.Barrier(func() { ran.Add(1) })
				_ = s.Unsubscribe()
			}
		})
	}
	wg.Wait()
	soon(t, func() bool { return ran.Load() == 4*barriers }, "all barriers")
}

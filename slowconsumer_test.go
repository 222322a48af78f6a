package nats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// slowEvents returns an option whose channel gets the subscriptions that the
// ErrorHandler is told are slow.
func slowEvents(t testing.TB) (chan *Subscription, Option) {
	ch := make(chan *Subscription, 1000)
	return ch, ErrorHandler(func(_ *Conn, s *Subscription, err error) {
		if err != ErrSlowConsumer {
			t.Errorf("event %v", err)
		}
		ch <- s
	})
}

// wantSlowEvents checks how many events there have been about a subscription
// since the last check. Events come in order, so one about another subscription
// ends the count.
func wantSlowEvents(t testing.TB, p *peerSession, events chan *Subscription, s *Subscription, want int) {
	t.Helper()
	mark, err := s.conn.ChanSubscribe("mark", make(chan *Msg))
	require.NoError(t, err)
	p.deliver(t, mark, 0, 1)
	n := 0
	for {
		e := got(t, events, "slow consumer event")
		if e == mark {
			break
		}
		require.Same(t, s, e)
		n++
	}
	require.Equal(t, want, n, "events")
	require.NoError(t, mark.Unsubscribe())
}

// sizes sends messages of the given sizes in one write.
func (p *peerSession) sizes(t testing.TB, s *Subscription, sizes ...int) {
	t.Helper()
	var b strings.Builder
	for _, n := range sizes {
		fmt.Fprintf(&b, "MSG foo %d %d\r\n%s\r\n", s.sid, n, strings.Repeat("x", n))
	}
	require.True(t, p.say("%s", b.String()))
	require.NoError(t, s.conn.FlushTimeout(patience))
}

func wantDropped(t testing.TB, s *Subscription, want int) {
	t.Helper()
	n, err := s.Dropped()
	require.NoError(t, err)
	require.Equal(t, want, n, "dropped")
}

func wantPending(t testing.TB, s *Subscription, msgs, bytes int) {
	t.Helper()
	m, b, err := s.Pending()
	require.NoError(t, err)
	require.Equal(t, [2]int{msgs, bytes}, [2]int{m, b}, "pending")
}

// What goes beyond a limit is dropped, the newest first. The message that a
// handler is working on counts.
func TestPendingLimitsDrop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		msgs, bytes int
		sizes, kept []int
		slow        bool // the last one was dropped
	}{
		"messages":             {3, -1, []int{1, 2, 3, 4, 5}, []int{1, 2, 3}, true},
		"one message":          {1, -1, []int{0, 0, 0}, []int{0}, true},
		"bytes, exactly full":  {-1, 10, []int{4, 4, 4, 2, 1}, []int{4, 4, 2}, true},
		"bytes, first too big": {-1, 10, []int{11, 10}, []int{10}, false},
		"bytes of empty ones":  {-1, 1, []int{0, 0, 1, 0, 1}, []int{0, 0, 1, 0}, true},
		"both":                 {2, 10, []int{9, 2, 1, 0}, []int{9, 1}, true},
		"none":                 {-1, -1, []int{100, 200, 300}, []int{100, 200, 300}, false},
	} {
		for _, kind := range []SubscriptionType{AsyncSubscription, SyncSubscription} {
			t.Run(name+", "+subKindNames[kind], func(t *testing.T) {
				t.Parallel()
				_, p, nc := connectPeer(t, quiet())
				hold := newGate(t)
				handled := make(chan *Msg, 100)
				r := &subRig{ch: handled}
				var err error
				if kind == AsyncSubscription {
					r.sub, err = nc.Subscribe("foo", func(m *Msg) { hold.wait(); handled <- m })
				} else {
					r.sub, err = nc.SubscribeSync("foo")
				}
				require.NoError(t, err)
				require.NoError(t, r.sub.SetPendingLimits(c.msgs, c.bytes))
				p.sizes(t, r.sub, c.sizes...)
				total := 0
				for _, n := range c.kept {
					total += n
				}
				wantPending(t, r.sub, len(c.kept), total)
				wantDropped(t, r.sub, len(c.sizes)-len(c.kept))
				if len(c.sizes) > len(c.kept) {
					require.Equal(t, ErrSlowConsumer, nc.LastError())
				} else {
					require.NoError(t, nc.LastError())
				}
				hold.open()
				if c.slow && kind == SyncSubscription {
					_, err := r.sub.NextMsg(0)
					require.Equal(t, ErrSlowConsumer, err)
				}
				for _, n := range c.kept {
					require.Len(t, r.next(t), n)
				}
				soon(t, func() bool { n, _ := r.sub.QueuedMsgs(); return n == 0 }, "an empty queue")
				wantPending(t, r.sub, 0, 0)
			})
		}
	}
}

// An episode begins with the first message dropped and ends with the next one
// that is taken in. The program is told of each episode once.
func TestSlowEpisodesOfHandler(t *testing.T) {
	t.Parallel()
	events, onSlow := slowEvents(t)
	_, p, nc := connectPeer(t, onSlow)
	r := newSubRig(t, nc, AsyncSubscription, "foo", "")
	require.NoError(t, r.sub.SetPendingLimits(-1, 10))
	for episode := range 3 {
		p.sizes(t, r.sub, 4)
		wantSlowEvents(t, p, events, r.sub, 0)
		p.sizes(t, r.sub, 20)
		p.sizes(t, r.sub, 20, 20)
		wantSlowEvents(t, p, events, r.sub, 1)
		require.Len(t, r.next(t), 4)
		soon(t, func() bool { n, _, _ := r.sub.Pending(); return n == 0 }, "an empty queue")
		p.sizes(t, r.sub, 20)
		wantSlowEvents(t, p, events, r.sub, 0) // that the queue is empty ends nothing
		wantDropped(t, r.sub, 4*(episode+1))
	}
}

func TestSlowEpisodesOfChannel(t *testing.T) {
	t.Parallel()
	events, onSlow := slowEvents(t)
	_, p, nc := connectPeer(t, onSlow)
	ch := make(chan *Msg, 2)
	s, err := nc.ChanSubscribe("foo", ch)
	require.NoError(t, err)
	r := &subRig{sub: s, ch: ch}
	p.deliver(t, s, 0, 2)
	wantSlowEvents(t, p, events, s, 0)
	p.deliver(t, s, 2, 3)
	p.deliver(t, s, 5, 1)
	wantSlowEvents(t, p, events, s, 1)
	require.Equal(t, ErrSlowConsumer, nc.LastError())
	r.wants(t, 0, 2)
	p.deliver(t, s, 6, 3)
	wantSlowEvents(t, p, events, s, 1)
	r.wants(t, 6, 2)
	wantDropped(t, s, 5)
	delivered, err := s.Delivered()
	require.NoError(t, err)
	require.EqualValues(t, 4, delivered)
}

// NextMsg tells of an episode too, once, and ends it by that.
func TestSlowEpisodesOfNextMsg(t *testing.T) {
	t.Parallel()
	events, onSlow := slowEvents(t)
	_, p, nc := connectPeer(t, onSlow, SyncQueueLen(2))
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	p.deliver(t, r.sub, 0, 5)
	wantSlowEvents(t, p, events, r.sub, 1)
	_, err := r.sub.NextMsg(patience)
	require.Equal(t, ErrSlowConsumer, err)
	p.deliver(t, r.sub, 5, 2)
	wantSlowEvents(t, p, events, r.sub, 1)
	_, err = r.sub.NextMsg(patience)
	require.Equal(t, ErrSlowConsumer, err)
	r.wants(t, 0, 2)
	p.deliver(t, r.sub, 7, 3)
	wantSlowEvents(t, p, events, r.sub, 1)
	_, err = r.sub.NextMsg(patience)
	require.Equal(t, ErrSlowConsumer, err)
	r.wants(t, 7, 1)
	p.deliver(t, r.sub, 10, 1) // taken in: nothing to tell
	r.wants(t, 8, 1)
	r.wants(t, 10, 1)
	wantSlowEvents(t, p, events, r.sub, 0)
	wantDropped(t, r.sub, 6)
}

// How the network cut the stream into reads makes no difference.
func TestSlowEpisodesInOneRead(t *testing.T) {
	t.Parallel()
	events, onSlow := slowEvents(t)
	_, p, nc := connectPeer(t, onSlow)
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	require.NoError(t, r.sub.SetPendingLimits(-1, 10))
	p.sizes(t, r.sub, 7, 7, 7, 1, 7, 7, 2, 7)
	wantDropped(t, r.sub, 5)
	wantSlowEvents(t, p, events, r.sub, 3)
}

// The length of a synchronous queue holds whatever the pending limits are.
func TestSyncQueueLen(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t, quiet(), SyncQueueLen(5))
	s := newSubRig(t, nc, SyncSubscription, "foo", "").sub
	p.deliver(t, s, 0, 7)
	wantPending(t, s, 5, 5)
	wantDropped(t, s, 2)
	require.NoError(t, s.SetPendingLimits(-1, -1))
	p.deliver(t, s, 7, 1)
	wantPending(t, s, 5, 5)
	wantDropped(t, s, 3)
	require.NoError(t, s.SetPendingLimits(2, -1))
	wantPending(t, s, 5, 5) // what is queued stays
	_, err := s.NextMsg(0)
	require.Equal(t, ErrSlowConsumer, err)
	for range 4 {
		_, err := s.NextMsg(0)
		require.NoError(t, err)
	}
	p.deliver(t, s, 8, 2)
	wantPending(t, s, 2, 2)
	wantDropped(t, s, 4)
}

func TestSyncQueueLenDefault(t *testing.T) {
	t.Parallel()
	for _, opt := range []Option{nil, SyncQueueLen(0)} {
		_, _, nc := connectPeer(t, opt)
		msgs, bytes, err := newSubRig(t, nc, SyncSubscription, "foo", "").sub.PendingLimits()
		require.NoError(t, err)
		require.Equal(t, [2]int{65536, 64 << 20}, [2]int{msgs, bytes})
	}
}

// A slow subscription takes nothing from the others of its connection, and
// publishing goes on.
func TestSlowConsumerHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	const msgs = 500
	_, nc := connect(t, quiet(), unhurried())
	slow, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, slow.SetPendingLimits(1, -1))
	fast := newSubRig(t, nc, AsyncSubscription, "foo", "")
	publishNumbers(t, nc, "foo", 0, msgs)
	fast.wants(t, 0, msgs)
	wantDropped(t, slow, msgs-1)
	wantDropped(t, fast.sub, 0)
	require.EqualValues(t, 2*msgs, nc.Stats().InMsgs, "dropped ones count")
}

package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// wantStates reads a status channel to its end.
func wantStates(t testing.TB, ch <-chan SubStatus, want ...SubStatus) {
	t.Helper()
	for _, w := range want {
		require.Equal(t, w.String(), got(t, ch, "state "+w.String()).String())
	}
}

func wantClosedChannel(t testing.TB, ch <-chan SubStatus) {
	t.Helper()
	soon(t, func() bool {
		select {
		case _, open := <-ch:
			require.False(t, open, "a state too many")
			return true
		default:
			return false
		}
	}, "the channel's end")
}

// The states of a subscription that overflows, recovers, and is drained.
func TestSubscriptionStates(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t, quiet())
	hold := newGate(t)
	s, err := nc.Subscribe("foo", func(*Msg) { hold.wait() })
	require.NoError(t, err)
	require.NoError(t, s.SetPendingLimits(2, -1))
	all, some := s.StatusChanged(), s.StatusChanged(SubscriptionDraining)
	wantStates(t, all, SubscriptionActive)
	p.deliver(t, s, 0, 4)
	wantStates(t, all, SubscriptionSlowConsumer)
	hold.open()
	soon(t, func() bool { n, _ := s.QueuedMsgs(); return n == 0 }, "an empty queue")
	require.Empty(t, all, "an empty queue is not enough")
	p.deliver(t, s, 4, 1)
	wantStates(t, all, SubscriptionActive)
	require.NoError(t, s.Drain())
	wantStates(t, all, SubscriptionDraining, SubscriptionClosed)
	wantClosedChannel(t, all)
	wantStates(t, some, SubscriptionDraining)
	wantClosedChannel(t, some)
}

// NextMsg that tells of dropped messages makes the subscription active again.
func TestSubscriptionIsActiveAgainOnceNextMsgHasTold(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t, quiet())
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, s.SetPendingLimits(1, -1))
	p.deliver(t, s, 0, 2)
	states := s.StatusChanged()
	wantStates(t, states, SubscriptionSlowConsumer)
	_, err = s.NextMsg(0)
	require.ErrorIs(t, err, ErrSlowConsumer)
	wantStates(t, states, SubscriptionActive)
}

// Whatever ends a subscription is told to its status channels and its handler, once.
func TestEndOfASubscriptionIsTold(t *testing.T) {
	t.Parallel()
	ends := map[string]func(t *testing.T, nc *Conn, r *subRig){
		"unsubscribe": func(t *testing.T, _ *Conn, r *subRig) { require.NoError(t, r.sub.Unsubscribe()) },
		"drain":       func(t *testing.T, _ *Conn, r *subRig) { require.NoError(t, r.sub.Drain()) },
		"close":       func(_ *testing.T, nc *Conn, _ *subRig) { nc.Close() },
		"auto-unsubscribe": func(t *testing.T, nc *Conn, r *subRig) {
			require.NoError(t, r.sub.AutoUnsubscribe(2))
			publishNumbers(t, nc, "foo", 0, 2)
			r.wants(t, 0, 2)
		},
		"auto-unsubscribe too late": func(t *testing.T, nc *Conn, r *subRig) {
			publishNumbers(t, nc, "foo", 0, 2)
			r.wants(t, 0, 2)
			require.NoError(t, r.sub.AutoUnsubscribe(1))
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
				_, nc := connect(t)
				r := newSubRig(t, nc, kind, "foo", "")
				told := make(chan string, 10)
				r.sub.SetClosedHandler(func(subject string) {
					_, err := r.sub.Delivered() // everything may be called
					require.ErrorIs(t, err, ErrBadSubscription)
					told <- subject
				})
				states := r.sub.StatusChanged(SubscriptionClosed)
				end(t, nc, r)
				require.Equal(t, "foo", got(t, told, "closed handler"))
				wantStates(t, states, SubscriptionClosed)
				wantClosedChannel(t, states)
				late := r.sub.StatusChanged()
				wantStates(t, late, SubscriptionClosed)
				wantClosedChannel(t, late)
				wantClosedChannel(t, r.sub.StatusChanged(SubscriptionActive))
				require.Empty(t, told, "told twice")
			})
		})
	}
}

// The end is told behind the last call of the handler.
func TestClosedHandlerComesBehindTheLastMessage(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	hold := newGate(t)
	events := make(chan string, 10)
	s, err := nc.Subscribe("foo", func(*Msg) {
		events <- "begin"
		hold.wait()
		events <- "end"
	})
	require.NoError(t, err)
	s.SetClosedHandler(func(string) { events <- "closed" })
	require.NoError(t, nc.Publish("foo", nil))
	require.Equal(t, "begin", got(t, events, "call"))
	require.NoError(t, s.Unsubscribe())
	hold.open()
	require.Equal(t, "end", got(t, events, "call"))
	require.Equal(t, "closed", got(t, events, "call"))
	s.SetClosedHandler(func(string) { events <- "too late" })
	var none *Subscription
	none.SetClosedHandler(nil)
	nc.Close()
	require.Empty(t, events)
}

// A listener that does not read costs it the states, nobody else anything.
func TestFullStatusChannelDropsStates(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t, quiet())
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, s.SetPendingLimits(1, -1))
	states := s.StatusChanged()
	for i := range 10 {
		p.deliver(t, s, 2*i, 2)
		_, err := s.NextMsg(0)
		require.ErrorIs(t, err, ErrSlowConsumer)
		_, err = s.NextMsg(0)
		require.NoError(t, err)
	}
	require.Len(t, states, subStatusCap)
	require.NoError(t, s.Unsubscribe())
	n := 0
	for range states {
		n++
	}
	require.Equal(t, subStatusCap, n, "it is closed behind what it holds")
}

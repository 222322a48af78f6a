package nats

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// handRun queues n messages for a handler that waits with the first, and then lets
// it go on: so they are taken out of the queue many at a time.
func handRun(t *testing.T, n int, handler func(s *Subscription, i int)) *Subscription {
	t.Helper()
	rig := newInboundRig(t)
	begun, queued, over := make(chan bool), make(chan bool), make(chan bool)
	i := 0
	sub, err := rig.nc.Subscribe("foo", func(m *Msg) {
		if i == 0 {
			begun <- true
			<-queued
		}
		handler(m.Sub, i)
		if i++; i == n {
			close(over)
		}
	})
	require.NoError(t, err)
	sub.SetClosedHandler(func(string) {
		if i < n {
			close(over)
		}
	})
	one := fmt.Appendf(nil, "MSG foo %d 10\r\n0123456789\r\n", sub.sid)
	rig.arrive(t, one, whole)
	got(t, begun, "the first message")
	for range n - 1 {
		rig.arrive(t, one, whole)
	}
	close(queued)
	got(t, over, "the last message")
	return sub
}

func TestCountersAreExactWhileManyAreInHand(t *testing.T) {
	t.Parallel()
	const n = 5*handMost + 3
	sub := handRun(t, n, func(s *Subscription, i int) {
		msgs, bytes, err := s.Pending()
		assert.NoError(t, err)
		assert.Equal(t, n-i, msgs, "pending with message %d", i)
		assert.Equal(t, 10*(n-i), bytes)
		delivered, err := s.Delivered()
		assert.NoError(t, err)
		assert.EqualValues(t, i+1, delivered)
	})
	msgs, bytes, err := sub.MaxPending()
	require.NoError(t, err)
	require.Equal(t, n, msgs)
	require.Equal(t, 10*n, bytes)
}

func TestUnsubscribeTakesBackWhatIsInHand(t *testing.T) {
	t.Parallel()
	calls := 0
	handRun(t, 100, func(s *Subscription, i int) {
		if calls++; i == 20 {
			assert.NoError(t, s.Unsubscribe())
		}
	})
	require.Equal(t, 21, calls)
}

func TestAutoUnsubscribeCountsWhatIsInHand(t *testing.T) {
	t.Parallel()
	calls := 0
	handRun(t, 100, func(s *Subscription, i int) {
		if calls++; i == 20 {
			assert.NoError(t, s.AutoUnsubscribe(25))
		}
	})
	require.Equal(t, 25, calls)
}

func TestBarrierComesBehindWhatIsInHand(t *testing.T) {
	t.Parallel()
	var calls []int
	at := make(chan int, 1)
	const n = 100
	handRun(t, n, func(s *Subscription, i int) {
		calls = append(calls, i)
		if i == 20 {
			assert.NoError(t, s.conn.Barrier(func() { at <- len(calls) }))
		}
	})
	require.Equal(t, n, got(t, at, "the barrier"))
	for i, c := range calls {
		require.Equal(t, i, c, "order")
	}
}

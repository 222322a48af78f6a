package nats

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// subscribeMany makes n subscriptions with a handler that is told which one it is for,
// and returns the wire of one message to each of them.
func subscribeMany(t *testing.T, rig *inboundRig, n int, handler func(i int, m *Msg)) (wire []byte) {
	t.Helper()
	for i := range n {
		sub, err := rig.nc.Subscribe("foo", func(m *Msg) { handler(i, m) })
		require.NoError(t, err)
		wire = fmt.Appendf(wire, "MSG foo %d 1\r\n-\r\n", sub.sid)
	}
	return wire
}

// Every handler waits until all are called: if one had to wait for another's end, none
// would ever end.
func TestNoHandlerWaitsForAnother(t *testing.T) {
	t.Parallel()
	const n = 300
	for name, most := range map[string]func() int{"one read": whole, "a read for each": func() int { return 16 }} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rig := newInboundRig(t)
			var all sync.WaitGroup
			all.Add(n)
			over := make(chan int, n)
			wire := subscribeMany(t, rig, n, func(i int, _ *Msg) {
				all.Done()
				all.Wait()
				over <- i
			})
			rig.arrive(t, wire, most)
			seen := map[int]bool{}
			for range n {
				seen[got(t, over, "a handler")] = true
			}
			require.Len(t, seen, n)
		})
	}
}

// One that never returns, in the middle of many that do.
func TestStuckHandlerHoldsUpNobody(t *testing.T) {
	t.Parallel()
	const n, rounds = 50, 20
	rig := newInboundRig(t)
	stuck := make(chan bool)
	defer close(stuck)
	calls := make(chan int, n*rounds)
	wire := subscribeMany(t, rig, n, func(i int, _ *Msg) {
		calls <- i
		if i == n/2 {
			<-stuck
		}
	})
	count := map[int]int{}
	for range rounds {
		rig.arrive(t, wire, whole)
	}
	for range rounds*(n-1) + 1 {
		count[got(t, calls, "a call")]++
	}
	for i := range n {
		if i == n/2 {
			require.Equal(t, 1, count[i])
		} else {
			require.Equal(t, rounds, count[i])
		}
	}
}

// A handler may end its goroutine, as t.FailNow does. That is the end of its own
// subscription's deliveries and of no other's.
func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	const n = 20
	rig := newInboundRig(t)
	calls := make(chan int, 3*n)
	wire := subscribeMany(t, rig, n, func(i int, _ *Msg) {
		calls <- i
		if i%2 == 0 {
			runtime.Goexit()
		}
	})
	for range 2 {
		rig.arrive(t, wire, whole)
	}
	count := map[int]int{}
	for range n/2 + n {
		count[got(t, calls, "a call")]++
	}
	for i := range n {
		require.Equal(t, 1+i%2, count[i])
	}
}

// Many subscriptions with quick handlers are served by few goroutines, each message of
// a subscription in its order and one at a time.
func TestCrewIsSmall(t *testing.T) {
	t.Parallel()
	const n, rounds = 200, 50
	rig := newInboundRig(t)
	var next [n]int // of the handlers
	var inside [n]atomic.Bool
	var goroutines sync.Map
	over := make(chan bool, n)
	var sids [n]int64
	for i := range n {
		sub, err := rig.nc.Subscribe("foo", func(m *Msg) {
			assert.False(t, inside[i].Swap(true), "one at a time")
			goroutines.Store(goroutine(), true)
			assert.Equal(t, fmt.Sprint(next[i]), string(m.Data))
			next[i]++
			inside[i].Store(false)
			if next[i] == rounds {
				over <- true
			}
		})
		require.NoError(t, err)
		sids[i] = sub.sid
	}
	for round := range rounds {
		var wire []byte
		for _, i := range rand.Perm(n) {
			data := fmt.Sprint(round)
			wire = fmt.Appendf(wire, "MSG foo %d %d\r\n%s\r\n", sids[i], len(data), data)
		}
		rig.arrive(t, wire, func() int { return 1 + rand.IntN(4096) })
	}
	for range n {
		got(t, over, "the last message of a subscription")
	}
	used := 0
	goroutines.Range(func(any, any) bool { used++; return true })
	require.Less(t, used, n*rounds/4, "goroutines, for %d messages", n*rounds)
	c := &rig.nc.crew
	soon(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.coming == 0 && c.first == nil && c.last == nil
	}, "nobody waits, nobody comes")
}

// goroutine names the goroutine that calls it.
func goroutine() string {
	var b [64]byte
	name, _, _ := strings.Cut(string(b[:runtime.Stack(b[:], false)]), " [")
	return name
}

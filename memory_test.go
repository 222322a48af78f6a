package nats

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// These tests measure the heap of the process, so none of them is parallel. What
// they allow is far more than a measurement is off by.

// settledHeap is the heap in use once all that can be collected has been. A
// sync.Pool keeps what it has over one collection, but not over two.
func settledHeap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse)
}

// A full reconnect buffer costs little more than its limit, whatever the size of
// the messages, and nothing once it has been sent.
func TestMemoryOfAFullBuffer(t *testing.T) {
	for _, tc := range []struct {
		payload int
		subject string
		most    int64 // MiB, for a limit of 8
	}{
		{16, "some.subject", 12},
		{128, "some.subject", 12},
		{1 << 10, "some.subject", 12},
		{64 << 10, "some.subject", 12},
		{0, "a", 15}, // the shortest of all frames, 11 bytes, have 8 of index each
	} {
		t.Run(fmt.Sprint(tc.payload), func(t *testing.T) {
			if raceEnabled && tc.payload == 0 {
				t.Skip("a million publishes take seconds under the race detector; the others show the same")
			}
			s, nc := inOutage(t)
			data := make([]byte, tc.payload)
			before := settledHeap()
			for nc.Publish(tc.subject, data) == nil {
			}
			require.ErrorIs(t, nc.Publish(tc.subject, data), ErrReconnectBufExceeded)
			st := nc.BufferStats()
			require.GreaterOrEqual(t, st.Bytes, DefaultReconnectBufSize, "it is not full")
			full := settledHeap() - before
			require.NoError(t, s.Start())
			require.NoError(t, nc.FlushTimeout(patience))
			wantReplayed(t, nc, uint64(st.Msgs))
			after := settledHeap() - before
			t.Logf("%d messages, %d bytes: the heap grew by %.2f MiB, %.2f bytes a byte, and by %.2f MiB once they were sent",
				st.Msgs, st.Bytes, float64(full)/(1<<20), float64(full)/float64(st.Bytes), float64(after)/(1<<20))
			require.LessOrEqual(t, full, tc.most<<20)
			require.Less(t, after, int64(1<<20), "the buffer was not given back")
		})
	}
}

// A buffer that is always full, because its policy gives the oldest up, does not
// grow with what goes through it.
func TestMemoryOfABufferThatDropsTheOldest(t *testing.T) {
	_, nc := inOutage(t, ReconnectBufOverflow(OverflowDropOldest))
	data := make([]byte, 128)
	before := settledHeap()
	times := 10
	if raceEnabled {
		times = 3 // it takes seconds
	}
	for range times * DefaultReconnectBufSize / 128 {
		require.NoError(t, nc.Publish("some.subject", data))
	}
	require.NotZero(t, nc.BufferStats().Dropped)
	require.LessOrEqual(t, settledHeap()-before, int64(12<<20))
}

// Connections that are in an outage and have nothing to send hold no buffer.
func TestMemoryOfIdleConnectionsInAnOutage(t *testing.T) {
	const conns = 1000
	n := newMemNet()
	cut := flapping(n, "127.0.0.1:4222")
	before, stacks := settledHeap(), stackInUse()
	lost, onLost := lossEvents()
	all := make([]*Conn, conns)
	for i := range all {
		all[i] = inMemory(t, n, "nats://127.0.0.1", quiet(), onLost, ReconnectWait(time.Hour), MaxReconnects(-1))
		for range 10 {
			require.NoError(t, all[i].Publish("foo", []byte(strings.Repeat("x", 1000))))
		}
		require.NoError(t, all[i].FlushTimeout(patience))
	}
	n.listen("127.0.0.1:4222", nil)
	close(cut)
	for range all {
		got(t, lost, "loss")
	}
	for i, nc := range all {
		nc.out.mu.Lock()
		held := nc.out.head != nil || nc.out.last != nil
		nc.out.mu.Unlock()
		require.False(t, held, "connection %d holds a buffer", i)
		require.Equal(t, RECONNECTING, nc.Status())
	}
	heap, stack := (settledHeap()-before)/conns, (stackInUse()-stacks)/conns
	t.Logf("%d bytes of heap and %d of stack for a connection", heap, stack)
	require.Less(t, heap, int64(16<<10))
	require.Less(t, stack, int64(32<<10))
}

func stackInUse() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.StackInuse)
}

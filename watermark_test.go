package nats

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWatermarkTellsOfEachCrossing(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opts []Option
		at   int // messages at which it is passed
		low  int // and below which it has fallen
	}{
		{"messages", []Option{ReconnectBufMsgs(10)}, 8, 5},
		{"bytes", []Option{ReconnectBufSize(10 * len("PUB foo 1\r\n0\r\n"))}, 8, 5},
		{"whichever is fuller", []Option{ReconnectBufMsgs(10), ReconnectBufSize(1 << 20)}, 8, 5},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			crossed := make(chan bool, 100)
			mark := ReconnectBufWatermark(0.8, 0.5, func(nc *Conn, above bool) { crossed <- above })
			s, nc := inOutage(t, append(tc.opts, mark)...)
			for round := range 2 {
				for i := range tc.at {
					require.Empty(t, crossed, "round %d, %d messages", round, i)
					require.NoError(t, nc.Publish("foo", []byte("0")))
				}
				require.True(t, got(t, crossed, "passed"))
				require.NoError(t, nc.Publish("foo", []byte("0")))
				require.Len(t, nc.PurgeBuffer(), tc.at+1)
				require.False(t, got(t, crossed, "fell"))
			}
			for range tc.at {
				require.NoError(t, nc.Publish("foo", []byte("0")))
			}
			require.True(t, got(t, crossed, "passed"))
			require.NoError(t, s.Start())
			require.False(t, got(t, crossed, "fell by the replay"))
			require.NoError(t, nc.FlushTimeout(patience))
			nc.Close()
			require.Empty(t, crossed)
		})
	}
}

// While there is a server the buffer is only what the network is behind by: that
// is told when the server is lost.
func TestWatermarkCountsFromTheLossOfTheServer(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1 << 20, msgs: 10}, new(Statistics))
	told := 0
	box.watch(0.8, 0, func() { told++ })
	box.attach(nil, nil, nil)
	for range 9 {
		require.NoError(t, box.publish("foo", "", nil, nil, nil))
	}
	require.Zero(t, told)
	box.detach()
	box.rewind(0)
	require.Equal(t, 1, told)
	for range 8 {
		box.withdraw(box.unsentFrom())
	}
	require.Equal(t, 1, told, "low is empty")
	box.withdraw(box.unsentFrom())
	require.Equal(t, 2, told)
}

// A handler that has fallen behind by many crossings is told the last state.
func TestWatermarkHandlerThatFallsBehind(t *testing.T) {
	t.Parallel()
	hold, crossed := make(chan struct{}), make(chan bool, 1000)
	mark := ReconnectBufWatermark(0.5, 0.5, func(_ *Conn, above bool) { crossed <- above; <-hold })
	_, nc := inOutage(t, ReconnectBufMsgs(2), mark)
	require.NoError(t, nc.Publish("foo", nil))
	want := got(t, crossed, "first")
	require.True(t, want)
	for range 300 {
		nc.PurgeBuffer()
		require.NoError(t, nc.Publish("foo", nil))
	}
	close(hold)
	soon(t, func() bool { return nc.events.idle() }, "handlers are not done")
	require.LessOrEqual(t, len(crossed), maxCrossings)
	for len(crossed) > 0 {
		above := <-crossed
		require.Equal(t, !want, above, "they alternate")
		want = above
	}
	require.True(t, want, "the last state")
}

func (d *dispatcher) idle() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.running
}

func TestWatermarkBadInput(t *testing.T) {
	t.Parallel()
	cb := func(*Conn, bool) {}
	for _, tc := range []struct {
		high, low float64
		cb        WatermarkCB
	}{
		{0.5, 0.6, cb}, {0, 0, cb}, {1.1, 0, cb}, {0.5, -0.1, cb}, {math.NaN(), 0, cb}, {0.5, math.NaN(), cb}, {0.5, 0, nil},
	} {
		_, err := Connect("nats://127.0.0.1:1", ReconnectBufWatermark(tc.high, tc.low, tc.cb))
		require.ErrorIs(t, err, ErrInvalidArg, fmt.Sprint(tc.high, tc.low))
	}
}

package nats

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// drainFor lets a writer of a test drain the box for a time, in virtual time, and
// returns how many bytes it was given.
func drainFor(box *outbox, d time.Duration) (bytes int) {
	end := time.Now().Add(d)
	stop := time.AfterFunc(d, box.detach)
	defer stop.Stop()
	var b batch
	for box.take(&b) && !time.Now().After(end) {
		bytes += b.size
		box.advance(b.size)
	}
	return bytes
}

// A paced replay goes at its rate; what is published behind it does not overtake
// it, and is not paced.
func TestReplayRate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		rate float64
		size int // of a payload
	}{
		{"small messages", 100_000, 100},
		{"messages larger than a slice", 100_000, 50_000},
		{"slow", 1_000, 10},
		{"fast", 50_000_000, 1000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				box := newOutbox(boxLimits{bytes: 1 << 30}, new(Statistics))
				box.pace.rate = tc.rate
				data := make([]byte, tc.size)
				buffered := 0
				for float64(buffered) < 3*tc.rate {
					require.NoError(t, box.publish("foo", "", nil, data, nil))
					buffered = int(box.bytes)
				}
				box.attach(nil, nil, nil)
				require.NoError(t, box.publish("behind", "", nil, data, nil))
				sent := drainFor(box, 2*time.Second)
				require.InDelta(t, 2*tc.rate, sent, tc.rate/20, "in 2 s")
				// What is left takes its time again, in the next session.
				box.rewind(0)
				left := box.bytes
				box.attach(nil, nil, nil)
				began := time.Now()
				var b batch
				for box.last != nil && box.take(&b) {
					box.advance(b.size)
				}
				require.InDelta(t, float64(left)/tc.rate, time.Since(began).Seconds(), 0.1)
			})
		})
	}
}

// PONGs and the subscriptions do not wait for the pace.
func TestReplayRateLetsPongsThrough(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := newOutbox(boxLimits{bytes: 1 << 20}, new(Statistics))
		box.pace.rate = 1
		require.NoError(t, box.publish("foo", "", nil, nil, nil))
		box.attach([]byte("SUB a 1\r\n"), nil, nil)
		began := time.Now()
		var b batch
		require.True(t, box.take(&b))
		require.Equal(t, "SUB a 1\r\n", string(b.vec[0]))
		box.advance(len("SUB a 1\r\nPUB foo 0\r\n\r"))
		time.AfterFunc(100*time.Millisecond, box.pong)
		require.True(t, box.take(&b))
		require.Equal(t, 100*time.Millisecond, time.Since(began))
		require.Equal(t, "\n", string(b.vec[0]), "the frame's end goes first")
		box.advance(b.size)
		require.True(t, box.take(&b))
		require.Equal(t, "PONG\r\n", string(b.vec[0]))
	})
}

// With a real server: everything arrives, in its order, and no sooner than the
// rate allows.
func TestReplayRateOverAConnection(t *testing.T) {
	t.Parallel()
	back, onBack := connEvents()
	s, nc := inOutage(t, ReconnectReplayRate(100_000), ReconnectHandler(onBack))
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	for i := range 300 {
		require.NoError(t, nc.Publish("foo", make([]byte, 100+i%2)))
	}
	require.NoError(t, s.Start())
	soon(t, nc.IsConnected, "not connected")
	began := time.Now()
	require.NoError(t, nc.Publish("foo", []byte("behind")))
	got(t, back, "reconnect")
	require.Greater(t, time.Since(began), 200*time.Millisecond)
	for i := range 300 {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Len(t, m.Data, 100+i%2)
	}
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "behind", string(m.Data))
}

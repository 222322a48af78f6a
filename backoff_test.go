package nats

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The range of the pauses doubles up to its limit, and each pause may be anything in
// it.
func TestBackoffDoublesUpToItsLimit(t *testing.T) {
	t.Parallel()
	const least, most = 100 * time.Millisecond, 5 * time.Second
	for n, limit := range map[int]time.Duration{
		1: least, 2: 2 * least, 3: 4 * least, 6: 32 * least, 7: most, 62: most, 63: most, 64: most, 1000: most, math.MaxInt: most,
	} {
		var pauses []time.Duration
		for range 2000 {
			pauses = append(pauses, backoff(least, most, n))
		}
		require.GreaterOrEqual(t, slices.Min(pauses), time.Duration(0), n)
		require.Less(t, slices.Min(pauses), limit/20, "pause %d: the range begins at 0", n)
		require.LessOrEqual(t, slices.Max(pauses), limit, n)
		require.Greater(t, slices.Max(pauses), limit*19/20, "pause %d: the range ends at its limit", n)
	}
	require.LessOrEqual(t, backoff(math.MaxInt64/2, math.MaxInt64-1, 3), time.Duration(math.MaxInt64-1))
}

// In virtual time: the pauses of an outage stay in their ranges, and a new outage
// begins with short ones again.
func TestReconnectBackoffOfAnOutage(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		nc := inMemory(t, m, "10.0.0.0", ReconnectBackoff(time.Second, 8*time.Second), MaxReconnects(-1))
		m.listen("10.0.0.0:4222", nil)
		m.restart()
		close(cut)
		time.Sleep(10 * time.Minute)
		nc.Close()
		<-nc.done
		at := m.times(t)
		require.Greater(t, len(at), 100, "10 min at 4 s each in the mean")
		require.Less(t, len(at), 250)
		last := time.Duration(0)
		for i, d := range at {
			limit := min(8*time.Second, time.Second<<min(i, 10))
			require.LessOrEqual(t, d-last, limit, "pause %d", i+1)
			last = d
		}
	})
}

func TestReconnectBackoffBadInput(t *testing.T) {
	t.Parallel()
	for _, c := range [][2]time.Duration{{0, time.Second}, {-1, time.Second}, {2 * time.Second, time.Second}} {
		_, err := Connect("nats://127.0.0.1:1", ReconnectBackoff(c[0], c[1]))
		require.ErrorIs(t, err, ErrInvalidArg)
	}
}

// times is when the dials so far were.
func (n *memNet) times(t *testing.T) (at []time.Duration) {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, dial := range n.dials {
		_, when, _ := strings.Cut(dial, "@")
		d, err := time.ParseDuration(when)
		require.NoError(t, err)
		at = append(at, d)
	}
	return at
}

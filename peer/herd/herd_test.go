package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// small is the plan in a short form.
var small = plan{
	clients: 40, down: 300 * time.Millisecond, wait: 100 * time.Millisecond, jitter: 10 * time.Millisecond,
	least: 20 * time.Millisecond, later: 100 * time.Millisecond, most: 400 * time.Millisecond, grace: 500 * time.Millisecond, spread: 300 * time.Millisecond,
	bin: 50 * time.Millisecond, limit: time.Minute,
}

// All come back in every mode, and the page tells of each.
func TestAllComeBack(t *testing.T) {
	t.Parallel()
	var results []result
	for _, m := range modes {
		r, err := m.run(small)
		require.NoError(t, err, m.name)
		assert.GreaterOrEqual(t, len(r.attempts), small.clients, m.name)
		assert.True(t, slices.IsSorted(r.attempts))
		assert.GreaterOrEqual(t, r.back, r.open)
		assert.Positive(t, r.rush)
		assert.LessOrEqual(t, r.rush, r.peak)
		if !m.duck {
			assert.GreaterOrEqual(t, r.open, small.down)
			assert.Greater(t, len(r.attempts), small.clients, "none tried while it was down: %s", m.name)
		}
		results = append(results, r)
	}
	text := document(small, results)
	for _, m := range modes {
		assert.Contains(t, text, "\n## "+m.name+"\n")
		assert.Contains(t, text, "| "+m.name+" |")
	}
	assert.NotContains(t, text, "NaN")
}

func TestModeThatTakesTooLong(t *testing.T) {
	t.Parallel()
	p := small
	p.clients, p.wait, p.limit = 2, time.Hour, time.Second
	_, err := modes[1].run(p)
	require.Error(t, err)
}

func TestHistogram(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	at := []time.Duration{0, 99 * ms, 100 * ms, 900 * ms, 999 * ms, 1000 * ms}
	require.Equal(t, []int{2, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1}, bins(at, 100*ms))
	text := histogram(at, 100*ms)
	bar := strings.Repeat("#", barWidth)
	require.Equal(t, "   0.0 s     2 "+bar+"\n   0.1 s     1 "+bar[:barWidth/2]+"\n   0.2 s     0\n    ...\n"+
		"   0.9 s     2 "+bar+"\n   1.0 s     1 "+bar[:barWidth/2]+"\n", text)
	require.Equal(t, 2, peak(at, 100*ms))
	require.Equal(t, 3, peak(at, 101*ms))
	require.Equal(t, 6, peak(at, time.Hour))
	require.Zero(t, peak(nil, ms))
	require.Equal(t, "nothing\n", histogram(nil, ms))
}

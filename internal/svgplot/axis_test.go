package svgplot

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLinearScales(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values  []float64
		n       int
		roundUp bool
		hi      float64
		ticks   []float64
	}{
		{[]float64{0, 97}, 5, true, 100, []float64{0, 20, 40, 60, 80, 100}},
		{[]float64{0, 97}, 5, false, 97, []float64{0, 20, 40, 60, 80}},
		{[]float64{3, 1}, 3, true, 3, []float64{0, 1, 2, 3}},
		{[]float64{-3, 4}, 4, true, 4, []float64{-4, -2, 0, 2, 4}},
		{[]float64{0.3}, 3, true, 0.3, []float64{0, 0.1, 0.2, 0.3}},
		{nil, 2, true, 1, []float64{0, 0.5, 1}},
		{[]float64{0, 0}, 2, true, 1, []float64{0, 0.5, 1}},
		{[]float64{1e12}, 2, true, 1e12, []float64{0, 5e11, 1e12}},
	} {
		s := newScale(Axis{}, c.values, c.n, c.roundUp)
		assert.InDelta(t, c.hi, s.hi, 1e-9*c.hi, "%v", c.values)
		assert.InDeltaSlice(t, c.ticks, s.ticks, 1e-9*c.hi, "%v", c.values)
		assert.InDelta(t, 0, s.at(s.lo), 1e-12)
		assert.InDelta(t, 1, s.at(s.hi), 1e-12)
	}
}

func TestLogScales(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values []float64
		n      int
		ticks  []float64
	}{
		{[]float64{1, 1e6}, 8, []float64{1, 10, 100, 1e3, 1e4, 1e5, 1e6}},
		{[]float64{1, 1e6}, 3, []float64{1, 1e3, 1e6}},
		{[]float64{1, 100}, 8, []float64{1, 2, 5, 10, 20, 50, 100}},
		{[]float64{100, 50_000, 0, -3}, 8, []float64{100, 1000, 10_000}},
		{[]float64{3.1, 4.9}, 4, []float64{3.5, 4, 4.5}},
		{[]float64{10}, 8, []float64{5, 10, 20}},
		{nil, 8, []float64{1, 2, 5, 10}},
	} {
		s := newScale(Axis{Log: true}, c.values, c.n, false)
		assert.InDeltaSlice(t, c.ticks, s.ticks, 1e-6, "%v", c.values)
		assert.True(t, math.IsNaN(s.at(0)))
		assert.True(t, math.IsNaN(s.at(-1)))
	}
}

// Whatever the values, an axis has ends, and ticks that are few, in order and on it.
func TestTicksOfAnyExtent(t *testing.T) {
	t.Parallel()
	for _, log := range []bool{false, true} {
		for exp := -9; exp <= 12; exp++ {
			for _, m := range []float64{1, 1.3, 1.99, 3, 4.7, 9.99} {
				hi := m * math.Pow(10, float64(exp))
				for n := 2; n <= 9; n++ {
					s := newScale(Axis{Log: log}, []float64{hi / 7, hi}, n, !log)
					require.Less(t, s.lo, s.hi)
					require.GreaterOrEqual(t, len(s.ticks), 2, "%g %d", hi, n)
					require.LessOrEqual(t, len(s.ticks), n+2, "%g %d %v", hi, n, log)
					for i, v := range s.ticks {
						require.InDelta(t, 0.5, s.at(v), 0.5+1e-6)
						require.False(t, i > 0 && v <= s.ticks[i-1], "%v", s.ticks)
					}
				}
			}
		}
	}
}

func TestShortNumbers(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{
		0: "0", 1: "1", 0.25: "0.25", 0.1 + 0.2: "0.3", 12.5: "12.5", 999: "999", 999.96: "1k", 1000: "1k", 1500: "1.5k",
		20_000: "20k", 1e6: "1M", 2.5e9: "2.5G", 3e12: "3T", 2e18: "2e+06T", -1500: "-1.5k", 0.0004: "0.0004", 1e-7: "1e-07",
	} {
		assert.Equal(t, want, Short(v))
	}
}

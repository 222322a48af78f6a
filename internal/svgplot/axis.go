package svgplot

import (
	"math"
	"strconv"
	"strings"
)

// A scale maps the values of an axis to the part of its length, 0 to 1.
type scale struct {
	Axis
	lo, hi float64
	ticks  []float64
}

// newScale makes a scale that holds the values and has about n ticks. A scale that
// is rounded up ends with a tick.
func newScale(a Axis, values []float64, n int, roundUp bool) scale {
	s := scale{Axis: a}
	s.lo, s.hi = extent(values, a.Log)
	n = max(n, 2)
	if a.Log {
		s.ticks = logTicks(s.lo, s.hi, n)
		return s
	}
	step := niceStep((s.hi - s.lo) / float64(n))
	if roundUp {
		s.hi = step * math.Ceil(s.hi/step)
		s.lo = step * math.Floor(s.lo/step)
	}
	s.ticks = linearTicks(s.lo, s.hi, step)
	return s
}

// at is where v lies; NaN if it has no place.
func (s scale) at(v float64) float64 {
	if !placed(v, s.Log) {
		return math.NaN()
	}
	if s.Log {
		return math.Log(v/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// text is what stands at a tick.
func (s scale) text(v float64) string {
	if s.Format != nil {
		return s.Format(v)
	}
	return Short(v)
}

// placed says whether an axis has a place for v.
func placed(v float64, log bool) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (!log || v > 0)
}

// extent returns the ends of an axis that holds the values, never two equal ones.
func extent(values []float64, log bool) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	if !log {
		lo, hi = 0, 0
	}
	for _, v := range values {
		if placed(v, log) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	switch {
	case lo > hi: // logarithmic, without a value
		return 1, 10
	case lo == hi && log:
		return lo / 2, hi * 2
	case lo == hi:
		return 0, 1
	}
	return lo, hi
}

// niceStep is the first of 1, 2 and 5 times a power of ten that is not below least.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, m := range []float64{1, 2, 5} {
		// A little less is as good: 0.2 + 0.1 is more than 0.3.
		if m*power >= least*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

func linearTicks(lo, hi, step float64) (ticks []float64) {
	slack := step * 1e-9
	for i := math.Ceil((lo - slack) / step); i*step <= hi+slack; i++ {
		ticks = append(ticks, i*step)
	}
	return ticks
}

// logTicks are powers of ten, or every second one, and so on; with 2 and 5 times
// each where that leaves few; and linear ones where even that does.
func logTicks(lo, hi float64, n int) (ticks []float64) {
	const slack = 1e-9
	low, high := math.Log10(lo)-slack, math.Log10(hi)+slack
	stride := math.Max(1, math.Ceil((high-low)/float64(n)))
	steps := []float64{1}
	if 3*(high-low) <= float64(n) {
		steps = []float64{1, 2, 5}
	}
	for decade := stride * math.Floor(low/stride); decade <= high; decade += stride {
		for _, m := range steps {
			v := m * math.Pow(10, decade)
			if at := math.Log10(v); at >= low && at <= high {
				ticks = append(ticks, v)
			}
		}
	}
	for ; len(ticks) < 2; n *= 2 {
		ticks = linearTicks(lo, hi, niceStep((hi-lo)/float64(n)))
	}
	return ticks
}

// Short writes a number with four digits at most and k, M, G or T for the
// thousands; it is the default Format of an axis.
func Short(v float64) string {
	units := []string{"", "k", "M", "G", "T"}
	unit := 0
	size := math.Abs(v)
	// 999.95 would be written as 1000.
	for size >= 999.95 && unit < len(units)-1 {
		v, size = v/1000, size/1000
		unit++
	}
	if size != 0 && (size < 0.001 || size >= 1e5) {
		return strconv.FormatFloat(v, 'g', 3, 64) + units[unit]
	}
	digits := 1
	if size < 1 {
		digits = 3
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	if text == "-0" {
		return "0"
	}
	return text + units[unit]
}

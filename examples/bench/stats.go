package main

import (
	"math"
	"time"
)

// A result is what one worker, or all of a kind, have done.
type result struct {
	name     string
	messages int
	bytes    int // of payload
	took     time.Duration
}

// rate is messages per second.
func (r result) rate() float64 { return per(r.messages, r.took) }

// megabytes is millions of bytes of payload per second.
func (r result) megabytes() float64 { return per(r.bytes, r.took) / 1e6 }

func per(n int, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}

// results are those of each worker.
func results(workers []*worker, size int) []result {
	var rs []result
	for _, w := range workers {
		n := int(w.done.Load())
		rs = append(rs, result{name: w.name, messages: n, bytes: n * size, took: w.took()})
	}
	return rs
}

// together is the result of all workers of a kind: all messages, from the first
// beginning to the last end.
func together(workers []*worker, size int) result {
	r := result{name: "all"}
	var start, end time.Time
	for i, w := range workers {
		r.messages += int(w.done.Load())
		if i == 0 || w.start.Before(start) {
			start = w.start
		}
		if i == 0 || w.end.After(end) {
			end = w.end
		}
	}
	r.bytes, r.took = r.messages*size, end.Sub(start)
	return r
}

// A spread says how far the rates of workers are apart.
type spread struct{ least, mean, most, deviation float64 }

// spreadOf is that of some results, at least one. The deviation is that of these
// workers, not an estimate for others.
func spreadOf(rs []result) spread {
	s := spread{least: math.Inf(1), most: math.Inf(-1)}
	for _, r := range rs {
		s.least, s.most = min(s.least, r.rate()), max(s.most, r.rate())
		s.mean += r.rate() / float64(len(rs))
	}
	for _, r := range rs {
		s.deviation += (r.rate() - s.mean) * (r.rate() - s.mean) / float64(len(rs))
	}
	s.deviation = math.Sqrt(s.deviation)
	return s
}

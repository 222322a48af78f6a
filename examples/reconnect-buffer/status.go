package main

import (
	"fmt"
	"strings"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/human"
)

// rateOver is the time over which the shown rate is taken.
const rateOver = time.Second

// A sample is what the status line shows.
type sample struct {
	at      time.Time
	status  nats.Status
	buffer  nats.BufferStats
	full    float64       // part of the buffer that is used; negative: it is off
	blocked time.Duration // how long the Publish under way has waited
	counts
}

// sample is the state at this moment.
func (j *job) sample() sample {
	s := sample{
		at: time.Now(), status: j.pub.nc.Status(), counts: j.ledger.counts(),
		buffer: j.pub.nc.BufferStats(), blocked: j.pub.blocked.now(),
	}
	s.full = j.full(s.buffer)
	return s
}

// lines returns what makes the status line of each moment.
func (j *job) lines() func() string {
	var r rater
	r.rate(j.sample())
	return func() string {
		s := j.sample()
		return statusLine(s, r.rate(s))
	}
}

// full is the part of the buffer that is used, by the limit that is nearer.
func (c *config) full(b nats.BufferStats) float64 {
	if c.bufBytes < 0 {
		return -1
	}
	part := float64(b.Bytes) / float64(c.bufBytes)
	if c.bufMsgs > 0 {
		part = max(part, float64(b.Msgs)/float64(c.bufMsgs))
	}
	return part
}

// statusLine has what there always is, in columns that stay where they are, and
// behind it what has happened at all.
func statusLine(s sample, rate int) string {
	full := "off"
	if s.full >= 0 {
		full = fmt.Sprintf("%.0f%%", 100*s.full)
	}
	var line strings.Builder
	fmt.Fprintf(&line, "%-13s %9s/s  buffered %9s %9s %4s  delivered %10s",
		s.status, human.Commas(rate), human.Commas(s.buffer.Msgs), human.Size(s.buffer.Bytes), full, human.Commas(s.delivered))
	other := s.buffer.Undelivered - s.buffer.Dropped - s.buffer.Expired
	for _, extra := range []struct {
		name string
		n    int
	}{
		{"refused", s.refused},
		{"dropped", int(s.buffer.Dropped)},
		{"expired", int(s.buffer.Expired)},
		{"given up", int(other)},
		{"in doubt up to", int(s.buffer.InDoubt)},
	} {
		if extra.n > 0 {
			fmt.Fprintf(&line, "  %s %s", extra.name, human.Short(extra.n))
		}
	}
	if s.blocked > 0 {
		fmt.Fprintf(&line, "  blocked %.1fs", s.blocked.Seconds())
	}
	return line.String()
}

// A rater turns samples into a rate over the last second.
type rater struct{ past []sample }

// rate is how many messages were accepted in a second.
func (r *rater) rate(s sample) int {
	for len(r.past) > 1 && s.at.Sub(r.past[1].at) >= rateOver {
		r.past = r.past[1:]
	}
	r.past = append(r.past, s)
	first := r.past[0]
	took := s.at.Sub(first.at).Seconds()
	if took <= 0 {
		return 0
	}
	return int(float64(s.accepted-first.accepted)/took + 0.5)
}

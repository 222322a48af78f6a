package outagelab

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/natsring/nats.go/internal/svgplot"
)

// A Sample is how things stand at a time since the start.
type Sample struct {
	At time.Duration
	Counts
	State
}

// Sample takes one. settled says that Finish has returned nil.
func (l *Lab) Sample(settled bool) Sample {
	// Looking can take its time where a client's lock is held over a dial.
	s := Sample{At: l.Since(), Counts: l.ledger.counts(settled)}
	s.State = l.client.Look()
	return s
}

// Watch calls see with a sample, again and again, until the context ends.
func (l *Lab) Watch(ctx context.Context, every time.Duration, see func(Sample)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		see(l.Sample(false))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Panel draws samples: what was accepted and delivered by then, what was buffered, and
// what was lost. The last sample's figures stand in the legend.
func Panel(title string, samples []Sample, s Script) svgplot.Panel {
	p := svgplot.Panel{
		Title: title,
		X:     svgplot.Axis{Label: "seconds"},
		Y:     svgplot.Axis{Label: "messages"},
	}
	var last Sample
	if n := len(samples); n > 0 {
		last = samples[n-1]
	}
	for _, l := range []struct {
		name string
		of   func(Sample) int
	}{
		{fmt.Sprintf("accepted %d", last.Accepted), func(s Sample) int { return s.Accepted }},
		{fmt.Sprintf("delivered %d", last.Delivered), func(s Sample) int { return s.Delivered }},
		{"buffered", func(s Sample) int { return s.Msgs }},
		{fmt.Sprintf("repeated %d", last.Repeated), func(s Sample) int { return s.Repeated }},
		{fmt.Sprintf("lost %d", last.Lost), func(s Sample) int { return s.Lost }},
	} {
		line := svgplot.Line{Name: l.name}
		for _, s := range samples {
			line.Points = append(line.Points, svgplot.Point{X: s.At.Seconds(), Y: float64(l.of(s))})
		}
		p.Lines = append(p.Lines, line)
	}
	p.Spans = s.spans(last.At)
	return p
}

// spans are the faults of a script that ended at a time: those that last from their
// beginning to their end, the others as a moment.
func (s Script) spans(end time.Duration) (spans []svgplot.Span) {
	ends := map[Action]Action{BlackHole: NoBlackHole, Throttle: NoThrottle, Refuse: NoRefuse, Stop: Start}
	for i, step := range s {
		if step.Action == Heal || step.Action == Start || strings.HasPrefix(string(step.Action), "no-") {
			continue
		}
		span := svgplot.Span{From: step.At.Seconds(), To: step.At.Seconds(), Name: string(step.Action)}
		if over, lasts := ends[step.Action]; lasts {
			span.To = end.Seconds()
			for _, later := range s[i:] {
				if later.Action == over || later.Action == Heal {
					span.To = later.At.Seconds()
					break
				}
			}
		}
		spans = append(spans, span)
	}
	return spans
}

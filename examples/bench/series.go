package main

import (
	"context"
	"sync"
	"time"

	"github.com/natsring/nats.go/internal/svgplot"
)

const (
	// each is the time between two looks.
	each = 10 * time.Millisecond
	// mostPoints is how many points a line has at most; of a long run each is the
	// mean of several looks.
	mostPoints = 50
	// mostLooks is how many are kept; then every second one goes.
	mostLooks = 32 * mostPoints
)

// A look is how much was done at a time since the start.
type look struct {
	at                  time.Duration
	published, received int
}

// A series has what was done at which time.
type series struct {
	job   *job
	looks []look // of the goroutine that watches, until it has ended
}

func newSeries(j *job) *series { return &series{job: j} }

// watch looks again and again until the returned function is called.
func (s *series) watch() (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	// Ends when end is called, which waits for it.
	watching.Go(func() {
		tick := time.NewTicker(each)
		defer tick.Stop()
		for {
			s.looks = append(s.looks, s.job.look())
			if len(s.looks) == mostLooks {
				s.looks = thin(s.looks)
			}
			select {
			case <-ctx.Done():
				s.looks = append(s.looks, s.job.look())
				return
			case <-tick.C:
			}
		}
	})
	return func() { cancel(); watching.Wait() }
}

func (j *job) look() look {
	return look{at: time.Since(j.start), published: sum(j.publishers), received: sum(j.receivers)}
}

func sum(workers []*worker) (n int) {
	for _, w := range workers {
		n += int(w.done.Load())
	}
	return n
}

// thin leaves every second look, and so bounds what a long run takes.
func thin(looks []look) []look {
	kept := looks[:0]
	for i := 0; i < len(looks); i += 2 {
		kept = append(kept, looks[i])
	}
	return kept
}

// lines are the rates over time.
func (s *series) lines() (lines []svgplot.Line) {
	for _, kind := range []struct {
		name    string
		workers []*worker
		of      func(look) int
	}{
		{"published", s.job.publishers, func(l look) int { return l.published }},
		{"received, by all subscribers", s.job.receivers, func(l look) int { return l.received }},
	} {
		if len(kind.workers) > 0 {
			lines = append(lines, svgplot.Line{Name: kind.name, Points: rates(s.looks, kind.of)})
		}
	}
	return lines
}

// rates are the messages per second between looks, at the times between them.
func rates(looks []look, of func(look) int) (points []svgplot.Point) {
	stride := max(1, (len(looks)+mostPoints-1)/mostPoints)
	for i := 0; i+stride < len(looks); i += stride {
		from, to := looks[i], looks[i+stride]
		points = append(points, svgplot.Point{
			X: (from.at + to.at).Seconds() / 2,
			Y: per(of(to)-of(from), to.at-from.at),
		})
	}
	return points
}

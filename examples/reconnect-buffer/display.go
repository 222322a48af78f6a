package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	nats "github.com/natsring/nats.go"
)

const (
	redraw  = 100 * time.Millisecond // between live lines
	inPlain = time.Second            // between status lines without a terminal
	// rateOver is the time over which the shown rate is taken.
	rateOver = time.Second
)

// A sample is what the status line shows.
type sample struct {
	at       time.Time
	status   nats.Status
	messages int // buffered
	bytes    int // buffered, as they go on the wire
	counts
}

// A display shows what happens: on a terminal one line that is drawn over and
// over with the events scrolling above it, elsewhere one line a second.
type display struct {
	live  bool
	start time.Time

	mu    sync.Mutex // also guards out
	out   io.Writer
	drawn string // the live line on the screen
	over  bool
}

func newDisplay(out io.Writer, live bool) *display {
	return &display{out: out, live: live, start: time.Now()}
}

// event prints a line for something that happened.
func (d *display) event(format string, args ...any) {
	d.print(fmt.Sprintf(format, args...))
}

// print prints a line with the time in front, above the live line.
func (d *display) print(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.over {
		return
	}
	line := fmt.Sprintf("%6.1fs  %s", time.Since(d.start).Seconds(), text)
	if d.drawn == "" {
		fmt.Fprintln(d.out, line)
		return
	}
	fmt.Fprintf(d.out, "\r%s\n%s", pad(line, len(d.drawn)), d.drawn)
}

// draw replaces the live line; "" wipes it.
func (d *display) draw(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprintf(d.out, "\r%s", pad(line, len(d.drawn)))
	if line == "" {
		fmt.Fprint(d.out, "\r")
	}
	d.drawn = line
}

// pad makes s cover n columns, for terminals that cannot erase.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }

// show shows samples until the returned function is called. After that nothing
// is printed any more, whatever handlers may still have to say.
func (d *display) show(take func() sample) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	// Ends when end is called, which waits for it.
	showing.Go(func() { d.run(ctx, take) })
	return func() {
		cancel()
		showing.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.over = true
	}
}

func (d *display) run(ctx context.Context, take func() sample) {
	every := inPlain
	if d.live {
		every = redraw
		defer d.draw("")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var r rater
	r.rate(take())
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := take()
		line := statusLine(s, r.rate(s))
		if d.live {
			d.draw(line)
		} else {
			d.print(line)
		}
	}
}

// statusLine fits 80 columns, or a carriage return would not go back to its start.
func statusLine(s sample, rate int) string {
	return fmt.Sprintf("%-12s %9s/s  buffered %9s (%9s)  delivered %10s",
		s.status, commas(rate), commas(s.messages), size(s.bytes), commas(s.delivered))
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

// commas writes n with a comma between each three digits.
func commas(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// size writes a number of bytes.
func size(n int) string {
	switch {
	case n < 10<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

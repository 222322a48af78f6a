package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	redraw  = 100 * time.Millisecond // between live lines
	inPlain = time.Second            // between status lines without a terminal
)

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
	fmt.Fprint(d.out, wipe, line, "\n", onOneLine(d.drawn))
}

// draw replaces the live line; "" wipes it.
func (d *display) draw(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	fmt.Fprint(d.out, wipe, onOneLine(line))
	d.drawn = line
}

// wipe goes to the start of a terminal's line and erases it.
const wipe = "\r\x1b[K"

// onOneLine makes a terminal that is narrower than s cut it off, or a carriage
// return would not go back to its start.
func onOneLine(s string) string { return "\x1b[?7l" + s + "\x1b[?7h" }

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

// Package terminal shows what happens while a program runs.
package terminal

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

// A Display shows what happens: on a terminal one line that is drawn over and
// over with the events scrolling above it, elsewhere one line a second.
type Display struct {
	live  bool
	start time.Time

	mu    sync.Mutex // also guards out
	out   io.Writer
	drawn string // the live line on the screen
	over  bool
}

// NewDisplay makes a display. live asks for a terminal's live line.
func NewDisplay(out io.Writer, live bool) *Display {
	return &Display{out: out, live: live, start: time.Now()}
}

// Event prints a line for something that happened.
func (d *Display) Event(format string, args ...any) {
	d.print(fmt.Sprintf(format, args...))
}

// print prints a line with the time in front, above the live line.
func (d *Display) print(text string) {
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

// Draw replaces the live line; "" wipes it.
func (d *Display) Draw(line string) {
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

// Show shows what line returns, again and again, until the function that it returns
// is called. After that nothing is printed any more, whatever handlers may still
// have to say. line is called by one goroutine.
func (d *Display) Show(line func() string) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var showing sync.WaitGroup
	// Ends when end is called, which waits for it.
	showing.Go(func() { d.run(ctx, line) })
	return func() {
		cancel()
		showing.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.over = true
	}
}

func (d *Display) run(ctx context.Context, line func() string) {
	every := inPlain
	if d.live {
		every = redraw
		defer d.Draw("")
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if d.live {
			d.Draw(line())
		} else {
			d.print(line())
		}
	}
}

package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/natsring/nats.go/examples/internal/cli"
)

const (
	redraw = 100 * time.Millisecond

	// A screen of its own, without a cursor; and back, with what was there before.
	enter = "\x1b[?1049h\x1b[?25l"
	leave = "\x1b[?25h\x1b[?1049l"
	home  = "\x1b[H"
	// wipeLine erases to the end of a line, wipeRest to that of the screen.
	wipeLine = "\x1b[K"
	wipeRest = "\x1b[J"
)

// A screen is a terminal that gives each key at once and shows nothing but the view.
type screen struct {
	in, out *os.File
	before  *term.State
}

// openScreen takes the terminal over. close has to be called.
func openScreen(std cli.Std) (*screen, error) {
	s := &screen{in: std.In.(*os.File), out: std.Out.(*os.File)}
	var err error
	if s.before, err = term.MakeRaw(int(s.in.Fd())); err != nil {
		return nil, fmt.Errorf("terminal: %w", err)
	}
	_, _ = io.WriteString(s.out, enter)
	return s, nil
}

// close gives the terminal back as it was.
func (s *screen) close() {
	_, _ = io.WriteString(s.out, leave)
	_ = term.Restore(int(s.in.Fd()), s.before)
}

// draw replaces what is shown. What does not fit is not.
func (s *screen) draw(lines func(wide int) []string) {
	wide, high, err := term.GetSize(int(s.out.Fd()))
	if err != nil || wide <= 0 || high <= 0 {
		wide, high = 80, 24
	}
	text := lines(wide)
	text = text[:min(len(text), high)]
	_, _ = io.WriteString(s.out, home+strings.Join(text, wipeLine+"\r\n")+wipeLine+wipeRest)
}

// show draws the job's view until the returned function is called.
func (j *job) show(s *screen) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var drawing sync.WaitGroup
	// Ends when end is called, which waits for it.
	drawing.Go(func() {
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		var h history
		for {
			s.draw(j.view(&h).lines)
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return func() { cancel(); drawing.Wait() }
}

// view is what is to be seen now.
func (j *job) view(h *history) *view {
	s := j.lab.Sample(false)
	h.add(s)
	return &view{
		Sample: s, mode: j.mode, rate: j.lab.Rate(), faults: j.lab.Faults(),
		bufBytes: j.bufBytes, bufMsgs: j.bufMsgs, events: j.events.list(),
		accepted: h.accepted, delivered: h.delivered,
	}
}

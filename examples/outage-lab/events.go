package main

import (
	"slices"
	"sync"
	"time"
)

// keptEvents is how many of the last events can be shown.
const keptEvents = 8

// An event is something that happened, at a time since the start.
type event struct {
	at   time.Duration
	text string
}

// events are the last things that happened.
type events struct {
	start time.Time
	print func(format string, args ...any) // prints each; nil: they are shown elsewhere

	mu   sync.Mutex
	last []event
}

func newEvents() *events { return &events{start: time.Now()} }

func (e *events) add(text string) {
	if e.print != nil {
		e.print("%s", text)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.last = append(e.last, event{time.Since(e.start), text})
	e.last = e.last[max(0, len(e.last)-keptEvents):]
}

// list returns the last ones, the oldest first.
func (e *events) list() []event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.last)
}

package nats

import (
	"sync"
	"time"
)

// timers are timers that wait to be used again. Each connection has its own: a timer
// that was made in the bubble of a test must not be used outside of it.
type timers struct{ pool sync.Pool }

// start returns a timer that fires after d.
func (t *timers) start(d time.Duration) *time.Timer {
	timer, ok := t.pool.Get().(*time.Timer)
	if !ok {
		return time.NewTimer(d)
	}
	timer.Reset(d)
	return timer
}

// stop takes a timer back.
func (t *timers) stop(timer *time.Timer) {
	if !timer.Stop() {
		select {
		case <-timer.C: // left there where the program chose timers of the old kind
		default:
		}
	}
	t.pool.Put(timer)
}

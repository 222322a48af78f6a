package nats

import (
	"runtime"
	"time"
)

// The writer that is woken lets the goroutines run first that wait for a processor. Where
// one read has answered many requests, or has called many handlers, they publish as well,
// and all of it goes out with one system call. Where none waits it costs next to nothing;
// where many do, and none publishes, it would cost latency. So one learns.
type yielding struct {
	pause int // how often it is left out after a slow one
	skip  int // how often it still is
}

const (
	// yieldMost is how long it may take, and yieldVain if it brings no message.
	yieldMost = time.Millisecond
	yieldVain = 100 * time.Microsecond
	// A slow one makes that the next yieldPause are left out, then twice as many, up to
	// yieldLate; one that was not, and brought messages, half as many.
	yieldPause = 64
	yieldLate  = 1 << 16
)

// yieldLocked gives the lock up, and the processor if somebody waits for it.
func (o *outbox) yieldLocked() {
	y := &o.yielding
	if o.state != boxAttached {
		return
	}
	if y.skip > 0 {
		y.skip--
		return
	}
	msgs, start := o.msgs, time.Now()
	o.mu.Unlock()
	runtime.Gosched()
	o.lock()
	y.learn(o.msgs > msgs, time.Since(start))
}

func (y *yielding) learn(paid bool, took time.Duration) {
	switch {
	case took > yieldMost, took > yieldVain && !paid:
		y.pause = min(max(2*y.pause, yieldPause), yieldLate)
	case paid:
		y.pause /= 2
	}
	y.skip = y.pause
}

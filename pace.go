package nats

import "time"

// pace bounds how fast a session sends what was buffered before it: a token
// bucket in bytes, under the outbox's lock.
type pace struct {
	rate float64   // bytes a second; 0: no bound; fixed
	left float64   // what may go out at the time at; negative after a frame that went as a whole
	at   time.Time // when left was true
}

// paceSlices is how many times a second a paced writer sends.
const paceSlices = 50

// slice is what goes out at once, and the most that an idle moment saves up.
func (p *pace) slice() float64 { return max(1, p.rate/paceSlices) }

// begin starts a replay.
func (p *pace) begin() {
	if p.rate > 0 {
		p.left, p.at = p.slice(), time.Now()
	}
}

// allows returns how many bytes may go out now, or how long to wait first.
func (p *pace) allows() (n uint64, wait time.Duration) {
	now := time.Now()
	p.left = min(p.left+now.Sub(p.at).Seconds()*p.rate, p.slice())
	p.at = now
	if short := p.slice() - p.left; short > 0 {
		return 0, time.Duration(short/p.rate*float64(time.Second)) + 1
	}
	return uint64(p.left), 0
}

// untilConfirmed is a wait that ends with a PONG.
const untilConfirmed time.Duration = -1

// paceLocked returns how many bytes of frames the next batch may have, or how long
// the writer is to wait first. What goes ahead of the frames does not wait.
func (o *outbox) paceLocked() (limit uint64, wait time.Duration) {
	limit = batchBytes
	switch {
	case o.carefulLocked() && o.keep.msgs > 0:
		limit, wait = 0, untilConfirmed
	case o.carefulLocked():
		limit = 1 // one message
	case o.keep != nil:
		limit = askBytes
	}
	if o.pace.rate > 0 && wait == 0 && !o.replayOutLocked() {
		var n uint64
		n, wait = o.pace.allows()
		limit = min(limit, n)
	}
	if len(o.ahead) > o.aheadAt || o.owed > 0 || o.askDueLocked() || o.partingDueLocked() {
		wait = 0
		if o.part > 0 {
			limit = max(limit, 1) // what waits goes out behind the frame
		}
	}
	return limit, wait
}

// replayOutLocked reports whether the kernel has all that was buffered when the
// session began.
func (o *outbox) replayOutLocked() bool {
	return o.sent.pos+uint64(o.part) >= o.replayTo
}

// restLocked makes the writer wait for its pace, or for something that goes ahead.
func (o *outbox) restLocked(d time.Duration) {
	if d != untilConfirmed {
		// Ends by itself: it only takes the lock.
		t := time.AfterFunc(d, func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.ready.Signal()
		})
		defer t.Stop()
	}
	o.resting = true
	o.ready.Wait()
	o.resting = false
}

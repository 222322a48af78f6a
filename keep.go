package nats

import (
	"bytes"
	"time"
)

// With AtLeastOnce the outbox keeps what the kernel has taken until the server has
// confirmed it. The writer puts PINGs behind its batches; the server answers in
// order, so the PONG for a PING at a position proves that everything before it was
// processed. There is no second queue: the ring is longer at its old end.
//
//	 given back │ sent, unconfirmed │ unsent            │
//	────────────┼───────────────────┼───────────────────┤
//	           from                sent               tail
//
// When the session is lost sent goes back to from, and all of it goes out again.
type keeper struct {
	from        cursor // first frame that is not given back
	msgs, bytes int64  // of the live publishes between from and sent
	spent       int    // begun publishes that are not to be repeated

	// Frames before repeatTo have been sent in an earlier session; again counts
	// the live publishes of them that are still unsent in this one.
	repeatTo         uint64
	againMsgs, again int64 // and their bytes

	askedTo uint64 // what is before it is covered by a PING that has gone out
	askedAt stamp  // when the last of our own did
	trail   uint64 // where the batch in hand ends with a PING; 0: it does not
	due     bool   // the next batch is to have one
	alarm   *time.Timer
	armed   bool // alarm will make one due

	stuck     uint64 // from when the last session broke
	stuckFor  int    // sessions in a row that broke there again
	carefulTo uint64 // up to here one message goes out at a time
}

const (
	// askBytes is after how many bytes the writer puts a PING, at the latest.
	// Less would cost the server more PONGs, more would repeat more.
	askBytes = 128 << 10
	// askEvery is after how long it does, in milliseconds, if there is something
	// to confirm.
	askEvery = 10
	// maxAsked bounds how many PINGs are out. With all of them out the writer goes
	// on, and asks when the next PONG has come.
	maxAsked = 64
	// stuckMost is how many sessions in a row may break without any progress before
	// the next one is careful. Links that break do that too, by chance.
	stuckMost = 3
	// carefulSpan is how much it then sends one message at a time: what one PING can
	// have covered, twice.
	carefulSpan = 2 * askBytes
)

var pingLine = []byte("PING\r\n")

// keepAll makes the outbox keep frames until they are confirmed. Call it before use.
func (o *outbox) keepAll() {
	o.keep = &keeper{}
	o.window = o.limits.bytes
}

// totalLocked is how many publishes are held, and their bytes: unsent ones, and
// those that are kept until they are confirmed.
func (o *outbox) totalLocked() (msgs, bytes int64) {
	if o.keep == nil {
		return o.msgs, o.bytes
	}
	return o.msgs + o.keep.msgs, o.bytes + o.keep.bytes
}

// askDueLocked reports whether a PING is to go out even by itself.
func (o *outbox) askDueLocked() bool {
	k := o.keep
	return k != nil && k.due && o.sent.pos > k.askedTo && len(o.asked) < maxAsked
}

// askSoonLocked makes a PING go out at once if something needs one.
func (o *outbox) askSoonLocked() {
	if k := o.keep; k != nil && o.state == boxAttached {
		k.due = true
		o.wakeLocked()
	}
}

// armLocked sees to it that what is unconfirmed is asked about in time, though
// nothing more is sent.
func (o *outbox) armLocked() {
	k := o.keep
	if k == nil || k.armed || k.due || k.msgs == 0 || o.sent.pos <= k.askedTo {
		return
	}
	k.armed = true
	if k.alarm == nil {
		// Ends by itself: it only takes the lock.
		k.alarm = time.AfterFunc(askEvery*time.Millisecond, o.ring)
		return
	}
	k.alarm.Reset(askEvery * time.Millisecond)
}

// ring is the alarm.
func (o *outbox) ring() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keep.armed = false
	if o.sent.pos > o.keep.askedTo {
		o.askSoonLocked()
	}
}

// trailLocked ends a batch with a PING if it is time for one, unless the batch ends
// within a frame, or something else is to go out next.
func (o *outbox) trailLocked(b *batch) {
	k := o.keep
	if k == nil || o.part > 0 && (o.inHand == 0 || len(o.ahead) > o.aheadAt) {
		return
	}
	end := max(o.inHand, o.sent.pos)
	if end <= k.askedTo || !k.due && end > k.carefulTo &&
		end-k.askedTo < askBytes && uint32(o.now-k.askedAt) < askEvery {
		return
	}
	if len(o.asked) >= maxAsked {
		k.due = true
		return
	}
	k.due, k.trail, k.askedAt = false, end, o.now
	o.noteAskedLocked(end)
	b.add(pingLine)
}

// noteAskedLocked notes a PING that goes out behind a position.
func (o *outbox) noteAskedLocked(pos uint64) {
	o.asked = append(o.asked, pos)
	for i := len(o.asked) - 1; i > 0 && o.asked[i-1] > pos; i-- {
		o.asked[i-1], o.asked[i] = o.asked[i], o.asked[i-1]
	}
}

// passTrailLocked accounts for the PING at the end of a batch, of which the kernel
// took n bytes. If it did not get to it, nothing was asked; what is left of it goes
// out before anything else.
func (o *outbox) passTrailLocked(n int) {
	k := o.keep
	if k == nil || k.trail == 0 {
		return
	}
	end := k.trail
	k.trail = 0
	if o.sent.pos < end || len(o.ahead) > o.aheadAt {
		i := len(o.asked) - 1
		for i >= 0 && o.asked[i] != end {
			i--
		}
		if i >= 0 {
			o.asked = append(o.asked[:i], o.asked[i+1:]...)
		}
		return
	}
	k.askedTo = max(k.askedTo, end)
	if n < len(pingLine) {
		o.ahead, o.aheadAt = pingLine, n
	}
}

// answered takes the PONG for the oldest PING that is out and returns the position
// that it confirms. False: no PING is out.
func (o *outbox) answered() (pos uint64, ok bool) {
	o.mu.Lock()
	defer o.unlock()
	if len(o.asked) == 0 {
		return 0, false
	}
	pos = o.asked[0]
	o.asked = append(o.asked[:0], o.asked[1:]...)
	// The writer may not have accounted yet for bytes that are answered already.
	o.proven = pos
	o.heardLocked()
	if o.keep == nil {
		o.count.proven(pos)
		return pos, true
	}
	o.releaseLocked()
	if o.askDueLocked() {
		o.wakeLocked()
	}
	return pos, true
}

// releaseLocked gives back what is confirmed and accounted for.
func (o *outbox) releaseLocked() {
	k := o.keep
	if o.last == nil {
		return
	}
	k.from.settle()
	for to := min(o.proven, o.sent.pos); ; k.from.step() {
		o.releaseRunLocked(int(to - min(to, k.from.pos)))
		if k.from.pos >= to {
			break
		}
		o.progress++
		switch f := k.from.c.frame(k.from.i); {
		case f.isDead():
			o.deadBytes -= int64(f.size())
		case f.isHeld():
			k.msgs--
			k.bytes -= int64(f.size())
			o.count.released++
			if len(o.ages) > 0 {
				delete(o.ages, k.from.pos)
			}
		}
	}
	o.keptLessLocked()
}

// releaseRunLocked gives back the plain publishes that lie in n bytes, as far as their
// chunk goes.
func (o *outbox) releaseRunLocked(n int) {
	k := o.keep
	if len(o.ages) > 0 {
		return
	}
	msgs, bytes := k.from.run(n)
	k.msgs -= msgs
	k.bytes -= bytes
	o.count.released += uint64(msgs)
	o.progress += uint64(msgs)
}

// keptLessLocked is called when something kept has gone: publishers and the writer
// may wait for it, and control frames alone are not worth keeping.
func (o *outbox) keptLessLocked() {
	if o.keep.msgs == 0 && o.keep.from.pos != o.sent.pos {
		o.dropKeptLocked()
	}
	o.freeLocked()
	o.roomyLocked()
	if o.keep.msgs > 0 {
		return
	}
	if o.resting {
		o.ready.Signal()
	}
	if o.parting == nil && !o.pendingLocked() {
		o.signalEmptyLocked()
	}
}

// dropKeptLocked lets go of what is kept when no message is among it.
func (o *outbox) dropKeptLocked() {
	k := o.keep
	for k.from.settle(); k.from.pos < o.sent.pos; k.from.step() {
		if f := k.from.c.frame(k.from.i); f.isDead() {
			o.deadBytes -= int64(f.size())
		}
	}
	k.from = o.sent
}

// carefulLocked reports whether one message goes out at a time.
func (o *outbox) carefulLocked() bool {
	return o.keep != nil && o.sent.pos < o.keep.carefulTo
}

// rewindKeptLocked makes everything unsent that is not confirmed.
func (o *outbox) rewindKeptLocked() {
	k := o.keep
	if k.alarm != nil {
		k.alarm.Stop()
	}
	k.armed, k.due, k.trail, k.spent = false, false, 0, 0
	k.repeatTo = max(k.repeatTo, o.sent.pos)
	o.sent = k.from
	k.msgs, k.bytes, k.againMsgs, k.again = 0, 0, 0, 0
	o.msgs, o.bytes, o.dead, o.deadBytes, o.control = 0, 0, 0, 0, 0
	if o.last == nil {
		return
	}
	o.sent.settle()
	for c := o.sent; c.i < c.c.frames; c.step() {
		f := c.c.frame(c.i)
		if f.isControl() || f.isSpent() {
			f |= frameDead
			c.c.setFrame(c.i, f)
		}
		if f.isDead() {
			o.dead++
			o.deadBytes += int64(f.size())
			continue
		}
		o.msgs++
		o.bytes += int64(f.size())
		if c.pos < k.repeatTo {
			k.againMsgs++
			k.again += int64(f.size())
		}
	}
}

// begunLocked reports whether the writer has begun to send the frame at a position.
func (o *outbox) begunLocked(pos uint64) bool {
	return pos < o.sent.pos || pos < o.inHand || pos == o.sent.pos && o.part > 0
}

// spareLocked sees to it that a publish that was sent, or begun, is not repeated.
func (o *outbox) spareLocked(c cursor) {
	if c.pos < o.sent.pos {
		o.killLocked(c)
		return
	}
	c.c.setFrame(c.i, c.c.frame(c.i)|frameSpent)
	o.keep.spent++
}

// spare is what a requester calls that has its reply: the request is not repeated.
func (o *outbox) spare(pos uint64) {
	o.mu.Lock()
	defer o.unlock()
	if c, ok := o.keptLocked(pos); ok {
		o.spareLocked(c)
		o.count.released++
		return
	}
	// The session may have ended since: then it waits to be sent again.
	pos, ok := o.currentLocked(pos)
	if !ok || o.keep == nil || o.last == nil || pos < o.sent.pos || pos >= o.keep.repeatTo || o.begunLocked(pos) {
		return
	}
	if c, ok := o.sent.seek(pos); ok && c.c.frame(c.i).isHeld() {
		o.killLocked(c)
		o.count.released++
		if o.state == boxDetached && !o.settling {
			o.skipDeadLocked()
			o.freeLocked()
		}
		o.releaseWaitersLocked()
	}
}

// keptLocked finds a publish that was sent, or begun, and is not confirmed.
func (o *outbox) keptLocked(pos uint64) (cursor, bool) {
	k := o.keep
	pos, ok := o.currentLocked(pos)
	if !ok || k == nil || o.last == nil || pos < k.from.pos || !o.begunLocked(pos) {
		return cursor{}, false
	}
	c, ok := k.from.seek(pos)
	if !ok {
		return c, false
	}
	f := c.c.frame(c.i)
	return c, f.isHeld() && !f.isSpent()
}

// refused gives up the first unconfirmed publish to a subject, because the server
// has said that it does not take it. It says so in the order of the publishes.
func (o *outbox) refused(subject string, reason error) {
	o.mu.Lock()
	defer o.unlock()
	if o.keep == nil || o.last == nil {
		return
	}
	o.tickLocked()
	c := o.keep.from
	c.settle()
	for ; c.i < c.c.frames && o.begunLocked(c.pos); c.step() {
		if f := c.c.frame(c.i); f.isHeld() && !f.isSpent() && c.isTo(subject) {
			o.gaveUpLocked(c, reason)
			o.spareLocked(c)
			return
		}
	}
}

// isTo reports whether a publish is to a subject that fits into the first chunk of
// its frame.
func (k cursor) isTo(subject string) bool {
	at := int(k.pos - k.c.base)
	head := k.c.buf[at:min(at+k.c.frame(k.i).size(), k.c.used)]
	_, rest, _ := bytes.Cut(head, []byte(" "))
	return len(rest) > len(subject) && string(rest[:len(subject)]) == subject && rest[len(subject)] == ' '
}

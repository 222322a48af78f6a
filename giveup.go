package nats

import "time"

// This is the side of the outbox where it gives messages up: they were accepted,
// and will not be sent. Each is counted, and reported if somebody listens.

// serverLimits are what a new server takes.
type serverLimits struct {
	maxPayload int64
	headers    bool
}

// tickLocked sets the outbox's clock.
func (o *outbox) tickLocked() {
	o.now = stamp(time.Since(o.born).Milliseconds())
}

// tickEvery is how many publishes may share a reading of the clock, which costs
// as much as all the rest of a publish.
const tickEvery = 16

// stampLocked is the time for a frame that is appended now. Where ages matter it
// is exact. Else the hot path does with the time of the writer's last batch, or
// without a session with a reading for the first frame and every 16th.
func (o *outbox) stampLocked(how *handling) stamp {
	fresh := o.exact || o.idle || o.last == nil || how != nil && how.maxAge > 0
	if fresh || o.state == boxDetached && o.msgs%tickEvery == 0 {
		o.tickLocked()
	}
	return o.now
}

// ageLocked is how long ago a frame was appended.
func (o *outbox) ageLocked(k cursor) time.Duration {
	return time.Duration(uint32(o.now-k.c.stamp(k.i))) * time.Millisecond
}

// killLocked takes a publish out of what is to be sent, or sent again. The writer
// does not have it.
func (o *outbox) killLocked(k cursor) {
	f := k.c.frame(k.i)
	k.c.setFrame(k.i, f|frameDead)
	delete(o.ages, k.pos)
	size := int64(f.size())
	o.deadBytes += size
	if k.pos < o.sent.pos {
		o.keep.msgs--
		o.keep.bytes -= size
		o.keptLessLocked()
		return
	}
	o.dead++
	o.bytes -= size
	o.msgs--
	if k.pos < o.replayTo && o.count.replayLeft > 0 {
		o.count.replayLeft--
	}
	if o.keep != nil && k.pos < o.keep.repeatTo {
		o.keep.againMsgs--
		o.keep.again -= size
	}
}

// withdraw takes back the publish at a position for a caller that has given it
// up, unless the writer has begun to send it; then at least it is not repeated.
// That is nobody else's loss: it is not reported, and a flush does not miss it.
func (o *outbox) withdraw(pos uint64) bool {
	o.mu.Lock()
	defer o.unlock()
	pos, ok := o.currentLocked(pos)
	if !ok || o.last == nil {
		return false
	}
	if o.begunLocked(pos) {
		k, ok := o.keptLocked(pos)
		if ok {
			o.spareLocked(k)
			o.count.withdrawn++
		}
		return ok
	}
	k, ok := o.sent.seek(pos)
	if !ok || !k.c.frame(k.i).isHeld() {
		return false
	}
	o.killLocked(k)
	o.count.withdrawn++
	if o.state == boxDetached && !o.settling {
		o.skipDeadLocked()
		o.freeLocked()
	}
	o.releaseWaitersLocked()
	return true
}

// giveUpLocked kills a publish for a reason that the program is told.
func (o *outbox) giveUpLocked(k cursor, reason error) {
	o.gaveUpLocked(k, reason)
	o.killLocked(k)
}

// gaveUpLocked counts and reports a publish that is given up.
func (o *outbox) gaveUpLocked(k cursor, reason error) {
	o.count.gaveUp(reason)
	if o.given.listen {
		size := k.c.frame(k.i).size()
		at := time.Now().Add(-o.ageLocked(k))
		o.given.add(size, at, reason, func() *Msg { return decodePublish(k.bytes()) })
	}
	o.gone = min(o.gone, o.originLocked(k.pos))
}

// unlock gives the lock up and has it told that something was given up, or that a
// watermark was crossed, under it.
func (o *outbox) unlock() {
	o.compactIfDueLocked()
	given, crossed := o.newsLocked()
	o.mu.Unlock()
	o.tell(given, crossed)
}

// newsLocked reports whether the program is to be told of messages given up, or of a
// watermark. Whoever asks has to tell it.
func (o *outbox) newsLocked() (given, crossed bool) {
	return o.given.callLocked(), o.crossedLocked()
}

func (o *outbox) tell(given, crossed bool) {
	if given {
		o.call()
	}
	if crossed {
		o.crossed()
	}
}

// dropOldestLocked gives up the oldest publishes until there is room for one
// more. Without a session nobody has begun to send any of them.
func (o *outbox) dropOldestLocked() {
	if o.last == nil {
		return
	}
	o.sent.settle()
	for k := o.sent; k.i < k.c.frames && !o.roomLocked(); k.step() {
		if k.c.frame(k.i).isHeld() {
			o.giveUpLocked(k, ErrDropped)
		}
	}
	o.skipDeadLocked()
	o.freeLocked()
}

// sweepLocked gives up what is too old, and, with the limits of a new server,
// what that would not take. Only without a session.
func (o *outbox) sweepLocked(limits *serverLimits) {
	if o.last == nil {
		return
	}
	o.tickLocked()
	o.swept = o.now
	aged := o.limits.maxAge > 0 || len(o.ages) > 0
	if limits == nil && !aged {
		return
	}
	o.sent.settle()
	for k := o.sent; k.i < k.c.frames; k.step() {
		if !k.c.frame(k.i).isHeld() {
			continue
		}
		old := aged && o.expiredLocked(k)
		if limits == nil && !old && len(o.ages) == 0 {
			break // all behind it are younger
		}
		switch reason := limits.refuses(k); {
		case old:
			o.giveUpLocked(k, ErrExpired)
		case reason != nil:
			o.giveUpLocked(k, reason)
		}
	}
	o.skipDeadLocked()
	o.freeLocked()
	o.releaseWaitersLocked()
}

// sweepPause is how often a full buffer is looked through for what has expired,
// in milliseconds.
const sweepPause = 50

// sweepIfFullLocked makes room by what has expired.
func (o *outbox) sweepIfFullLocked() {
	if o.limits.maxAge <= 0 && len(o.ages) == 0 {
		return
	}
	if o.tickLocked(); uint32(o.now-o.swept) >= sweepPause {
		o.sweepLocked(nil)
	}
}

// sweep is sweepLocked for the reconnect loop.
func (o *outbox) sweep() {
	o.mu.Lock()
	defer o.unlock()
	if o.state == boxDetached && !o.settling {
		o.sweepLocked(nil)
	}
}

func (o *outbox) expiredLocked(k cursor) bool {
	limit := o.limits.maxAge
	if own, ok := o.ages[k.pos]; ok && (limit <= 0 || own < limit) {
		limit = own
	}
	return limit > 0 && o.ageLocked(k) >= limit
}

// refuses says why the server would not take a frame, or nil.
func (l *serverLimits) refuses(k cursor) error {
	if l == nil {
		return nil
	}
	if l.maxPayload > 0 && int64(k.c.frame(k.i).size()) > l.maxPayload {
		if m := decodePublish(k.bytes()); int64(int(m.received)+len(m.Data)) > l.maxPayload {
			return ErrMaxPayload
		}
	}
	if !l.headers && k.c.buf[k.pos-k.c.base] == 'H' {
		return ErrHeadersNotSupported
	}
	return nil
}

// takesLocked checks a publish against the server that there is now. The caller
// of publish has done that too, perhaps against the server of a moment ago.
func (o *outbox) takesLocked(hdr, data int) error {
	switch l := o.server; {
	case o.state != boxAttached || l == nil:
		return nil
	case hdr > 0 && !l.headers:
		return ErrHeadersNotSupported
	case l.maxPayload > 0 && int64(hdr+data) > l.maxPayload:
		return ErrMaxPayload
	}
	return nil
}

// serverTakes notes that the server's limits have changed.
func (o *outbox) serverTakes(l *serverLimits) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.takeLimitsLocked(l)
}

func (o *outbox) takeLimitsLocked(l *serverLimits) {
	o.server = l
	o.like.length = 0 // what the old limits took was checked against them only
}

// abandon gives up everything that is left, for a reason, and all memory. With
// keep it returns what that was. The writer must have ended.
func (o *outbox) abandon(reason error, keep bool) (left []*Msg) {
	o.mu.Lock()
	defer o.unlock()
	if o.last != nil {
		o.tickLocked()
		o.part = 0
		o.sent.settle()
		for k := o.sent; k.i < k.c.frames; k.step() {
			if !k.c.frame(k.i).isHeld() {
				continue
			}
			if keep {
				left = append(left, decodePublish(k.bytes()))
			}
			o.giveUpLocked(k, reason)
		}
	}
	o.bytes, o.msgs, o.control, o.dead, o.part = 0, 0, 0, 0, 0
	if o.keep != nil {
		o.keep.againMsgs, o.keep.again = 0, 0
	}
	clear(o.ages)
	o.resetLocked()
	o.coolLocked()
	return left
}

// takeGone returns the lowest position given up since the last call; none: the
// largest number.
func (o *outbox) takeGone() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	gone := o.gone
	o.gone = noPosition
	return gone
}

// noPosition is behind every position.
const noPosition = ^uint64(0)

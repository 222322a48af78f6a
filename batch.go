package nats

import "net"

const (
	// batchBytes bounds what one write is given, so that memory is given back
	// and waiting publishers go on while a long buffer drains.
	batchBytes = 1 << 20
	// pongsAtOnce is how many owed PONGs go into one batch.
	pongsAtOnce = 64
)

var pongs = func() (b []byte) {
	for range pongsAtOnce {
		b = append(b, "PONG\r\n"...)
	}
	return b
}()

// A batch is what the writer hands to the kernel in one call: slices of the
// ring, not copies. Between take and advance it is the writer's; publishers
// append only behind it, and nothing in it is given back.
type batch struct {
	vec  [][]byte
	size int
	most uint64      // bytes of frames that it is to have, about
	rest net.Buffers // what is left of vec while it is written
}

func (b *batch) reset() { b.vec, b.size = b.vec[:0], 0 }

func (b *batch) add(p []byte) {
	if len(p) > 0 {
		b.vec = append(b.vec, p)
		b.size += len(p)
	}
}

// take waits until there is something to send and fills b with it. False means
// that the session is over and the writer must end.
func (o *outbox) take(b *batch) bool {
	o.lock()
	defer o.mu.Unlock()
	return o.takeLocked(b)
}

// next is advance and take with one lock, and with a pause between them if the writer
// should linger.
func (o *outbox) next(b *batch, n int) bool {
	o.lock()
	o.advanceLocked(n)
	if given, crossed := o.newsLocked(); given || crossed {
		o.mu.Unlock()
		o.tell(given, crossed)
		o.lock()
	}
	if o.lingersLocked() {
		msgs := o.msgs
		o.mu.Unlock()
		linger()
		o.lock()
		o.linger.learn(o.msgs - msgs)
	}
	defer o.mu.Unlock()
	return o.takeLocked(b)
}

func (o *outbox) takeLocked(b *batch) bool {
	for o.state == boxAttached {
		if o.onReplay != nil && o.replayedLocked() {
			f := o.onReplay
			o.onReplay = nil
			o.mu.Unlock()
			f()
			o.lock()
			continue
		}
		if o.pendingLocked() {
			limit, wait := o.paceLocked()
			if wait != 0 {
				o.restLocked(wait)
				continue
			}
			if b.most > 0 {
				limit = min(limit, b.most)
			}
			o.gatherLocked(b, limit)
			o.linger.streak++
			return true
		}
		if o.parting == nil && (o.keep == nil || o.keep.msgs == 0) {
			o.signalEmptyLocked()
		}
		o.armLocked()
		o.coolLocked()
		o.linger.streak = 0
		o.idle = true
		o.ready.Wait()
		o.idle = false
		o.yieldLocked()
	}
	o.coolLocked()
	return false
}

// replayedLocked reports whether the kernel has the session's first bytes and
// all that was buffered when it began.
func (o *outbox) replayedLocked() bool {
	if len(o.ahead) > o.aheadAt {
		return false
	}
	return o.replayOutLocked()
}

// pendingLocked reports whether anything is left to send. Dead frames that were
// the last ones held go first.
func (o *outbox) pendingLocked() bool {
	if o.dead > 0 && o.part == 0 && o.inHand == 0 {
		o.skipDeadLocked()
		o.freeLocked()
	}
	return o.sendableLocked() || len(o.ahead) > o.aheadAt || o.owed > 0 || o.askDueLocked() || o.partingDueLocked()
}

// gatherLocked fills b. What goes ahead is put in front, but never into the
// middle of a frame: if one is half sent while something waits to go ahead,
// the batch ends with that frame. limit bounds the frames, in bytes.
func (o *outbox) gatherLocked(b *batch, limit uint64) {
	b.reset()
	o.tickLocked()
	o.topUpAheadLocked()
	waiting := len(o.ahead) > o.aheadAt
	if waiting && o.part == 0 {
		b.add(o.ahead[o.aheadAt:])
	}
	if o.sendableLocked() {
		ahead := b.size
		o.collectFramesLocked(b, waiting, limit)
		o.pace.left -= float64(b.size - ahead)
	}
	o.trailLocked(b)
}

func (o *outbox) collectFramesLocked(b *batch, waiting bool, limit uint64) {
	o.sent.settle()
	if (waiting || o.parting != nil) && o.part > 0 {
		rest := o.sent.c.frame(o.sent.i).size() - o.part
		o.collectLocked(b, o.sent.pos+uint64(o.part), uint64(rest))
		return
	}
	if o.dead == 0 && o.keep == nil {
		o.collectLocked(b, o.sent.pos+uint64(o.part), limit)
		return
	}
	o.collectLiveLocked(b, limit)
}

// topUpAheadLocked turns owed PONGs into bytes once the last ones are out, and has
// the farewell said.
func (o *outbox) topUpAheadLocked() {
	if len(o.ahead) > o.aheadAt {
		return
	}
	if o.part == 0 && o.partingDueLocked() {
		o.sayFarewellLocked()
		return
	}
	if o.owed == 0 {
		return
	}
	n := min(o.owed, pongsAtOnce)
	o.owed -= n
	o.ahead, o.aheadAt = pongs[:n*len("PONG\r\n")], 0
}

// collectLocked adds up to limit bytes from position pos, chunk by chunk.
func (o *outbox) collectLocked(b *batch, pos, limit uint64) {
	c := o.sent.c
	for c != nil && pos >= c.end() {
		c = c.next
	}
	for ; c != nil && limit > 0; c = c.next {
		at := int(pos - c.base)
		n := min(uint64(c.used-at), limit)
		b.add(c.buf[at : at+int(n)])
		pos += n
		limit -= n
	}
	o.inHand = pos
}

// collectLiveLocked adds the live frames, one run of neighbours at a time.
func (o *outbox) collectLiveLocked(b *batch, limit uint64) {
	k := o.sent
	from := k.pos + uint64(o.part)
	for k.i < k.c.frames && uint64(b.size)+(k.pos-min(from, k.pos)) < limit {
		if !k.c.frame(k.i).isDead() {
			k.step()
			continue
		}
		o.collectRunLocked(b, from, k.pos)
		k.step()
		from = k.pos
	}
	o.collectRunLocked(b, from, k.pos)
}

func (o *outbox) collectRunLocked(b *batch, from, to uint64) {
	if to > from {
		o.collectLocked(b, from, to-from)
	}
}

// advance accounts for n bytes that the kernel took: first what went ahead, if
// the batch began with it, then frames. Frames taken whole are given back.
func (o *outbox) advance(n int) {
	o.lock()
	defer o.unlock()
	o.advanceLocked(n)
}

func (o *outbox) advanceLocked(n int) {
	o.progress += uint64(n)
	o.inHand = 0
	if o.part == 0 {
		k := min(n, len(o.ahead)-o.aheadAt)
		o.aheadAt += k
		n -= k
		if o.aheadAt == len(o.ahead) {
			o.ahead, o.aheadAt = nil, 0
		}
	}
	if o.sent.pos < o.tail {
		n = o.passLocked(n)
	}
	o.passTrailLocked(n)
	if o.keep != nil {
		o.releaseLocked()
		return
	}
	o.freeLocked()
	o.roomyLocked()
}

// roomyLocked lets publishers that wait look again once there is half of all room.
func (o *outbox) roomyLocked() {
	o.caughtUpLocked()
	if o.room == nil || o.paused {
		return
	}
	msgs, bytes := o.totalLocked()
	if bytes <= o.window/2 && (o.keep == nil || o.limits.msgs <= 0 || msgs <= o.limits.msgs/2) {
		o.releaseWaitersLocked()
	}
}

// passLocked moves sent over n bytes of live frames and the dead ones between. It
// returns how many of the n were none of frames.
func (o *outbox) passLocked(n int) int {
	end := o.tail
	if o.keep != nil && o.keep.trail > 0 {
		end = o.keep.trail
	}
	o.skipDeadLocked()
	for n > 0 && o.sent.pos < end {
		if k := o.passRunLocked(min(n, int(end-o.sent.pos))); k > 0 {
			n -= k
			o.skipDeadLocked()
			continue
		}
		f := o.sent.c.frame(o.sent.i)
		rest := f.size() - o.part
		if n < rest {
			o.part += n
			return 0
		}
		n -= rest
		o.part = 0
		switch {
		case f.isPing():
			o.control--
			o.passPingLocked(o.sent.pos + uint64(f.size()))
		case f.isControl():
			o.control--
		default:
			o.passPublishLocked(f)
		}
		o.sent.step()
		o.skipDeadLocked()
	}
	return n
}

// passRunLocked moves sent over the plain publishes at it that lie in n bytes whole,
// as far as its chunk goes: there are most of those, and they are counted together.
// It returns their bytes.
func (o *outbox) passRunLocked(n int) int {
	k := o.keep
	if o.part > 0 || len(o.ages) > 0 || k != nil && o.sent.pos < k.repeatTo {
		return 0
	}
	msgs, bytes := o.sent.run(n)
	o.msgs -= msgs
	o.bytes -= bytes
	o.count.passedAll(msgs)
	if k != nil {
		k.msgs += msgs
		k.bytes += bytes
	}
	return int(bytes)
}

func (o *outbox) passPingLocked(end uint64) {
	if o.keep != nil {
		o.keep.askedTo = max(o.keep.askedTo, end)
		return
	}
	o.count.passedPing(end, o.proven)
}

// passPublishLocked accounts for the publish at sent, which the kernel has whole.
func (o *outbox) passPublishLocked(f frameInfo) {
	size := int64(f.size())
	o.bytes -= size
	o.msgs--
	o.count.passed()
	k := o.keep
	if k == nil {
		if len(o.ages) > 0 {
			delete(o.ages, o.sent.pos)
		}
		return
	}
	if o.sent.pos < k.repeatTo {
		k.againMsgs--
		k.again -= size
		o.count.repeated++
	}
	if f.isSpent() {
		k.spent--
		o.deadBytes += size
		o.sent.c.setFrame(o.sent.i, f|frameDead)
		return
	}
	k.msgs++
	k.bytes += size
}

// skipDeadLocked moves sent over dead frames. A dead frame is never half sent.
func (o *outbox) skipDeadLocked() {
	if o.last == nil {
		return
	}
	tied := o.keep != nil && o.keep.from.pos == o.sent.pos
	o.sent.settle()
	for o.dead > 0 && o.sent.i < o.sent.c.frames && o.sent.c.frame(o.sent.i).isDead() {
		o.dead--
		if o.keep == nil || tied {
			o.deadBytes -= int64(o.sent.c.frame(o.sent.i).size())
		}
		o.sent.step()
	}
	if tied {
		o.keep.from = o.sent
	}
}

// freeLocked gives back the chunks that nothing is needed of, all of them once
// nothing is left.
func (o *outbox) freeLocked() {
	first := &o.sent
	if o.keep != nil {
		first = &o.keep.from
	}
	if first.pos == o.tail {
		o.resetLocked()
		return
	}
	first.settle()
	o.sent.settle() // it must not stay behind in a chunk that goes
	for o.head != first.c {
		c := o.head
		o.head = c.next
		o.giveBackLocked(c)
	}
}

// resetLocked empties the ring; positions go on.
func (o *outbox) resetLocked() {
	for c := o.head; c != nil; {
		next := c.next
		o.giveBackLocked(c)
		c = next
	}
	o.head, o.last, o.sent = nil, nil, cursor{pos: o.tail}
	o.moves, o.deadBytes = nil, 0
	if o.keep != nil {
		o.keep.from = o.sent
	}
}

package nats

import (
	"cmp"
	"slices"
	"time"
)

// A frame that is given up or withdrawn stays in the ring, dead, until what is older
// has gone. In a long outage that can be much more than what is live: requests that
// time out behind one message that waits. Then the live frames are moved together.
//
// They are moved to the tail, because positions never go back. Callers know a frame
// by the position that it had at first, so there is a list of the moves.

// move is a frame that is not where it was appended. The list of them is sorted by
// both positions, because the order of the frames stays.
type move struct{ from, to uint64 }

// compactSlack is how much more dead frames than live ones may be held.
const compactSlack = 1 << 20

// compactIfDueLocked moves the live frames together if that is worth it. Only
// without a session: nobody else has a cursor then.
func (o *outbox) compactIfDueLocked() {
	if o.deadBytes > o.bytes+o.slack && o.state == boxDetached && !o.settling {
		o.compactLocked()
	}
}

func (o *outbox) compactLocked() {
	k := o.sent
	k.settle()
	begin := o.tail
	moves := make([]move, 0, o.msgs)
	var ages map[uint64]time.Duration
	marks := []*uint64{}
	if o.keep != nil {
		marks = append(marks, &o.keep.repeatTo, &o.keep.carefulTo)
	}
	ends := make([]uint64, len(marks))
	o.head, o.last = nil, nil
	for k.i < k.c.frames {
		if k.c.frame(k.i).isHeld() {
			at := o.copyLocked(k)
			moves = append(moves, move{from: o.originLocked(k.pos), to: at})
			if own, ok := o.ages[k.pos]; ok {
				if ages == nil {
					ages = make(map[uint64]time.Duration)
				}
				ages[at] = own
			}
			for i, mark := range marks {
				if k.pos < *mark {
					ends[i] = o.tail
				}
			}
		}
		c := k.c
		k.step()
		for c != k.c { // its frames are all copied
			next := c.next
			c.next = nil
			chunkPool.Put(c)
			c = next
		}
	}
	k.c.next = nil
	chunkPool.Put(k.c)
	for i, mark := range marks {
		*mark = ends[i]
	}
	o.moves, o.movedBelow, o.ages = moves, begin, ages
	o.dead, o.deadBytes, o.blame = 0, 0, 0
	if o.last == nil {
		o.resetLocked()
	}
}

// copyLocked appends a copy of a frame, with its kind and time.
func (o *outbox) copyLocked(k cursor) (at uint64) {
	f := k.c.frame(k.i)
	left := f.size()
	c := o.openLocked(left)
	c.addFrame(f, k.c.stamp(k.i))
	at = o.tail
	for c, from := k.c, int(k.pos-k.c.base); left > 0; c, from = c.next, 0 {
		n := min(left, c.used-from)
		o.spillLocked(c.buf[from : from+n])
		left -= n
	}
	return at
}

// currentLocked is where the frame is that was appended at a position; false: it is
// not in the ring any more.
func (o *outbox) currentLocked(pos uint64) (uint64, bool) {
	if pos >= o.movedBelow {
		return pos, true
	}
	i, ok := slices.BinarySearchFunc(o.moves, pos, func(m move, pos uint64) int { return cmp.Compare(m.from, pos) })
	if !ok {
		return 0, false
	}
	return o.moves[i].to, true
}

// originLocked is where the frame at a position was appended.
func (o *outbox) originLocked(pos uint64) uint64 {
	i, ok := slices.BinarySearchFunc(o.moves, pos, func(m move, pos uint64) int { return cmp.Compare(m.to, pos) })
	if !ok {
		return pos
	}
	return o.moves[i].from
}

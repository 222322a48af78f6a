package nats

import (
	"math"
	"sync"
	"sync/atomic"
)

// handMost is how many messages a delivery goroutine takes out of the queue at once: a
// piece of it, which is no larger than a slab.
const handMost = slabMsgs

// hand is what a delivery goroutine has taken out of the queue, so that it needs the
// subscription's lock once for many messages. It begins a message by counting next
// up. Who has the lock can see how far it is (bookLocked) and take back what it has
// not begun (recallLocked), so to everybody else it is as if each message were taken
// by itself.
type hand struct {
	next atomic.Int64 // messages begun; recalled: no more are to be
	msgs []Msg

	// Under the subscription's lock.
	n           int           // messages
	upTo        [handMost]int // bytes of the first ones, that one included
	begun, done int           // messages that the subscription's counters know as such
}

const recalled = math.MaxInt32

var hands = sync.Pool{New: func() any { return new(hand) }}

// take begins the next message; nil: there is none. Only the delivery goroutine calls
// it, with the number of messages that its turn had.
func (h *hand) take(n int) *Msg {
	i := h.next.Add(1) - 1
	if i >= int64(n) {
		return nil
	}
	return &h.msgs[i]
}

// fillLocked takes messages out of the queue: none that an end or a barrier could
// come before.
func (s *Subscription) fillLocked(h *hand) (n int) {
	most := handMost
	if s.max > 0 {
		most = int(min(uint64(most), s.max-s.delivered))
	}
	if len(s.barriers) > 0 {
		most = min(most, s.barriers[0].ahead)
	}
	h.msgs = s.queue.take(most)
	bytes := 0
	for i := range h.msgs {
		bytes += len(h.msgs[i].Data)
		h.upTo[i] = bytes
	}
	n = len(h.msgs)
	h.n, h.begun, h.done = n, 0, 0
	h.next.Store(0)
	return n
}

// bookLocked brings the counters up to date with the delivery goroutine. The message
// that it has begun last counts as not done.
func (s *Subscription) bookLocked() {
	if h := s.hand; h != nil {
		begun := int(min(h.next.Load(), int64(h.n)))
		s.accountLocked(h, begun, max(begun-1, 0))
	}
}

// accountLocked notes how many messages of a hand are begun and done.
func (s *Subscription) accountLocked(h *hand, begun, done int) {
	s.delivered += uint64(begun - h.begun)
	h.begun = begun
	if done == h.done {
		return
	}
	bytes, msgs := h.upTo[done-1], done-h.done
	if h.done > 0 {
		bytes -= h.upTo[h.done-1]
	}
	h.done = done
	if s.ended == nil {
		s.pendingMsgs -= msgs
		s.pendingBytes -= bytes
	}
	for i := range s.barriers {
		s.barriers[i].ahead -= msgs
	}
}

// recallLocked puts what the delivery goroutine has not begun back into the queue.
func (s *Subscription) recallLocked() {
	h := s.hand
	if h == nil {
		return
	}
	begun := int(min(h.next.Swap(recalled), int64(h.n)))
	s.queue.putBack(h.msgs[begun:h.n])
	h.n = begun
	s.accountLocked(h, begun, max(begun-1, 0))
}

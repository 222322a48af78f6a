package nats

import "sync/atomic"

// barrier is a function that waits for several subscriptions.
type barrier struct {
	away atomic.Int64 // subscriptions that have not got there
	f    func()
}

// arrive counts a subscription; the last one runs the function.
func (b *barrier) arrive() {
	if b.away.Add(-1) == 0 {
		b.f()
	}
}

// subBarrier is a barrier in the queue of a subscription.
type subBarrier struct {
	*barrier
	ahead int // messages that are to be handled before it
}

// Barrier runs f once, when the handlers of all subscriptions have handled what
// had been queued for them before this call, on the delivery goroutine of the
// last one; if no subscription has a handler, at once and before Barrier returns.
// Subscriptions that end meanwhile do not wait for what they discard.
// Synchronous and channel subscriptions do not count.
//
// Errors: [ErrConnectionClosed]; f is not run then.
func (nc *Conn) Barrier(f func()) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if nc.IsClosed() {
		return ErrConnectionClosed
	}
	subs := nc.subs.withHandler()
	if len(subs) == 0 {
		f()
		return nil
	}
	b := &barrier{f: f}
	b.away.Store(int64(len(subs)))
	for _, s := range subs {
		s.queueBarrier(b)
	}
	return nil
}

// withHandler lists the subscriptions that call a handler.
func (g *registry) withHandler() []*Subscription {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var list []*Subscription
	for _, s := range g.byID {
		if s.handler != nil {
			list = append(list, s)
		}
	}
	return list
}

// queueBarrier puts a barrier behind what is pending. One that has ended meanwhile
// needs its delivery goroutine too, so that f always runs on one.
func (s *Subscription) queueBarrier(b *barrier) {
	if s.appendBarrier(b) {
		s.conn.crew.add(s)
	}
}

func (s *Subscription) appendBarrier(b *barrier) (work bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recallLocked()
	s.barriers = append(s.barriers, subBarrier{b, s.pendingMsgs})
	return s.worksLocked()
}

// dueBarrierLocked takes the first barrier that everything of before was handled,
// or discarded, for; nil: there is none.
func (s *Subscription) dueBarrierLocked() *barrier {
	if len(s.barriers) == 0 {
		return nil
	}
	first := s.barriers[0]
	if first.ahead > 0 && s.ended == nil && !s.spentLocked() {
		return nil
	}
	s.barriers = s.barriers[1:]
	return first.barrier
}

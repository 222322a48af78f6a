package nats

// msgRun is what came for one subscription in one read.
type msgRun struct {
	sub   *Subscription
	list  msgList
	bytes int
}

func (r *msgRun) add(m *Msg, follows bool) {
	r.list.add(m, follows)
	r.bytes += len(m.Data)
}

// outcome is what the read loop has to do after it handed over a run, once the
// subscription's lock is gone.
type outcome struct {
	slow  int  // how often messages were dropped for the first time since all was well
	spent bool // the maximum of AutoUnsubscribe is reached
	work  bool // the handler has something to do, and no goroutine to do it
}

// push queues a run. It never blocks: what is beyond the limits is dropped.
func (s *Subscription) push(r *msgRun) outcome {
	if s.mux != nil {
		return s.pushReplies(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		r.list.discard()
		return outcome{}
	}
	if s.kind == ChanSubscription {
		return s.pushChanLocked(r)
	}
	s.bookLocked()
	out, added := s.takeInLocked(r)
	if added == 0 {
		return out
	}
	if s.kind == SyncSubscription {
		s.wakeLocked(added)
	} else {
		out.work = s.worksLocked()
	}
	return out
}

// takeInLocked queues what the limits allow of a run: all of it at once where none
// is in reach.
func (s *Subscription) takeInLocked(r *msgRun) (out outcome, added int) {
	if s.fitsLocked(r.list.msgs, r.bytes) {
		added = r.list.msgs
		s.enqueueLocked(&r.list, r.bytes)
		return out, added
	}
	for m := range r.list.all {
		if n := len(m.Data); s.fitsLocked(1, n) {
			var one msgList
			one.add(m, false)
			s.enqueueLocked(&one, n)
			added++
		} else {
			out.slow += s.dropLocked()
		}
	}
	return out, added
}

// worksLocked notes that the subscription has work. True: nobody has it in hand, and the
// caller has to give it to the connection's crew.
func (s *Subscription) worksLocked() bool {
	fresh := !s.working
	s.working = true
	return fresh
}

// fitsLocked reports whether so much more keeps within the limits.
func (s *Subscription) fitsLocked(msgs, bytes int) bool {
	return (s.limitMsgs <= 0 || s.pendingMsgs+msgs <= s.limitMsgs) &&
		(s.limitBytes <= 0 || s.pendingBytes+bytes <= s.limitBytes) &&
		(s.capacity <= 0 || s.queue.msgs+msgs <= s.capacity)
}

// dropLocked counts a dropped message; 1 if it is the first since the last one
// that was taken in.
func (s *Subscription) dropLocked() int {
	s.dropped++
	s.conn.dropped.Add(1)
	if s.slow {
		return 0
	}
	s.slowLocked(true)
	return 1
}

func (s *Subscription) enqueueLocked(list *msgList, bytes int) {
	s.pendingMsgs += list.msgs
	s.pendingBytes += bytes
	s.queue.append(list)
	s.peakMsgs = max(s.peakMsgs, s.pendingMsgs)
	s.peakBytes = max(s.peakBytes, s.pendingBytes)
	if s.slow {
		s.slowLocked(false)
	}
}

// deliver calls the handler for what is queued, one message at a time, off every lock,
// until nothing is or the subscription has ended. It is a delivery goroutine's.
func (s *Subscription) deliver(h *hand) {
	var t turn
	for t = s.turn(h); !t.idle; t = s.turn(h) {
		if t.barrier != nil {
			t.barrier.arrive()
			continue
		}
		for m := h.take(t.msgs); m != nil; m = h.take(t.msgs) {
			s.handler(m)
		}
	}
	if t.over {
		s.conn.subs.over(s)
	}
	s.tellClosed()
}

// turn is what the delivery goroutine does next.
type turn struct {
	msgs    int      // give so many of its hand to the handler
	barrier *barrier // arrive there
	idle    bool     // end
	over    bool     // and the subscription has had all it is going to get
}

// turn settles the messages that the handler is done with and takes the next.
func (s *Subscription) turn(h *hand) turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hand == h {
		s.accountLocked(h, h.n, h.n)
		s.hand, h.msgs = nil, nil
	}
	if b := s.dueBarrierLocked(); b != nil {
		return turn{barrier: b}
	}
	if s.ended == nil && !s.spentLocked() {
		if n := s.fillLocked(h); n > 0 {
			s.hand = h
			return turn{msgs: n}
		}
	}
	s.working = false
	return turn{idle: true, over: s.ended == nil && s.overLocked()}
}

// spentLocked reports whether the maximum of AutoUnsubscribe is reached.
func (s *Subscription) spentLocked() bool { return s.max > 0 && s.delivered >= s.max }

// pushChanLocked sends to the program's channel as far as there is room.
func (s *Subscription) pushChanLocked(r *msgRun) (out outcome) {
	for m := range r.list.all {
		if s.spentLocked() {
			break
		}
		if !offerMsg(s.ch, m) {
			out.slow += s.dropLocked()
			continue
		}
		s.delivered++
		if s.slow {
			s.slowLocked(false)
		}
	}
	r.list.discard()
	out.spent = s.spentLocked()
	return out
}

// offerMsg sends without blocking. A program that has closed its channel while
// the subscription lives loses the message, not its process.
func offerMsg(ch chan *Msg, m *Msg) (sent bool) {
	defer ignoreClosedChannel()
	select {
	case ch <- m:
		return true
	default:
		return false
	}
}

// pushReplies hands the run to the requests that wait for it.
func (s *Subscription) pushReplies(r *msgRun) outcome {
	n := r.list.msgs
	for m := range r.list.all {
		s.mux.reply(m)
	}
	s.mu.Lock()
	s.delivered += uint64(n)
	s.mu.Unlock()
	return outcome{}
}

// popLocked takes a message for NextMsg: a message, an error, or neither if the
// caller may wait. over says that no more will come behind this one.
func (s *Subscription) popLocked() (m *Msg, over bool, err error) {
	switch {
	case s.ended == ErrConnectionClosed, s.ended == ErrMaxMessages:
		return nil, false, s.ended
	case s.ended != nil:
		return nil, false, ErrBadSubscription
	case s.kind == AsyncSubscription:
		return nil, false, ErrSyncSubRequired
	case s.spentLocked():
		return nil, false, ErrMaxMessages
	case s.refused != nil:
		return nil, false, s.refused
	case s.slow:
		s.slowLocked(false)
		return nil, false, ErrSlowConsumer
	case s.kind == ChanSubscription:
		select {
		case m, ok := <-s.ch:
			return chanMsg(m, ok)
		default:
			return nil, false, nil
		}
	}
	if m = s.queue.pop(); m == nil {
		return nil, false, nil
	}
	s.pendingMsgs--
	s.pendingBytes -= len(m.Data)
	s.delivered++
	return m, s.overLocked(), nil
}

// chanMsg is the result of NextMsg on a channel, which the program may have
// closed.
func chanMsg(m *Msg, ok bool) (*Msg, bool, error) {
	if !ok || m == nil {
		return nil, false, ErrBadSubscription
	}
	return m, false, nil
}

// wakeLocked tells up to n waiting NextMsg calls to look again.
func (s *Subscription) wakeLocked(n int) {
	n = min(n, len(s.waiters))
	for _, w := range s.waiters[:n] {
		w.ready <- struct{}{} // has room: a waiter is told once for each time it registers
	}
	rest := copy(s.waiters, s.waiters[n:])
	clear(s.waiters[rest:])
	s.waiters = s.waiters[:rest]
}

// stopWaiting takes back a waiter that gives up. If it was told to look
// meanwhile, that goes to another one, for the message it was told of is there.
func (s *Subscription) stopWaiting(w *nextWaiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, x := range s.waiters {
		if x == w {
			s.waiters = append(s.waiters[:i], s.waiters[i+1:]...)
			return
		}
	}
	<-w.ready
	if s.queue.msgs > 0 {
		s.wakeLocked(1)
	}
}

// end makes the subscription stop for the given reason and discards its queue;
// false if it had ended before.
func (s *Subscription) end(reason error) bool {
	discarded, ok := s.endQueue(reason)
	discarded.discard()
	return ok
}

func (s *Subscription) endQueue(reason error) (discarded msgList, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return msgList{}, false
	}
	s.recallLocked()
	s.ended = reason
	discarded, s.queue = s.queue, msgList{}
	s.pendingMsgs, s.pendingBytes = 0, 0
	s.tellStatusLocked()
	s.wakeLocked(len(s.waiters))
	return discarded, true
}

// remaining returns what a new session must be told: how many messages are
// still wanted (0: no maximum), and whether the maximum is reached already.
func (s *Subscription) remaining() (left uint64, spent bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bookLocked()
	switch {
	case s.max == 0:
		return 0, false
	case s.delivered >= s.max:
		return 0, true
	}
	return s.max - s.delivered, false
}

// limit sets the maximum of AutoUnsubscribe. spent: it is reached already.
func (s *Subscription) limit(max uint64) (spent bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return false, ErrBadSubscription
	}
	s.recallLocked()
	s.max = max
	return s.spentLocked(), nil
}

package nats

import "slices"

// SubStatus is the state of a subscription.
type SubStatus int

// The states of a subscription. The numbers are part of the API.
const (
	// SubscriptionActive: it takes messages.
	SubscriptionActive SubStatus = iota
	// SubscriptionDraining: it takes no new ones and ends once it has handed
	// over what it has.
	SubscriptionDraining
	// SubscriptionClosed: it has ended.
	SubscriptionClosed
	// SubscriptionSlowConsumer: messages were dropped at its limits since the last
	// one that it took, or since NextMsg said so.
	SubscriptionSlowConsumer
)

// String returns a name of the state, or "unknown status".
func (s SubStatus) String() string {
	switch s {
	case SubscriptionActive:
		return "Active"
	case SubscriptionDraining:
		return "Draining"
	case SubscriptionClosed:
		return "Closed"
	case SubscriptionSlowConsumer:
		return "SlowConsumer"
	}
	return "unknown status"
}

// subWatch is who wants to know of the states of a subscription; most have none.
// The subscription's lock guards it.
type subWatch struct {
	last      SubStatus // told last
	listeners map[chan SubStatus][]SubStatus
	onClosed  func(subject string)
}

// subStatusCap is how many changes a status channel holds.
const subStatusCap = 10

// StatusChanged returns a channel that receives the present state and every later
// change to one of the given states, or to any if none is given. It holds 10
// changes; one that finds it full is dropped. It is closed when the subscription
// ends, also with its connection.
func (s *Subscription) StatusChanged(statuses ...SubStatus) <-chan SubStatus {
	if len(statuses) == 0 {
		statuses = []SubStatus{
			SubscriptionActive, SubscriptionDraining, SubscriptionClosed, SubscriptionSlowConsumer,
		}
	}
	ch := make(chan SubStatus, subStatusCap)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.statusLocked()
	if slices.Contains(statuses, now) {
		ch <- now
	}
	if now == SubscriptionClosed {
		close(ch)
		return ch
	}
	w := s.watchLocked()
	if w.listeners == nil {
		w.listeners = make(map[chan SubStatus][]SubStatus)
	}
	w.listeners[ch] = slices.Clone(statuses)
	return ch
}

// SetClosedHandler sets what is called, with the subject, once the subscription
// has ended, for whatever reason: behind the last call of its handler or, without
// one, by the call that ended it. Set after the end it is not called.
func (s *Subscription) SetClosedHandler(handler func(subject string)) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil {
		s.watchLocked().onClosed = handler
	}
}

func (s *Subscription) watchLocked() *subWatch {
	if s.watch == nil {
		s.watch = &subWatch{last: s.statusLocked()}
	}
	return s.watch
}

func (s *Subscription) statusLocked() SubStatus {
	switch {
	case s.ended != nil:
		return SubscriptionClosed
	case s.drain != drainNone:
		return SubscriptionDraining
	case s.slow:
		return SubscriptionSlowConsumer
	}
	return SubscriptionActive
}

// slowLocked sets or clears the mark of a slow consumer.
func (s *Subscription) slowLocked(slow bool) {
	s.slow = slow
	s.tellStatusLocked()
}

// tellStatusLocked sends the state to the listeners if it has changed.
func (s *Subscription) tellStatusLocked() {
	w := s.watch
	if w == nil {
		return
	}
	now := s.statusLocked()
	if now == w.last {
		return
	}
	w.last = now
	for ch, wanted := range w.listeners {
		if slices.Contains(wanted, now) {
			select {
			case ch <- now:
			default:
			}
		}
		if now == SubscriptionClosed {
			close(ch)
		}
	}
	if now == SubscriptionClosed {
		w.listeners = nil
	}
}

// takeClosedHandler returns the call of the handler that is to be told of the end:
// the first caller gets it, once the subscription has ended and its delivery
// goroutine too; nil otherwise.
func (s *Subscription) takeClosedHandler() func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended == nil || s.working || s.watch == nil || s.watch.onClosed == nil {
		return nil
	}
	tell := s.watch.onClosed
	s.watch.onClosed = nil
	return func() { tell(s.Subject) }
}

// tellClosed calls the handler for the end if that has come, under no lock.
func (s *Subscription) tellClosed() {
	if tell := s.takeClosedHandler(); tell != nil {
		tell()
	}
}

// tellUnsubscribed is tellClosed for the call that ended the subscription. The end of
// one with a handler is told on a goroutine, as its messages are.
func (s *Subscription) tellUnsubscribed() {
	if s.kind == AsyncSubscription {
		s.tellClosedApart()
	} else {
		s.tellClosed()
	}
}

// tellClosedApart is tellClosed for those who must not wait for the program.
func (s *Subscription) tellClosedApart() {
	if tell := s.takeClosedHandler(); tell != nil {
		// Owned by the program: ends with its handler.
		go tell()
	}
}

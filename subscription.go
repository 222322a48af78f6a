package nats

import (
	"context"
	"errors"
	"sync"
	"time"
)

// MsgHandler is called for each message of an asynchronous subscription, one
// message at a time. It may call any method of the connection.
type MsgHandler func(msg *Msg)

// SubscriptionType says how a subscription hands over its messages.
type SubscriptionType int

// The kinds of subscriptions.
const (
	// AsyncSubscription calls a handler.
	AsyncSubscription SubscriptionType = iota
	// SyncSubscription is read with NextMsg.
	SyncSubscription
	// ChanSubscription sends to a channel of the program.
	ChanSubscription
	// NilSubscription is the type of a nil *Subscription.
	NilSubscription
	// PullSubscription asks a JetStream consumer for its messages.
	PullSubscription
)

// Default limits of what a subscription holds for a handler or for NextMsg.
const (
	// DefaultSubPendingMsgsLimit is the number of messages.
	DefaultSubPendingMsgsLimit = 500_000
	// DefaultSubPendingBytesLimit is the bytes of their data.
	DefaultSubPendingBytesLimit = 64 << 20
)

// Subscription is interest in a subject. Its messages wait in a queue of its
// own; it has a goroutine only while its handler has messages to work on.
type Subscription struct {
	// Subject as it was given, wildcards included.
	Subject string
	// Queue is the queue group, "" if none.
	Queue string

	// Written once before the subscription is registered.
	conn    *Conn
	sid     int64
	kind    SubscriptionType
	handler MsgHandler
	// capacity bounds the queue of a synchronous subscription whatever its
	// pending limits; 0: it is not bounded by number.
	capacity int
	ch       chan *Msg // of the program; only ChanSubscription
	mux      *requests // takes the replies to requests; only the request mux

	waits *Subscription // behind this one, for a goroutine of crew; under its lock

	mu sync.Mutex
	// Under mu.
	queue        msgList
	pendingMsgs  int // queued, in hand, and the one that the handler has
	pendingBytes int
	peakMsgs     int
	peakBytes    int
	limitMsgs    int // negative: none
	limitBytes   int
	delivered    uint64
	dropped      int
	max          uint64 // of AutoUnsubscribe; 0: none
	slow         bool   // dropped since a message was last taken in or NextMsg told
	working      bool   // a delivery goroutine has it, or it waits for one
	hand         *hand  // what it has taken out; nil: nothing
	drain        drainPhase
	refused      error // by the server; see PermissionErrOnSubscribe
	barriers     []subBarrier
	watch        *subWatch // nil: nobody wants to know of its states
	ended        error     // why there will be no more messages; nil while there may be
	waiters      []*nextWaiter
}

// nextWaiter is one NextMsg that found nothing. A value in ready means: look again.
type nextWaiter struct{ ready chan struct{} }

func (nc *Conn) nextWaiter() *nextWaiter {
	if w, ok := nc.waiters.Get().(*nextWaiter); ok {
		return w
	}
	return &nextWaiter{ready: make(chan struct{}, 1)}
}

// Type returns the kind of the subscription.
func (s *Subscription) Type() SubscriptionType {
	if s == nil {
		return NilSubscription
	}
	return s.kind
}

// IsValid reports whether the subscription can still receive: it has not ended
// and its connection is not closed.
func (s *Subscription) IsValid() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended == nil
}

// NextMsg returns the next message of a synchronous subscription and waits for
// one if there is none, up to timeout; 0 or less takes only what is queued.
//
// Errors: [ErrTimeout]; [ErrBadSubscription] once the subscription has ended, or
// [ErrMaxMessages] if that was by [Subscription.AutoUnsubscribe]; [ErrConnectionClosed];
// [ErrSyncSubRequired] on a subscription with a handler; [ErrSlowConsumer] once
// after messages were dropped; [ErrNoResponders] for the server's answer that
// nobody listens; with [PermissionErrOnSubscribe] the server's refusal.
func (s *Subscription) NextMsg(timeout time.Duration) (*Msg, error) {
	if s == nil {
		return nil, ErrBadSubscription
	}
	if m, err := s.tryNext(); m != nil || err != nil {
		return s.checkNext(m, err)
	}
	if timeout <= 0 {
		return nil, ErrTimeout
	}
	timer := s.conn.timers.start(timeout)
	defer s.conn.timers.stop(timer)
	m, err := s.waitNext(nil, timer.C)
	if errors.Is(err, errNextDone) {
		return nil, ErrTimeout
	}
	return s.checkNext(m, err)
}

// NextMsgWithContext is [Subscription.NextMsg] that waits until the context ends and then
// returns ctx.Err(), also if messages are queued. A nil context is
// [ErrInvalidContext].
func (s *Subscription) NextMsgWithContext(ctx context.Context) (*Msg, error) {
	if ctx == nil {
		return nil, ErrInvalidContext
	}
	if s == nil {
		return nil, ErrBadSubscription
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := s.waitNext(ctx.Done(), nil)
	if errors.Is(err, errNextDone) {
		return nil, ctx.Err()
	}
	return s.checkNext(m, err)
}

// checkNext gives the result of NextMsg its final form. That the connection is
// closed comes before why the subscription had ended.
func (s *Subscription) checkNext(m *Msg, err error) (*Msg, error) {
	switch {
	case err == nil && m.isNoResponders():
		return nil, ErrNoResponders
	case (err == ErrBadSubscription || err == ErrMaxMessages) && s.conn.IsClosed():
		return nil, ErrConnectionClosed
	}
	return m, err
}

// errNextDone means that waitNext was told to stop.
var errNextDone = errors.New("nats: done waiting")

// tryNext takes a message without waiting; nil and nil if there is none.
func (s *Subscription) tryNext() (*Msg, error) {
	s.mu.Lock()
	m, over, err := s.popLocked()
	s.mu.Unlock()
	if over {
		s.conn.subs.over(s)
		s.tellClosed()
	}
	return m, err
}

// waitNext takes a message, waiting until one of the two channels says stop.
func (s *Subscription) waitNext(done <-chan struct{}, timeout <-chan time.Time) (*Msg, error) {
	w := s.conn.nextWaiter()
	defer s.conn.waiters.Put(w)
	for {
		s.mu.Lock()
		m, over, err := s.popLocked()
		waiting := m == nil && err == nil
		if waiting {
			s.waiters = append(s.waiters, w)
		}
		s.mu.Unlock()
		if over {
			s.conn.subs.over(s)
			s.tellClosed()
		}
		if !waiting {
			return m, err
		}
		select {
		case <-w.ready:
			continue
		case m, ok := <-s.ch:
			s.stopWaiting(w)
			m, _, err := chanMsg(m, ok)
			return m, err
		case <-done:
		case <-timeout:
		}
		s.stopWaiting(w)
		return nil, errNextDone
	}
}

// Unsubscribe ends the subscription at once. Queued messages are discarded; a
// handler that is running finishes.
//
// Errors: [ErrConnectionClosed], [ErrBadSubscription] if it has ended already,
// [ErrConnectionDraining] while the connection drains.
func (s *Subscription) Unsubscribe() error {
	if s == nil {
		return ErrBadSubscription
	}
	return s.conn.unsubscribe(s, 0)
}

// AutoUnsubscribe ends the subscription by itself once max messages in all were
// delivered; with max of 0 or less, or if as many were delivered already, it
// ends now. A later call replaces the number.
//
// Errors: [ErrBadSubscription] if it has ended, [ErrConnectionClosed].
func (s *Subscription) AutoUnsubscribe(max int) error {
	if s == nil {
		return ErrBadSubscription
	}
	return s.conn.unsubscribe(s, max)
}

// SetPendingLimits sets how many messages and how many bytes of data may wait
// for the handler or for [Subscription.NextMsg]. Negative means no limit. What is queued
// already stays. Beyond the limit new messages are dropped and the connection's
// [ErrorHandler] is told [ErrSlowConsumer].
//
// Errors: [ErrInvalidArg] if either is 0, [ErrBadSubscription] if it has ended,
// [ErrTypeSubscription] for a channel, whose capacity is its limit.
func (s *Subscription) SetPendingLimits(msgLimit, bytesLimit int) error {
	return s.inspect(func() error {
		if msgLimit == 0 || bytesLimit == 0 {
			return ErrInvalidArg
		}
		s.limitMsgs, s.limitBytes = msgLimit, bytesLimit
		return nil
	})
}

// PendingLimits returns the limits in force. Errors are those of Pending.
func (s *Subscription) PendingLimits() (msgs, bytes int, err error) {
	return s.pair(func() (int, int) { return s.limitMsgs, s.limitBytes })
}

// Pending returns how many messages wait, and the bytes of their data. The
// message that a handler is working on counts. With an error, both are -1:
// [ErrBadSubscription] if it has ended, [ErrTypeSubscription] for a channel.
func (s *Subscription) Pending() (msgs, bytes int, err error) {
	return s.pair(func() (int, int) { return s.pendingMsgs, s.pendingBytes })
}

// MaxPending returns the most that ever waited. Errors are those of Pending.
func (s *Subscription) MaxPending() (msgs, bytes int, err error) {
	return s.pair(func() (int, int) { return s.peakMsgs, s.peakBytes })
}

// ClearMaxPending starts MaxPending anew. Errors are those of Pending.
func (s *Subscription) ClearMaxPending() error {
	return s.inspect(func() error {
		s.peakMsgs, s.peakBytes = 0, 0
		return nil
	})
}

// QueuedMsgs is the number of messages of Pending.
func (s *Subscription) QueuedMsgs() (int, error) {
	n, _, err := s.Pending()
	return n, err
}

// Delivered returns how many messages were handed over: to the handler, by
// [Subscription.NextMsg], or to the channel. On a subscription that has ended it is -1 and
// [ErrBadSubscription].
func (s *Subscription) Delivered() (int64, error) {
	if s == nil {
		return -1, ErrBadSubscription
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return -1, ErrBadSubscription
	}
	s.bookLocked()
	return int64(s.delivered), nil
}

// Dropped returns how many messages were dropped at the pending limits. On a
// subscription that has ended it is -1 and [ErrBadSubscription].
func (s *Subscription) Dropped() (int, error) {
	if s == nil {
		return -1, ErrBadSubscription
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil {
		return -1, ErrBadSubscription
	}
	return s.dropped, nil
}

// inspect runs f under the lock on a live subscription that has a queue.
func (s *Subscription) inspect(f func() error) error {
	if s == nil {
		return ErrBadSubscription
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended != nil:
		return ErrBadSubscription
	case s.kind == ChanSubscription:
		return ErrTypeSubscription
	}
	s.bookLocked()
	return f()
}

func (s *Subscription) pair(f func() (int, int)) (a, b int, err error) {
	a, b = -1, -1
	err = s.inspect(func() error {
		a, b = f()
		return nil
	})
	return a, b, err
}

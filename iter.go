package nats

import (
	"errors"
	"iter"
	"time"
)

// Msgs iterates over the messages of a synchronous subscription, and waits for
// them without limit. At the first error of [Subscription.NextMsg] that is yielded
// and the loop ends; [ErrBadSubscription] and [ErrMaxMessages] are among these. To leave the loop
// does not end the subscription.
func (s *Subscription) Msgs() iter.Seq2[*Msg, error] {
	return func(yield func(*Msg, error) bool) {
		for {
			m, err := s.nextMsg()
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

// nextMsg is NextMsg without a limit.
func (s *Subscription) nextMsg() (*Msg, error) {
	if s == nil {
		return nil, ErrBadSubscription
	}
	return s.checkNext(s.waitNext(nil, nil))
}

// MsgsTimeout is Msgs that waits for each message up to timeout. [ErrTimeout] is
// yielded too, but does not end the loop.
func (s *Subscription) MsgsTimeout(timeout time.Duration) iter.Seq2[*Msg, error] {
	return func(yield func(*Msg, error) bool) {
		for {
			m, err := s.NextMsg(timeout)
			if !yield(m, err) || err != nil && !errors.Is(err, ErrTimeout) {
				return
			}
		}
	}
}

package nats

import (
	"errors"
	"strings"
)

// PermissionErrOnSubscribe makes the NextMsg calls of a synchronous subscription,
// those that wait included, return the server's refusal of it, which wraps
// ErrPermissionViolation, until there is another server. Without it, and for other
// subscriptions, only the ErrorHandler is told. Default off.
func PermissionErrOnSubscribe(enabled bool) Option {
	return set(func(o *Options) { o.PermissionErrOnSubscribe = enabled })
}

// subscriptionRefused notes a refusal on the subscriptions that it is about.
func (nc *Conn) subscriptionRefused(err error) {
	if !nc.Opts.PermissionErrOnSubscribe || !errors.Is(err, ErrPermissionViolation) {
		return
	}
	subject, queue, ok := refusedSubscription(err.Error())
	if ok {
		nc.subs.refuse(subject, queue, err)
	}
}

// refusedSubscription finds the subject and the queue group in the server's text:
// Subscription to "subject" using queue "group".
func refusedSubscription(text string) (subject, queue string, ok bool) {
	_, rest, ok := strings.Cut(text, `Subscription to "`)
	if !ok {
		return "", "", false
	}
	subject, rest, ok = strings.Cut(rest, `"`)
	if !ok || subject == "" || hasSpace(subject) {
		return "", "", false
	}
	if _, q, found := strings.Cut(rest, `using queue "`); found {
		if q, _, whole := strings.Cut(q, `"`); whole {
			queue = q
		}
	}
	return subject, queue, true
}

// refuse notes an error on all synchronous subscriptions with this subject and
// group; their first one stays.
func (g *registry) refuse(subject, queue string, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, s := range g.byID {
		if s.kind == SyncSubscription && s.Subject == subject && s.Queue == queue {
			s.refuse(err)
		}
	}
}

func (s *Subscription) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused == nil {
		s.refused = err
		s.wakeLocked(len(s.waiters))
	}
}

// forgive forgets a refusal: another server may think otherwise.
func (s *Subscription) forgive() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = nil
}

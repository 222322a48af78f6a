package nats

import "strings"

// denied passes what the server says against a subscription on to those that it is
// about, if the program wants that.
func (nc *Conn) denied(text string, err error) {
	if !nc.Opts.PermissionErrOnSubscribe {
		return
	}
	subject, ok := quotedBehind(text, "Subscription to ")
	if !ok {
		return
	}
	queue, _ := quotedBehind(text, "using queue ")
	nc.subs.deny(subject, queue, err)
}

// quotedBehind returns what stands in double quotes behind the given words.
func quotedBehind(text, words string) (string, bool) {
	_, rest, ok := strings.Cut(text, words+`"`)
	if !ok {
		return "", false
	}
	quoted, _, ok := strings.Cut(rest, `"`)
	return quoted, ok && quoted != ""
}

// deny records an error on the synchronous subscriptions to a subject as members
// of a queue group, "" for none.
func (g *registry) deny(subject, queue string, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	for _, s := range g.byID {
		if s.kind == SyncSubscription && s.Subject == subject && s.Queue == queue {
			s.deny(err)
		}
	}
}

// deny makes NextMsg return err from now on; with nil no more.
func (s *Subscription) deny(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied = err
	if err != nil {
		s.wakeLocked(len(s.waiters))
	}
}

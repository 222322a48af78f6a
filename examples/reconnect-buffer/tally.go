package main

import (
	"maps"

	"github.com/natsring/nats.go/internal/numset"
)

// A tally is what the ledger comes to at the end.
type tally struct {
	accepted  int
	refused   map[string]int // by error
	cut       int            // not taken, because the run ended while Publish waited
	delivered int            // different messages of those accepted
	repeated  int            // deliveries beyond the first
	disorder  int            // deliveries behind a higher number
	phantoms  int            // sent or delivered although Publish refused them
	damaged   int            // arrived, but not as they were sent
	garbled   int            // pieces of the outgoing stream that made no sense

	// The client's own reports of what it gave up. A part of them may have been
	// counted only (unseen), and not all need be true: those that are not are
	// misreported (no such message, or none that is missing), contradicted (it was
	// delivered) or sentAnyway (the kernel took it, so it is in lost too).
	told, givenUp, unseen                 map[string]int // by reason
	misreported, contradicted, sentAnyway int

	// accepted = delivered + givenUp + lost, and lost is the sum of these three.

	// kept messages never left the process, and the client said nothing: not one
	// may be lost.
	kept int
	// inDoubt messages are the last ones that the kernel took before a
	// connection broke: no later message of that connection was delivered.
	inDoubt int
	// doubt is what the client itself has to count as in doubt.
	doubt doubt
	// beyond are messages that a server must have had: it delivered a later one
	// of the same connection, or it said in the end that it had them all. They
	// were lost between server and subscriber.
	beyond int
	// unconfirmed are, with -at-least-once, those lost of which no server had said
	// that it had them: not one may be.
	unconfirmed int
}

func (t *tally) lost() int { return t.kept + t.inDoubt + t.beyond }

// tally adds up, once the publisher's connection is closed and its handlers have
// ended. settled says that in
// the end the server confirmed that it had processed everything, and that the
// subscriber has had what it was to get; so the last connection leaves no doubt.
func (l *ledger) tally(settled bool) tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := tally{
		accepted: l.accepted.Count(),
		refused:  maps.Clone(l.refused),
		cut:      l.cut,
		repeated: l.repeated,
		disorder: l.disorder,
		damaged:  l.damaged,
		garbled:  l.garbled,
	}
	t.doubt = l.boundsLocked(settled)
	doubt := l.doubtLocked(settled)
	l.accepted.Without(&l.delivered, func(n int) {
		reported := l.keeps && l.reported.Has(n) // whether or not it was sent before
		if l.keeps && !reported && l.taken.Has(n) && !l.confirmed.Has(n) {
			t.unconfirmed++
		}
		switch {
		case !l.taken.Has(n), reported:
			t.kept++
		case doubt.Has(n):
			t.inDoubt++
		default:
			t.beyond++
		}
	})
	t.delivered = t.accepted - t.lost()
	l.explainLocked(&t)
	var phantoms numset.Set
	note := func(n int) { phantoms.Add(n) }
	l.taken.Without(&l.accepted, note)
	l.delivered.Without(&l.accepted, note)
	t.phantoms = phantoms.Count()
	return t
}

// doubtLocked returns the numbers at the end of each connection that broke, of
// which not one was delivered. A server works in order, so what lies before a
// delivered number has been in it.
func (l *ledger) doubtLocked(settled bool) *numset.Set {
	doubt := new(numset.Set)
	broken := l.links
	if settled && len(broken) > 0 {
		broken = broken[:len(broken)-1]
	}
	for _, k := range broken {
		for n := k.high; n >= k.low && !l.delivered.Has(n); n-- {
			if l.taken.Has(n) {
				doubt.Add(n)
			}
		}
	}
	return doubt
}

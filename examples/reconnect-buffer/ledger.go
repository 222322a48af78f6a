package main

import (
	"context"
	"errors"
	"sync"

	"github.com/natsring/nats.go/internal/numset"
)

// A ledger knows of every message what has become of it. Four parties write
// to it, none of which takes another's word:
//
//   - the publisher: which numbers Publish accepted;
//   - the tap on the publisher's sockets: which ones the kernel has taken whole;
//   - the subscriber: which ones were delivered;
//   - the UndeliveredHandler: which ones the client has given up, and why.
//
// A message that was accepted and that the kernel has not taken whole has not
// left the process: it must not be lost, unless the client has said so. One that the kernel has taken is out of
// the client's hands. If the connection breaks then, nobody can say whether it
// was still in a socket, in the server, or on its way to the subscriber.
type ledger struct {
	mu        sync.Mutex
	issued    int
	accepted  numset.Set
	taken     numset.Set
	delivered numset.Set
	refused   map[string]int // by the text of Publish's error
	cut       int            // not taken, because the run ended while Publish waited
	repeated  int
	disorder  int // first deliveries behind a higher number
	damaged   int // delivered, but not one of our messages
	garbled   int // pieces of the outgoing stream that made no sense
	links     []link
	keeps     bool       // the client keeps messages until they are confirmed; fixed
	confirmed numset.Set // with keeps: what a server said that it had processed

	given       map[string]*givenUp // by reason
	reported    numset.Set          // the numbers of all reasons
	misreported int                 // given up, but not one of our messages, or for the second time
}

// A link is one connection of the publisher, with the lowest and the highest
// number that its kernel took; without any, low is above high.
type link struct {
	low, high int
	count     int // messages that it took
	unasked   int // of them, those behind the last PING
}

func newLedger() *ledger {
	return &ledger{refused: make(map[string]int), given: make(map[string]*givenUp)}
}

// issue gives out the next number.
func (l *ledger) issue() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.issued++
	return l.issued - 1
}

// publish notes what Publish said to number n.
func (l *ledger) publish(n int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.accepted.Add(n)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		l.cut++
	default:
		l.refused[err.Error()]++
	}
}

// open notes a new connection of the publisher and returns its index, with what
// is buffered for it: how many messages, and the number behind the last of them,
// as far as the client has told what it gave up.
func (l *ledger) open() (index, backlog, upTo int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links = append(l.links, link{low: l.issued, high: -1})
	told := 0
	for _, g := range l.given {
		told += g.told
	}
	for upTo = l.accepted.Top(); upTo > 0 && l.reported.Has(upTo-1); upTo-- {
	}
	// Publish may have handed over a number of which it has not returned yet.
	return len(l.links) - 1, max(0, l.accepted.Count()-l.taken.Count()-told), upTo
}

// take notes numbers that the kernel has taken whole on a connection, and how
// many pieces of its stream made no sense. It returns the number behind the
// highest that any connection took.
func (l *ledger) take(index int, numbers []int, garbled int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.garbled += garbled
	k := &l.links[index]
	for _, n := range numbers {
		if n >= l.issued {
			l.garbled++
			continue
		}
		l.taken.Add(n)
		k.low, k.high = min(k.low, n), max(k.high, n)
		k.count++
	}
	return l.taken.Top()
}

// deliver notes that the subscriber got number n; ours says that the message
// arrived as it was sent.
func (l *ledger) deliver(n int, ours bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !ours || n >= l.issued {
		l.damaged++
		return
	}
	behind := n < l.delivered.Top()
	switch {
	case !l.delivered.Add(n):
		l.repeated++
	case behind:
		l.disorder++
	}
}

// counts are the figures for the live line.
type counts struct{ accepted, refused, delivered int }

func (l *ledger) counts() counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	refused := 0
	for _, n := range l.refused {
		refused += n
	}
	return counts{l.accepted.Count(), refused, l.delivered.Count()}
}

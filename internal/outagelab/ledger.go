package outagelab

import (
	"encoding/binary"
	"sync"

	"github.com/natsring/nats.go/internal/numset"
)

// A ledger knows of each number what has become of it. Only accepted messages have
// one: a refused one leaves its number to the next.
type ledger struct {
	mu        sync.Mutex
	accepted  int // so many numbers are out
	refused   int
	delivered numset.Set
	explained numset.Set // delivered, or given up by the client's word
	repeated  int
	late      int // first deliveries behind a higher number
	givenUp   int
	unseen    int // of them, those without a number
	gaps      int // numbers below the highest delivered one that nothing explains
}

// accept notes what Publish said to the next number.
func (l *ledger) accept(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.refused++
		return
	}
	l.accepted++
}

// deliver notes a message that the subscriber got.
func (l *ledger) deliver(data []byte) {
	n := int(binary.BigEndian.Uint64(data))
	l.mu.Lock()
	defer l.mu.Unlock()
	top := l.delivered.Top()
	if !l.delivered.Add(n) {
		l.repeated++
		return
	}
	if n < top {
		l.late++
	}
	for gap := top; gap < n; gap++ {
		if !l.explained.Has(gap) {
			l.gaps++
		}
	}
	l.explainLocked(n, top)
}

// giveUp notes what the client says it has given up.
func (l *ledger) giveUp(data []byte, count int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.givenUp += count
	if data == nil {
		l.unseen += count
		return
	}
	l.explainLocked(int(binary.BigEndian.Uint64(data)), l.delivered.Top())
}

// explainLocked notes that number n is accounted for; below top it was a gap.
func (l *ledger) explainLocked(n, top int) {
	if l.explained.Add(n) && n < top {
		l.gaps--
	}
}

// counts returns the figures. Lost is what is lost as far as anybody can tell: what
// was overtaken, and, once all is settled, what did not arrive at all.
func (l *ledger) counts(settled bool) Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	lost := l.gaps
	if settled {
		lost = l.accepted - l.explained.Count()
	}
	return Counts{
		Accepted: l.accepted, Refused: l.refused, Delivered: l.delivered.Count(),
		Repeated: l.repeated, Late: l.late, GivenUp: l.givenUp, Lost: max(0, lost-l.unseen),
	}
}

// Counts are the figures of the account.
type Counts struct {
	// Accepted and Refused are what Publish said.
	Accepted, Refused int
	// Delivered are different messages; Repeated counts further copies, Late those
	// that came behind a later one.
	Delivered, Repeated, Late int
	// GivenUp is what the client says it has not sent.
	GivenUp int
	// Lost was accepted, not given up, and did not arrive: during a run those that
	// later ones have overtaken, which may still come late.
	Lost int
}

package main

import (
	"errors"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/numset"
)

// What the report calls the reasons for which a client gives messages up.
const (
	whyDropped = "dropped, buffer full"
	whyExpired = "expired"
	whyPoison  = "connections broke on it"
	whyTooLong = "too long for the server"
	whyLeft    = "left at the end"
)

func reasonOf(err error) string {
	switch {
	case errors.Is(err, nats.ErrDropped):
		return whyDropped
	case errors.Is(err, nats.ErrExpired):
		return whyExpired
	case errors.Is(err, nats.ErrPoison):
		return whyPoison
	case errors.Is(err, nats.ErrMaxPayload):
		return whyTooLong
	case errors.Is(err, nats.ErrConnectionClosed):
		return whyLeft
	case err == nil:
		return "no reason"
	}
	return err.Error()
}

// givenUp is what the client has reported as given up for one reason.
type givenUp struct {
	numbers numset.Set
	counted int // told without their numbers, because the handler had fallen behind
	told    int // messages in all, whatever they were
}

// undelivered takes down a report of the client's.
func (l *ledger) undelivered(lay *layout, u nats.Undelivered) {
	why := reasonOf(u.Err)
	if u.Msg == nil {
		l.giveUpUnseen(u.Count, why)
		return
	}
	n, ours := lay.number(u.Msg.Data)
	l.giveUp(n, ours && u.Count == 1 && u.Msg.Subject == lay.subject, why)
}

// giveUp notes that the client has given number n up; ours as for deliver. The
// report can be here before Publish has returned.
func (l *ledger) giveUp(n int, ours bool, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.reasonLocked(why)
	g.told++
	if !ours || n >= l.issued || !l.reported.Add(n) {
		l.misreported++
		return
	}
	g.numbers.Add(n)
}

// giveUpUnseen notes that the client has given up some messages, no matter which.
func (l *ledger) giveUpUnseen(count int, why string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.reasonLocked(why)
	g.told += count
	g.counted += count
}

func (l *ledger) reasonLocked(why string) *givenUp {
	g := l.given[why]
	if g == nil {
		g = new(givenUp)
		l.given[why] = g
	}
	return g
}

// explainLocked takes out of the messages that seem lost in the process those
// that the client has reported, and finds the reports that cannot be true.
func (l *ledger) explainLocked(t *tally) {
	t.givenUp, t.unseen, t.told = make(map[string]int), make(map[string]int), make(map[string]int)
	t.misreported = l.misreported
	for why, g := range l.given {
		n := g.counted
		g.numbers.Without(new(numset.Set), func(number int) {
			switch {
			case !l.accepted.Has(number):
				t.misreported++
			case l.keeps && l.delivered.Has(number): // it had arrived, unconfirmed
			case l.delivered.Has(number):
				t.contradicted++
			case l.taken.Has(number) && !l.keeps:
				t.sentAnyway++
			default:
				n++
			}
		})
		t.givenUp[why], t.unseen[why], t.told[why] = n, g.counted, g.told
		t.kept -= n
	}
	if t.kept < 0 && l.keeps {
		// Those of which only the number was told may have been sent before.
		t.unconfirmed = max(0, t.unconfirmed+t.kept)
		t.kept = 0
	}
	if t.kept < 0 {
		// More were counted as given up than are missing.
		t.misreported -= t.kept
		t.kept = 0
	}
}

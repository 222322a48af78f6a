package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	nats "github.com/natsring/nats.go"
)

// accept makes a ledger in which Publish accepted n messages.
func accept(n int) *ledger {
	l := newLedger()
	for range n {
		l.publish(l.issue(), nil)
	}
	return l
}

func (l *ledger) deliverAll(numbers ...int) {
	for _, n := range numbers {
		l.deliver(n, true)
	}
}

func TestAllIsWell(t *testing.T) {
	t.Parallel()
	l := accept(3)
	index, _, _ := l.open()
	l.take(index, []int{0, 1, 2}, 0)
	l.deliverAll(0, 1, 2)
	assert.Equal(t, counts{accepted: 3, delivered: 3}, l.counts())
	got := l.tally(true)
	none := map[string]int{}
	assert.Equal(t, tally{accepted: 3, delivered: 3, refused: none, told: none, givenUp: none, unseen: none}, got)
	assert.Zero(t, (&report{tally: got}).code())
}

// The broken client: it accepted a message, never sent it, and went on.
func TestALostMessageThatNeverLeftIsAFailure(t *testing.T) {
	t.Parallel()
	l := accept(4)
	first, _, _ := l.open()
	l.take(first, []int{0}, 0)
	second, _, _ := l.open()
	l.take(second, []int{2, 3}, 0)
	l.deliverAll(0, 2, 3)
	got := l.tally(true)
	assert.Equal(t, 1, got.kept)
	assert.Equal(t, 1, got.lost())
	assert.Equal(t, 3, got.delivered)
	assert.Equal(t, 1, (&report{tally: got, settled: true}).code())
}

func TestInDoubtIsTheEndOfABrokenConnection(t *testing.T) {
	t.Parallel()
	l := accept(8)
	first, _, _ := l.open()
	l.take(first, []int{0, 1, 2, 3, 4}, 0)
	second, _, _ := l.open()
	l.take(second, []int{5, 6, 7}, 0)
	// 1 was behind the server, for it had 2; 3 and 4 may have been anywhere.
	// 6 was lost on a connection that is whole.
	l.deliverAll(0, 2, 5, 7)
	got := l.tally(true)
	assert.Equal(t, 2, got.inDoubt)
	assert.Equal(t, 2, got.beyond)
	assert.Zero(t, got.kept)
	assert.Equal(t, 4, got.delivered)
	assert.Zero(t, (&report{tally: got}).code())
}

func TestTheEndOfASettledConnectionIsNotInDoubt(t *testing.T) {
	t.Parallel()
	l := accept(2)
	index, _, _ := l.open()
	l.take(index, []int{0, 1}, 0)
	l.deliverAll(0)
	assert.Equal(t, 1, l.tally(true).beyond)
	assert.Equal(t, 1, l.tally(false).inDoubt)
}

// A connection that broke before it took a message changes nothing.
func TestConnectionWithoutMessages(t *testing.T) {
	t.Parallel()
	l := accept(2)
	for range 3 {
		index, _, _ := l.open()
		l.take(index, nil, 0)
	}
	got := l.tally(true)
	assert.Equal(t, 2, got.kept)
	assert.Zero(t, got.inDoubt)
}

func TestRefusedMessages(t *testing.T) {
	t.Parallel()
	l := accept(1)
	for range 2 {
		l.publish(l.issue(), nats.ErrReconnectBufExceeded)
	}
	l.publish(l.issue(), nats.ErrConnectionClosed)
	assert.Equal(t, counts{accepted: 1, refused: 3}, l.counts())
	index, _, _ := l.open()
	l.take(index, []int{0, 1}, 0) // 1 was refused and sent all the same
	l.deliverAll(0, 1, 2)         // 2 too, and nobody saw it leave
	got := l.tally(true)
	assert.Equal(t, map[string]int{
		nats.ErrReconnectBufExceeded.Error(): 2,
		nats.ErrConnectionClosed.Error():     1,
	}, got.refused)
	assert.Equal(t, 2, got.phantoms)
	assert.Equal(t, 1, got.delivered)
	assert.Zero(t, got.lost())
}

func TestRepeatedDisorderedAndDamaged(t *testing.T) {
	t.Parallel()
	l := accept(4)
	index, _, _ := l.open()
	l.take(index, []int{0, 1, 2, 3}, 0)
	l.deliverAll(0, 2, 1, 1, 3, 0)
	l.deliver(0, false)
	l.deliver(4, true) // was never issued
	got := l.tally(true)
	assert.Equal(t, 4, got.delivered)
	assert.Equal(t, 1, got.disorder)
	assert.Equal(t, 2, got.repeated)
	assert.Equal(t, 2, got.damaged)
}

func TestGarbledStreamIsCounted(t *testing.T) {
	t.Parallel()
	l := accept(1)
	index, _, _ := l.open()
	l.take(index, []int{1}, 2) // 1 was never issued
	assert.Equal(t, 3, l.tally(true).garbled)
}

func TestOpenTellsWhatIsBuffered(t *testing.T) {
	t.Parallel()
	l := accept(5)
	first, backlog, upTo := l.open()
	assert.Equal(t, 5, backlog)
	assert.Equal(t, 5, upTo)
	assert.Equal(t, 3, l.take(first, []int{0, 1, 2}, 0))
	_, backlog, upTo = l.open()
	assert.Equal(t, 2, backlog)
	assert.Equal(t, 5, upTo)

	giveUpAll(l, whyExpired, 3)
	_, backlog, upTo = l.open()
	assert.Equal(t, 1, backlog)
	assert.Equal(t, 5, upTo)
	giveUpAll(l, whyDropped, 4)
	_, backlog, upTo = l.open()
	assert.Zero(t, backlog)
	assert.Equal(t, 3, upTo, "the last two will not come")

	// Publish of 5 has not returned, but its message is on its way already.
	n := l.issue()
	l.take(first, []int{n}, 0)
	_, backlog, _ = l.open()
	assert.Zero(t, backlog)
}

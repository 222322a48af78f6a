package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestConfirmations(t *testing.T) {
	t.Parallel()
	c := new(confirmations)
	assert.Empty(t, c.wrote(nil, []int{0}), "the handshake's PING")
	assert.Empty(t, c.read([]byte("INFO {\"a\":\"PONG\"}\r\nPO")))
	assert.Empty(t, c.read([]byte("NG\r\n")), "nothing was in front of it")
	assert.Empty(t, c.wrote([]int{1, 2}, nil))
	assert.Empty(t, c.read([]byte("PING\r\n-ERR 'PONG'\r\n")), "no PONG")
	assert.Empty(t, c.wrote([]int{3, 4, 5}, []int{1, 2}), "PINGs behind 3 and 4")
	assert.Equal(t, []int{1, 2, 3}, c.read([]byte("PONG\r\n")))
	assert.Equal(t, []int{4}, c.read([]byte("PONG\r\n")))
	assert.Empty(t, c.read([]byte("PONG\r\n")), "it came before the write had returned")
	assert.Equal(t, []int{5, 6}, c.wrote([]int{6, 7}, []int{1}))
}

// What counts as missing with -at-least-once is what was neither delivered nor
// confirmed, nor given up.
func TestTallyOfAtLeastOnce(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.keeps = true
	index, _, _ := l.open()
	for n := range 7 {
		l.issue()
		l.publish(n, nil)
		if n < 6 {
			l.take(index, []int{n}, 0)
		}
	}
	l.confirm([]int{0, 1})
	l.deliver(0, true)
	l.deliver(3, true)
	for _, n := range []int{3, 4, 6} { // one that has arrived, one that may have, one that was not sent
		l.giveUp(n, true, whyLeft)
	}
	l.open() // so that the first connection has broken
	got := l.tally(true)
	assert.Equal(t, 2, got.unconfirmed, "2 and 5; 1 was lost behind a server that had it")
	assert.Equal(t, 2, got.givenUp[whyLeft])
	assert.Equal(t, 3, got.told[whyLeft])
	assert.Zero(t, got.kept)
	assert.Equal(t, 3, got.lost())
	assert.Zero(t, got.contradicted+got.sentAnyway+got.misreported)
	assert.Equal(t, doubt{}, got.doubt, "nothing is in doubt for the client")

	r := &report{tally: got, settled: true}
	assert.Contains(t, r.String(), "FAILED: messages are missing that no server had confirmed")
	assert.Equal(t, "2", figure(t, r.String(), "not confirmed"))
	assert.Equal(t, 1, r.code())
}

package main

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
)

func giveUpAll(l *ledger, why string, numbers ...int) {
	for _, n := range numbers {
		l.giveUp(n, true, why)
	}
}

// sent makes a ledger in which the kernel took, and the subscriber got, some of
// the n messages accepted.
func sent(n int, numbers ...int) *ledger {
	l := accept(n)
	index, _, _ := l.open()
	l.take(index, numbers, 0)
	l.deliverAll(numbers...)
	return l
}

func TestWhatWasReportedIsNotLost(t *testing.T) {
	t.Parallel()
	l := sent(6, 0, 5)
	giveUpAll(l, whyDropped, 1, 2)
	giveUpAll(l, whyExpired, 4)
	got := l.tally(true)
	assert.Equal(t, map[string]int{whyDropped: 2, whyExpired: 1}, got.givenUp)
	assert.Equal(t, got.givenUp, got.told)
	assert.Equal(t, 1, got.kept, "3, of which nothing was said")
	assert.Equal(t, 2, got.delivered)
	assert.False(t, (&report{tally: got}).untrue())
	assert.Equal(t, 1, (&report{tally: got}).code())

	giveUpAll(l, whyExpired, 3)
	got = l.tally(true)
	assert.Zero(t, got.lost())
	assert.Zero(t, (&report{tally: got}).code())
}

// A handler that fell behind is told how many, not which.
func TestUnseenReportsAreExact(t *testing.T) {
	t.Parallel()
	l := sent(10, 0, 1)
	giveUpAll(l, whyDropped, 2, 3)
	l.giveUpUnseen(4, whyDropped)
	l.giveUpUnseen(1, whyExpired)
	got := l.tally(true)
	assert.Equal(t, map[string]int{whyDropped: 6, whyExpired: 1}, got.givenUp)
	assert.Equal(t, map[string]int{whyDropped: 4, whyExpired: 1}, got.unseen)
	assert.Equal(t, got.givenUp, got.told)
	assert.Equal(t, 1, got.kept)
	assert.Zero(t, got.misreported)

	l.giveUpUnseen(1, whyExpired)
	got = l.tally(true)
	assert.Zero(t, got.kept)
	assert.Zero(t, (&report{tally: got}).code())

	l.giveUpUnseen(2, whyExpired)
	got = l.tally(true)
	assert.Zero(t, got.kept)
	assert.Equal(t, 2, got.misreported, "two more than are missing")
	assert.Equal(t, 1, (&report{tally: got}).code())
}

func TestReportsThatAreNotTrue(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		do   func(*ledger)
		want tally
	}{
		{"delivered", func(l *ledger) { giveUpAll(l, whyDropped, 0) }, tally{contradicted: 1}},
		{"sent", func(l *ledger) { giveUpAll(l, whyDropped, 1) }, tally{sentAnyway: 1}},
		{"twice", func(l *ledger) { giveUpAll(l, whyDropped, 2); giveUpAll(l, whyExpired, 2) }, tally{misreported: 1}},
		{"refused", func(l *ledger) { giveUpAll(l, whyDropped, 3) }, tally{misreported: 1}},
		{"never issued", func(l *ledger) { giveUpAll(l, whyDropped, 4) }, tally{misreported: 1}},
		{"damaged", func(l *ledger) { l.giveUp(2, false, whyDropped) }, tally{misreported: 1}},
	} {
		l := sent(3, 0)
		l.take(0, []int{1}, 0)
		l.publish(l.issue(), nats.ErrReconnectBufExceeded)
		tc.do(l)
		got := l.tally(true)
		assert.Equal(t, tc.want.contradicted, got.contradicted, tc.name)
		assert.Equal(t, tc.want.sentAnyway, got.sentAnyway, tc.name)
		assert.Equal(t, tc.want.misreported, got.misreported, tc.name)
		assert.Equal(t, 1, got.beyond, "1 was on its way")
		sum := got.delivered + got.lost()
		for _, n := range got.givenUp {
			sum += n
		}
		assert.Equal(t, got.accepted, sum, tc.name)
		assert.Equal(t, 1, (&report{tally: got}).code(), tc.name)
	}
}

// The handler can be told before Publish has returned.
func TestReportBeforePublishReturns(t *testing.T) {
	t.Parallel()
	l := newLedger()
	n := l.issue()
	giveUpAll(l, whyDropped, n)
	l.publish(n, nil)
	got := l.tally(true)
	assert.Equal(t, 1, got.givenUp[whyDropped])
	assert.Zero(t, got.misreported)
	assert.Zero(t, got.kept)
}

func TestUndelivered(t *testing.T) {
	t.Parallel()
	lay, l := newLayout("s", 16), accept(8)
	msg := func(n int) *nats.Msg { return &nats.Msg{Subject: "s", Data: lay.payload(nil, n)} }
	for n, err := range []error{
		nats.ErrDropped, fmt.Errorf("so: %w", nats.ErrExpired), nats.ErrPoison, nats.ErrMaxPayload,
		nats.ErrConnectionClosed, errors.New("why not"), nil,
	} {
		l.undelivered(lay, nats.Undelivered{Msg: msg(n), Count: 1, Err: err})
	}
	l.undelivered(lay, nats.Undelivered{Count: 1, Err: nats.ErrExpired})
	got := l.tally(true)
	assert.Equal(t, map[string]int{
		whyDropped: 1, whyExpired: 2, whyPoison: 1, whyTooLong: 1, whyLeft: 1, "why not": 1, "no reason": 1,
	}, got.givenUp)
	assert.Zero(t, got.kept)

	stranger := msg(0)
	stranger.Subject = "another"
	l.undelivered(lay, nats.Undelivered{Msg: stranger, Count: 1, Err: nats.ErrDropped})
	l.undelivered(lay, nats.Undelivered{Msg: msg(7), Count: 2, Err: nats.ErrDropped})
	assert.Equal(t, 2, l.tally(true).misreported)
}

func TestRunsThatGiveUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change func(*config)
		why    string
	}{
		"drop-oldest": {func(c *config) { c.overflow, c.bufMsgs = nats.OverflowDropOldest, 50 }, whyDropped},
		"drop-newest": {func(c *config) { c.overflow, c.bufBytes = nats.OverflowDropNewest, 5000 }, whyDropped},
		"max-age":     {func(c *config) { c.maxAge = 100 * time.Millisecond }, whyExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testConfig()
			c.duration, c.up, c.down = 800*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
			tc.change(&c)
			out := new(clitest.Buffer)
			r, err := run(context.Background(), c, out)
			require.NoError(t, err, out)
			whole(t, r, out.String())
			assert.Empty(t, r.refused)
			assert.Greater(t, r.givenUp[tc.why], 100, out)
			assert.Len(t, r.givenUp, 1)
			assert.Contains(t, r.String(), "given up: "+tc.why)
			for _, o := range r.outages {
				assert.True(t, o.over(), out)
				assert.LessOrEqual(t, o.backlog, r.figures.MaxMsgs+200, "without what was given up")
			}
		})
	}
}

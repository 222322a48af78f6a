package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	nats "github.com/natsring/nats.go"
)

// A calm line has nothing in it that has not happened.
func TestStatusLine(t *testing.T) {
	t.Parallel()
	s := sample{status: nats.CONNECTED, counts: counts{delivered: 12_345}}
	assert.Equal(t, "CONNECTED         5,000/s  buffered         0       0 B   0%  delivered     12,345", statusLine(s, 5000))

	s.status, s.full = nats.RECONNECTING, 0.256
	s.buffer = nats.BufferStats{Msgs: 1234, Bytes: 200_000, Dropped: 7, Expired: 8, Undelivered: 18, InDoubt: 40_000}
	s.refused, s.blocked = 9, 1250*time.Millisecond
	assert.Equal(t, "RECONNECTING      5,000/s  buffered     1,234 195.3 KiB  26%  delivered     12,345"+
		"  refused 9  dropped 7  expired 8  given up 3  in doubt up to 40,000  blocked 1.2s", statusLine(s, 5000))

	s.full = -1
	assert.Contains(t, statusLine(s, 0), " off  delivered")
}

func TestStatusLineFitsTheScreen(t *testing.T) {
	t.Parallel()
	s := sample{status: nats.RECONNECTING, full: 1, counts: counts{refused: 99_999, delivered: 99_999_999}}
	s.buffer = nats.BufferStats{Msgs: 9_999_999, Bytes: 999 << 20, Dropped: 999_999, Expired: 99_999, Undelivered: 1_099_998, InDoubt: 99_999_999}
	line := statusLine(s, 9_999_999)
	assert.LessOrEqual(t, len(line), 150, line)
	assert.Contains(t, line, "9,999,999/s")
	assert.Contains(t, line, "buffered 9,999,999 999.0 MiB 100%")
	assert.Contains(t, line, "delivered 99,999,999")
}

func TestHowFullTheBufferIs(t *testing.T) {
	t.Parallel()
	held := nats.BufferStats{Msgs: 30, Bytes: 250}
	for _, tc := range []struct {
		bytes, msgs int
		want        float64
	}{
		{1000, 0, 0.25},
		{1000, 60, 0.5},
		{1000, 3000, 0.25},
		{125, 0, 2},
		{-1, 60, -1},
	} {
		c := config{bufBytes: tc.bytes, bufMsgs: tc.msgs}
		assert.InDelta(t, tc.want, c.full(held), 1e-9)
	}
}

func TestRateIsOfTheLastSecond(t *testing.T) {
	t.Parallel()
	var r rater
	take := func(ms, accepted int) int {
		return r.rate(sample{at: at(ms), counts: counts{accepted: accepted}})
	}
	assert.Zero(t, take(0, 0))
	assert.Equal(t, 1000, take(500, 500))
	assert.Equal(t, 1000, take(1000, 1000))
	assert.Equal(t, 500, take(1500, 1000))
	assert.Equal(t, 0, take(2000, 1000))
	assert.Equal(t, 0, take(9000, 1000))
	assert.LessOrEqual(t, len(r.past), 3)
}

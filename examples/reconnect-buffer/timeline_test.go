package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// at is a moment so many milliseconds into a test's own time.
func at(ms int) time.Time { return time.UnixMilli(1_000_000 + int64(ms)) }

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }

func one(t *testing.T, line *timeline) *outage {
	t.Helper()
	list := line.outages()
	require.Len(t, list, 1)
	return &list[0]
}

func TestOutageOfOurServer(t *testing.T) {
	t.Parallel()
	line := new(timeline)
	line.reached(at(0), at(1), 0)
	line.emptied(at(2))
	require.Empty(t, line.outages())

	line.serverDown(at(100), "killed")
	line.emptied(at(101)) // of the connection that is about to break
	line.broken(at(102))
	require.False(t, one(t, line).over())
	assert.Equal(t, ms(50), one(t, line).away(at(150)))
	line.serverUp(at(200))
	line.reached(at(210), at(215), 7)
	line.emptied(at(230))
	o := one(t, line)
	assert.True(t, o.over())
	assert.Equal(t, "killed", o.how)
	assert.Equal(t, 7, o.backlog)
	assert.Equal(t, ms(115), o.away(at(999)))
	assert.Equal(t, ms(30), o.drain())

	line.serverDown(at(300), "stopped")
	assert.Len(t, line.outages(), 2)
}

// The publisher may be in before the call that starts the server returns.
func TestReachedBeforeUp(t *testing.T) {
	t.Parallel()
	line := new(timeline)
	line.serverDown(at(0), "killed")
	line.broken(at(1))
	line.reached(at(100), at(101), 0)
	line.serverUp(at(105))
	line.emptied(at(110))
	assert.Equal(t, ms(10), one(t, line).drain())

	line.serverUp(at(120)) // later still: nothing is open
	assert.Equal(t, ms(10), one(t, line).drain())
}

func TestOutageOfAnotherServer(t *testing.T) {
	t.Parallel()
	line := new(timeline)
	line.broken(at(100))
	line.reached(at(180), at(190), 3)
	line.emptied(at(200))
	o := one(t, line)
	assert.Empty(t, o.how)
	assert.Equal(t, ms(90), o.away(at(999)))
	assert.Equal(t, ms(20), o.drain())
	line.broken(at(300))
	assert.Len(t, line.outages(), 2)
}

// A connection that breaks before the buffer is empty does not end an outage.
func TestSecondBreakDuringTheReplay(t *testing.T) {
	t.Parallel()
	line := new(timeline)
	line.serverDown(at(0), "killed")
	line.serverUp(at(100))
	line.reached(at(110), at(111), 50)
	line.broken(at(120))
	assert.Equal(t, ms(130), one(t, line).away(at(130)))
	line.reached(at(140), at(141), 40)
	line.serverDown(at(150), "stopped")
	line.emptied(at(151))
	require.False(t, one(t, line).over())
	line.serverUp(at(200))
	line.reached(at(210), at(211), 30)
	line.emptied(at(220))
	o := one(t, line)
	assert.Equal(t, "killed, stopped", o.how)
	assert.Equal(t, ms(211), o.away(at(999)))
	assert.Equal(t, ms(20), o.drain())
	assert.Equal(t, 30, o.backlog)
}

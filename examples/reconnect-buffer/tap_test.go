package main

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeConn takes so many bytes and then fails.
type fakeConn struct {
	net.Conn
	room int
}

var errFull = errors.New("takes no more")

func (c *fakeConn) Write(p []byte) (int, error) {
	n := min(c.room, len(p))
	c.room -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func (c *fakeConn) Close() error { return nil }

func newTap(lay *layout, l *ledger) *tap {
	return &tap{layout: lay, ledger: l, timeline: new(timeline), ready: func(context.Context) error { return nil }}
}

// A message of which the kernel took all but the last byte has not left.
func TestTapCountsWholeMessages(t *testing.T) {
	t.Parallel()
	lay, l := newLayout("s", 16), accept(3)
	tp := newTap(lay, l)
	c := tp.wrap(&fakeConn{room: len(greeting) + 3*lay.frame - 1}, time.Now())
	n, err := c.Write([]byte(greeting))
	require.NoError(t, err)
	require.Equal(t, len(greeting), n)
	n, err = c.Write([]byte(wire(lay, 0, 1, 2)))
	require.ErrorIs(t, err, errFull)
	require.Equal(t, 3*lay.frame-1, n)
	got := l.tally(false)
	assert.Equal(t, 2, got.inDoubt)
	assert.Equal(t, 1, got.kept)
	assert.Zero(t, got.garbled)

	// The next connection begins anew: the torn rest is none of its business.
	c = tp.wrap(&fakeConn{room: 1000}, time.Now())
	_, err = c.Write([]byte(greeting + wire(lay, 2)))
	require.NoError(t, err)
	got = l.tally(true)
	assert.Zero(t, got.kept)
	assert.Zero(t, got.garbled)
}

func TestTapTellsGarbage(t *testing.T) {
	t.Parallel()
	lay, l := newLayout("s", 16), accept(1)
	c := newTap(lay, l).wrap(&fakeConn{room: 1000}, time.Now())
	_, err := c.Write([]byte("WHAT\r\n" + wire(lay, 0) + "IS\r\nTHIS\r\n"))
	require.NoError(t, err)
	assert.Equal(t, 3, l.tally(true).garbled)
}

func TestTapTimesAnOutage(t *testing.T) {
	t.Parallel()
	lay, l := newLayout("s", 16), accept(1)
	tp := newTap(lay, l)
	c := tp.wrap(&fakeConn{room: 1000}, time.Now())
	_, _ = c.Write([]byte(greeting + wire(lay, 0)))
	assert.Empty(t, tp.timeline.outages(), "there was no outage before the first connection")

	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.Len(t, tp.timeline.outages(), 1)
	for range 2 {
		l.publish(l.issue(), nil)
	}
	c = tp.wrap(&fakeConn{room: 1000}, time.Now())
	_, _ = c.Write([]byte(greeting + wire(lay, 1)))
	o := tp.timeline.outages()[0]
	assert.Equal(t, 2, o.backlog)
	assert.False(t, o.over(), "one message is still buffered")
	_, _ = c.Write([]byte(wire(lay, 2)))
	assert.True(t, tp.timeline.outages()[0].over())

	closed := false
	isClosed := func() bool { return closed }
	tp.closed.Store(&isClosed)
	require.NoError(t, tp.wrap(&fakeConn{}, time.Now()).Close())
	require.Len(t, tp.timeline.outages(), 2, "the client is open")
	c = tp.wrap(&fakeConn{}, time.Now())
	closed = true
	require.NoError(t, c.Close())
	assert.Len(t, tp.timeline.outages(), 2, "the end by the program is no outage")
	assert.False(t, tp.timeline.outages()[1].back.IsZero())
}

func TestDialWaitsForTheSubscriber(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	tp := newTap(newLayout("s", 16), newLedger())
	var peer net.Conn
	tp.ready = func(context.Context) error {
		peer, err = ln.Accept() // the socket exists before the subscriber is asked
		return err
	}
	c, err := tp.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	require.NotNil(t, peer)
	require.NoError(t, peer.Close())
	_, err = io.ReadAll(c)
	require.NoError(t, err)
	assert.Len(t, tp.timeline.outages(), 1, "a read that fails ends the connection")
	require.NoError(t, c.Close())
	assert.Len(t, tp.timeline.outages(), 1)
}

func TestDialFailsWithoutTheSubscriber(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	tp := newTap(newLayout("s", 16), newLedger())
	away := errors.New("away")
	tp.ready = func(context.Context) error { return away }
	_, err = tp.Dial("tcp", ln.Addr().String())
	require.ErrorIs(t, err, away)
	peer, err := ln.Accept()
	require.NoError(t, err)
	_, err = io.ReadAll(peer) // ends: the tap has closed its side
	require.NoError(t, err)
	require.NoError(t, peer.Close())

	require.NoError(t, ln.Close())
	_, err = tp.Dial("tcp", ln.Addr().String())
	require.Error(t, err)
	assert.Empty(t, tp.timeline.outages())
}

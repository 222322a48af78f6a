package nats

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A soakVisitor is a new connection, over a link that breaks: it publishes to itself,
// and ends in one way or another.
type soakVisitor struct {
	soakConn
	c    *soakCrowd
	t    *testing.T
	rng  *rand.Rand
	keep bool // AtLeastOnce

	told      atomic.Int64 // undelivered
	ends      atomic.Int64 // of its subscription
	tally     chaosTally
	sub       *Subscription
	states    <-chan SubStatus
	published int  // to itself
	accepted  int  // with those to others
	orderly   bool // by Drain or Shutdown, with nothing to hurry it
}

// visit lets one come after the other.
func (c *soakCrowd) visit(ctx context.Context, t *testing.T, rng *rand.Rand) {
	for ctx.Err() == nil {
		v := &soakVisitor{c: c, t: t, rng: rng}
		if !v.connect() {
			c.samples.count("visitors that found nobody", 1)
			soakPause(ctx, rng, 20*time.Millisecond)
			continue
		}
		v.work(ctx)
		v.leave()
		v.check()
		c.samples.count("visitors", 1)
	}
}

func (v *soakVisitor) connect() bool {
	opts := append(append(fast(), Timeout(300*time.Millisecond), UndeliveredHandler(func(_ *Conn, u Undelivered) { v.told.Add(int64(u.Count)) })), v.options()...)
	if v.keep = v.rng.IntN(3) == 0; v.keep {
		opts = append(opts, AtLeastOnce())
	}
	if v.rng.IntN(4) == 0 {
		opts = append(opts, RetryOnFailedConnect(true))
	}
	if v.rng.IntN(3) == 0 {
		opts = append(opts, ReconnectBufMsgs(20), ReconnectBufOverflow(OverflowDropOldest))
	}
	nc, err := Connect(v.c.proxy.URL(), opts...)
	v.nc = nc
	return err == nil
}

// work publishes, and hears itself.
func (v *soakVisitor) work(ctx context.Context) {
	inbox := NewInbox()
	sub, err := v.nc.Subscribe(inbox, func(m *Msg) { v.tally.see(m.Data) })
	require.NoError(v.t, err)
	sub.SetClosedHandler(func(string) { v.ends.Add(1) })
	v.sub, v.states = sub, sub.StatusChanged()
	for n := range v.rng.IntN(200) {
		if err := v.nc.Publish(inbox, chaosPayload(nil, 0, n)); err == nil {
			v.published++
		} else {
			assert.ErrorIs(v.t, err, ErrReconnectBufExceeded)
		}
		if n%64 == 0 {
			soakPause(ctx, v.rng, 10*time.Millisecond)
		}
	}
	v.accepted = v.published
	if v.rng.IntN(4) == 0 {
		v.c.request(v.t, v.nc, "visitor", 50*time.Millisecond, false)
		v.accepted++
	}
}

// leave ends the connection, and waits until its handler was told.
func (v *soakVisitor) leave() {
	switch v.rng.IntN(4) {
	case 0:
		v.nc.Close()
	case 1:
		err := v.nc.Drain()
		if v.orderly = err == nil; err != nil {
			assert.True(v.t, errors.Is(err, ErrConnectionReconnecting) || errors.Is(err, ErrConnectionClosed), "Drain: %v", err)
			v.nc.Close()
		}
	case 2:
		ctx, cancel := context.WithTimeout(v.t.Context(), time.Duration(v.rng.Int64N(int64(300*time.Millisecond))))
		defer cancel()
		v.orderly = v.nc.Shutdown(ctx) == nil
	case 3:
		if _, err := v.nc.Subscribe(NewInbox(), func(*Msg) {}); err != nil {
			assert.ErrorIs(v.t, err, ErrConnectionClosed)
		}
		go v.nc.Close() // ends: it waits for nobody of the program's
		v.nc.Close()
	}
	soon(v.t, func() bool { _, _, closed, _ := v.soakConn.told(); return closed > 0 }, "the ClosedHandler was not called")
}

// check holds the connection that has ended to its account.
func (v *soakVisitor) check() {
	_, _, closed, disorder := v.soakConn.told()
	assert.Equal(v.t, 1, closed, "closed")
	assert.Zero(v.t, disorder, "events in an impossible order: %v", v.trailed())
	assert.True(v.t, v.nc.IsClosed())
	assert.ErrorIs(v.t, v.nc.Publish("foo", nil), ErrConnectionClosed)
	soon(v.t, func() bool { return v.ends.Load() == 1 }, "the subscription's closed handler was not called")
	assert.False(v.t, v.sub.IsValid())
	for range v.states { // it is closed
	}
	st := v.nc.BufferStats()
	assert.Zero(v.t, st.Msgs+st.Bytes, "left in the buffer")
	assert.EqualValues(v.t, v.accepted, v.nc.Stats().OutMsgs, "OutMsgs")
	soon(v.t, func() bool { return v.told.Load() == int64(st.Undelivered) }, "not everything was told")
	v.tally.mu.Lock()
	defer v.tally.mu.Unlock()
	assert.Zero(v.t, v.tally.damaged, "not as it was sent")
	if !v.keep {
		assert.Empty(v.t, v.tally.repeated, "twice")
		assert.Zero(v.t, v.tally.overtaken, "out of order")
	}
	if v.orderly && v.nc.Stats().Reconnects == 0 && !v.broken && v.nc.LastError() == nil {
		// It had one session, and nothing broke: so what it had under way has come, all of it.
		assert.Equal(v.t, v.published-int(st.Undelivered), v.tally.seen-len(v.tally.repeated), "came before the end")
		v.c.samples.count("visitors that left in order over a whole link", 1)
	}
	v.c.samples.count("visitors' messages", v.accepted)
}

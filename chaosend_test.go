package nats

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
)

// The same account when the connection is closed under load, after some chaos:
// what was accepted is with the server, or was reported, or is in doubt.
func TestChaosEnds(t *testing.T) { // alone: it needs the whole machine
	closed := func(c *chaos) {
		soon(c.t, c.nc.IsConnected, "no connection")
		c.nc.Close()
	}
	shutdown := func(c *chaos) {
		soon(c.t, c.nc.IsConnected, "no connection")
		c.shutdown(patience)
	}
	for _, tc := range []struct {
		name string
		calm bool // no faults before: then hardly anything can be in doubt
		end  func(*chaos)
	}{
		{"close, calm", true, closed},
		{"shutdown, calm", true, shutdown},
		{"close", false, closed},
		{"shutdown", false, shutdown},
		{"shutdown on a stalled link", true, func(c *chaos) {
			c.proxy.Live().StopReading(faultproxy.Up)
			soon(c.t, func() bool { return c.nc.BufferStats().Msgs > 1000 }, "no stall")
			c.shutdown(50 * time.Millisecond)
			c.proxy.Live().Cut(faultproxy.RST)
		}},
		{"close in an outage", false, func(c *chaos) {
			c.outage()
			c.nc.Close()
		}},
		{"shutdown in an outage", false, func(c *chaos) {
			c.outage()
			c.shutdown(50 * time.Millisecond)
		}},
		{"shutdown in an outage that ends", false, func(c *chaos) {
			c.outage()
			back := time.AfterFunc(50*time.Millisecond, func() { _ = c.proxy.SetAccept(faultproxy.Relay) })
			defer back.Stop()
			c.shutdown(patience)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newChaos(t, false, nil)
			c.end, c.calm = tc.end, tc.calm
			c.run()
			c.check([]error{ErrConnectionClosed, ErrConnectionDraining, ErrReconnectBufExceeded}, []error{ErrConnectionClosed})
			c.summary()
		})
	}
}

// outage begins one that lasts, under load.
func (c *chaos) outage() {
	require.NoError(c.t, c.proxy.SetAccept(faultproxy.Refuse))
	c.proxy.Live().Cut(faultproxy.RST)
	soon(c.t, func() bool { return c.nc.Status() == RECONNECTING && c.nc.BufferStats().Msgs > 100 }, "no outage")
}

// shutdown holds what a Shutdown says to what the connection knows.
func (c *chaos) shutdown(limit time.Duration) {
	ctx, cancel := context.WithTimeout(c.t.Context(), limit)
	defer cancel()
	err := c.nc.Shutdown(ctx)
	require.True(c.t, c.nc.IsClosed())
	var e *ShutdownError
	if !errors.As(err, &e) {
		assert.NoError(c.t, err)
		return
	}
	assert.EqualValues(c.t, len(e.Left)+int(e.GivenUp), c.nc.BufferStats().Undelivered, "left: %v", err)
	for _, m := range e.Left {
		_, _, ok := chaosNumber(m.Data)
		assert.True(c.t, ok, "not as it was published")
	}
}

// Stalls, delays and slow links that break no connection lose nothing at all,
// whatever the policy: the outage that it is for does not come.
func TestChaosWithoutALoss(t *testing.T) { // alone: it needs the whole machine
	c := newChaos(t, false, []Option{FlusherTimeout(patience), ReconnectBufSize(100_000),
		ReconnectBufOverflow(OverflowDropOldest), ReconnectBufMaxAge(10 * time.Millisecond)})
	c.faults.gentle = true
	c.run()
	c.check(nil, nil)
	c.summary()
	require.Len(t, c.tap.streams, 1, "sessions")
	require.Zero(t, c.nc.BufferStats().InDoubt)
	require.Zero(t, c.nc.BufferStats().Undelivered)
}

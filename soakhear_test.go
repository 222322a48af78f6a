package nats

import (
	"context"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// soakHearer is one subscription of the crowd, which lives through all rounds: what it
// gets are numbers that grow, over all reconnects.
type soakHearer struct {
	name string
	sub  *Subscription

	mu       sync.Mutex
	n        int // messages
	last     int // the highest
	disorder int // not higher than the last
}

func (h *soakHearer) see(m *Msg) {
	n, err := strconv.Atoi(string(m.Data))
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	if err != nil || n <= h.last {
		h.disorder++
	}
	h.last = max(h.last, n)
}

func (h *soakHearer) seen() (n, last, disorder int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n, h.last, h.disorder
}

// hear subscribes in every way that there is.
func (c *soakCrowd) hear(t *testing.T) {
	c.hearing = soakConnect(t, c.proxy.URL())
	nc := c.hearing.nc
	add := func(name string, subscribe func(h *soakHearer) (*Subscription, error)) {
		h := &soakHearer{name: name}
		sub, err := subscribe(h)
		require.NoError(t, err)
		h.sub = sub
		c.hearers = append(c.hearers, h)
	}
	add("async", func(h *soakHearer) (*Subscription, error) { return nc.Subscribe("crowd.bus", h.see) })
	for range 2 {
		add("queue", func(h *soakHearer) (*Subscription, error) { return nc.QueueSubscribe("crowd.bus", "hearers", h.see) })
	}
	add("sync", func(h *soakHearer) (*Subscription, error) {
		sub, err := nc.SubscribeSync("crowd.bus")
		go func() { // ends when the connection is closed
			for !nc.IsClosed() {
				if m, err := sub.NextMsg(100 * time.Millisecond); err == nil {
					h.see(m)
				}
			}
		}()
		return sub, err
	})
	add("iterator", func(h *soakHearer) (*Subscription, error) {
		sub, err := nc.SubscribeSync("crowd.bus")
		go func() { // ends when the connection is closed
			for m, err := range sub.Msgs() {
				if err != nil {
					return
				}
				h.see(m)
			}
		}()
		return sub, err
	})
	add("chan", func(h *soakHearer) (*Subscription, error) {
		ch := make(chan *Msg, 1024)
		go func() { // ends with over
			for {
				select {
				case m := <-ch:
					h.see(m)
				case <-c.over:
					return
				}
			}
		}()
		return nc.ChanSubscribe("crowd.bus", ch)
	})
	require.NoError(t, nc.Flush())
}

// publish publishes numbers to all of them.
func (c *soakCrowd) publish(ctx context.Context, t *testing.T, rng *rand.Rand) {
	for ctx.Err() == nil {
		for range rng.IntN(20) {
			c.publishNumber(t)
		}
		soakPause(ctx, rng, 10*time.Millisecond)
	}
}

func (c *soakCrowd) publishNumber(t *testing.T) {
	c.published++
	require.NoError(t, c.pub.Publish("crowd.bus", strconv.AppendInt(nil, int64(c.published), 10)))
}

// settleHearers wants each to get everything, once, now that nothing breaks; and the
// connection to have counted what they got.
func (c *soakCrowd) settleHearers(t *testing.T) {
	const calm = 100
	c.handedOver(t)
	before := make([]int, len(c.hearers))
	for i, h := range c.hearers {
		before[i], _, _ = h.seen()
	}
	for range calm {
		c.publishNumber(t)
	}
	c.handedOver(t)
	grouped := 0
	for i, h := range c.hearers {
		n, last, disorder := h.seen()
		require.Zero(t, disorder, "%s: out of order, or twice", h.name)
		if h.name == "queue" {
			grouped += n - before[i]
			continue
		}
		require.Equal(t, calm, n-before[i], "%s: not all came", h.name)
		require.Equal(t, c.published, last, h.name)
	}
	require.Equal(t, calm, grouped, "members of the group")
}

// handedOver waits until what was published has come, and been handed over or dropped.
func (c *soakCrowd) handedOver(t *testing.T) {
	require.NoError(t, c.pub.FlushTimeout(patience))
	require.NoError(t, c.hearing.nc.FlushTimeout(patience))
	came, all := int(c.hearing.nc.Stats().InMsgs), 0
	soon(t, func() bool {
		all = 0
		for _, h := range c.hearers {
			n, _, _ := h.seen()
			dropped, err := h.sub.Dropped()
			require.NoError(t, err)
			all += n + dropped
		}
		return all >= came
	}, "not everything that came was handed over")
	require.Equal(t, came, all, "handed over and dropped are not what came in")
	c.samples.count("heard", all-c.heard)
	c.heard = all
}

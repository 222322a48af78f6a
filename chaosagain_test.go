package nats

import (
	"math/rand/v2"
	"testing"
	"time"
)

// again makes ready for another run with the same connections. Nothing is under way:
// the last run has settled.
func (c *chaos) again(t *testing.T, seed uint64, lasts time.Duration) {
	c.t, c.seed, c.lasts = t, seed, lasts
	c.before = chaosBefore{c.nc.BufferStats(), c.nc.Stats(), c.sub.Stats()}
	c.forget()
	c.faults = chaosFaults{t: c.t, rng: rand.New(rand.NewPCG(seed, 0)), proxy: c.proxy, server: c.server, restarts: c.restarts}
}

// forget lets go of the account of a run that has settled, and of its memory.
func (c *chaos) forget() {
	for p := range c.pubs {
		c.pubs[p].again()
	}
	c.tap.again()
	c.subbed.again()
	c.purged.again()
	c.given.again()
	c.proofs = nil
}

func (p *chaosPublisher) again() {
	p.accepted, p.withdrawn = nil, nil
	p.calls = 0
	p.returned.Store(0)
}

func (t *chaosTally) again() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for p := range t.got {
		t.got[p], t.top[p] = nil, 0
	}
	t.seen, t.damaged, t.overtaken, t.repeated = 0, 0, 0, nil
}

func (t *chaosTap) again() {
	t.chaosTally.again()
	t.streamMu.Lock()
	defer t.streamMu.Unlock()
	t.skipped += max(len(t.streams)-1, 0)
	t.streams = nil
}

func (g *chaosGiven) again() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.got.again()
	g.reasons, g.counted, g.early = nil, 0, 0
}

// stats is what the publishing connection has counted in this run.
func (c *chaos) stats() BufferStats {
	st, was := c.nc.BufferStats(), c.before.buffer
	for _, n := range []struct {
		now *uint64
		was uint64
	}{
		{&st.Buffered, was.Buffered}, {&st.Replayed, was.Replayed}, {&st.Rejected, was.Rejected},
		{&st.Dropped, was.Dropped}, {&st.Expired, was.Expired}, {&st.Undelivered, was.Undelivered},
		{&st.Withdrawn, was.Withdrawn}, {&st.Purged, was.Purged}, {&st.InDoubt, was.InDoubt},
		{&st.Confirmed, was.Confirmed}, {&st.Repeated, was.Repeated},
	} {
		*n.now -= n.was
	}
	return st
}

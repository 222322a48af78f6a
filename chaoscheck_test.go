package nats

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
)

// chaosAccount is the messages of a run by what has become of them.
type chaosAccount struct {
	accepted, refused, delivered, subscribed int
	bytes                                    int                       // of payload, accepted
	lost                                     [chaosPublishers]chaosSet // neither delivered nor reported one by one
	missing                                  int                       // of those, not counted as undelivered either
	unheard                                  int                       // the same for the subscriber
	takenBack                                int                       // purged or withdrawn
}

// account sorts the messages. A message in two places is a failure.
func (c *chaos) account() (a chaosAccount) {
	for p := range c.pubs {
		pub := &c.pubs[p]
		accepted, given := pub.accepted, c.given.got.got[p]
		tapped, heard := c.tap.got[p], c.subbed.got[p]
		a.accepted += accepted.count()
		a.bytes += accepted.count() * chaosSizes[p]
		a.refused += pub.calls - accepted.count()
		a.delivered += tapped.count()
		a.subscribed += heard.count()
		purged := c.purged.got[p]
		a.takenBack += purged.count() + pub.withdrawn.count()
		a.lost[p] = accepted.without(tapped, given, purged, pub.withdrawn)
		a.missing += a.lost[p].count()
		a.unheard += accepted.without(heard, given, purged, pub.withdrawn).count()
		c.none(purged.and(pub.withdrawn), "purged and withdrawn")
		c.none(tapped.and(purged), "delivered and purged")
		c.none(tapped.and(pub.withdrawn), "delivered and withdrawn")
		c.none(given.and(purged), "purged and reported undelivered")
		c.none(given.and(pub.withdrawn), "withdrawn and reported undelivered")
		c.none(tapped.without(accepted), "given to the server though Publish had refused it")
		c.none(given.without(accepted), "reported undelivered though Publish had refused it")
		c.none(heard.without(tapped), "with the subscriber, and never seen on its way")
		c.none(tapped.and(given), "delivered and reported undelivered")
	}
	a.missing -= c.given.counted
	a.unheard -= c.given.counted
	return a
}

func (c *chaos) none(s chaosSet, what string) {
	assert.Zero(c.t, s.count(), "messages %v: %s", s.first(), what)
}

// check says whether the run was as it must be.
func (c *chaos) check(refused, reasons []error) {
	c.tap.mu.Lock()
	defer c.tap.mu.Unlock()
	c.subbed.mu.Lock()
	defer c.subbed.mu.Unlock()
	c.given.mu.Lock()
	defer c.given.mu.Unlock()
	for _, tally := range []*chaosTally{&c.tap.chaosTally, &c.subbed, &c.given.got, &c.purged} {
		if !c.nc.Opts.AtLeastOnce {
			assert.Empty(c.t, tally.repeated, "seen twice")
		}
		assert.Zero(c.t, tally.damaged, "not as it was sent")
	}
	disorder, garbled := c.tap.disorder(!c.nc.Opts.AtLeastOnce)
	assert.Zero(c.t, disorder, "out of order")
	assert.Zero(c.t, garbled, "not the protocol")
	assert.Zero(c.t, c.marks.wrong.Load(), "a watermark crossed twice in one direction")
	assert.Zero(c.t, c.given.early, "accepted at an impossible time")
	a := c.account()
	st := c.stats()
	assert.GreaterOrEqual(c.t, a.missing, 0, "more were counted as undelivered than are missing")
	assert.LessOrEqual(c.t, a.missing, int(st.InDoubt), "missing, and not in doubt")
	if !c.restarts {
		// No server went, so all that one had processed came to the subscriber.
		assert.LessOrEqual(c.t, a.unheard, int(st.InDoubt), "not with the subscriber, and not in doubt")
	}
	if c.nc.Opts.AtLeastOnce {
		c.checkAtLeastOnce(a)
	}
	c.checkCounters(a, refused, reasons)
	c.checkProofs(a)
}

// checkAtLeastOnce: nothing is missing, also at the subscriber, and what was sent
// twice was counted.
func (c *chaos) checkAtLeastOnce(a chaosAccount) {
	st := c.stats()
	assert.Zero(c.t, st.InDoubt, "InDoubt")
	assert.Zero(c.t, a.missing, "missing") // InDoubt bounds it in any case, but this says more
	assert.EqualValues(c.t, a.accepted, st.Confirmed+st.Undelivered, "Confirmed")
	assert.LessOrEqual(c.t, len(c.tap.repeated), int(st.Repeated), "Repeated")
	assert.Zero(c.t, c.tap.overtaken, "first deliveries out of order")
	if !c.restarts {
		// What a new server gets before the subscriber is back, and what is repeated of
		// that later, is no disorder of the client's.
		assert.Zero(c.t, c.subbed.overtaken, "first deliveries out of order at the subscriber")
	}
	assert.Zero(c.t, st.UnconfirmedMsgs, "UnconfirmedMsgs")
	assert.Zero(c.t, st.UnconfirmedBytes, "UnconfirmedBytes")
}

// checkCounters compares the connection's own account.
func (c *chaos) checkCounters(a chaosAccount, refused, reasons []error) {
	st := c.stats()
	assert.EqualValues(c.t, a.accepted, c.nc.Stats().OutMsgs-c.before.out.OutMsgs, "OutMsgs")
	assert.EqualValues(c.t, a.bytes, c.nc.Stats().OutBytes-c.before.out.OutBytes, "OutBytes")
	rejected := a.refused
	for p := range c.pubs { // in the end, that is no matter of the buffer
		rejected -= c.pubs[p].refused[ErrConnectionClosed] + c.pubs[p].refused[ErrConnectionDraining]
	}
	assert.EqualValues(c.t, rejected, st.Rejected, "Rejected")
	assert.EqualValues(c.t, c.given.reasons[ErrDropped], st.Dropped, "Dropped")
	assert.EqualValues(c.t, c.given.reasons[ErrExpired], st.Expired, "Expired")
	others := c.given.reasons[ErrPoison] + c.given.reasons[ErrConnectionClosed]
	assert.EqualValues(c.t, st.Dropped+st.Expired+uint64(others), st.Undelivered, "Undelivered")
	assert.Zero(c.t, st.Msgs, "Msgs")
	assert.Zero(c.t, st.Bytes, "Bytes")
	assert.Zero(c.t, st.OldestAge, "OldestAge")
	// What a connected writer may be behind is there at a loss; each publisher can
	// pass a limit by one message.
	most := max(c.nc.Opts.ReconnectBufSize, minWindow) + chaosPublishers*chaosSizes[chaosPublishers-1]
	assert.LessOrEqual(c.t, st.MaxBytes, most, "MaxBytes")
	given := st.Undelivered
	if c.nc.Opts.ReconnectBufOverflow == OverflowDropNewest {
		given -= st.Dropped // they are not even buffered
	}
	assert.EqualValues(c.t, a.takenBack, st.Purged+st.Withdrawn, "Purged and Withdrawn")
	if !c.meddle && c.end == nil { // else not all that is gone had been buffered
		assert.Equal(c.t, st.Buffered, st.Replayed+given, "Buffered is neither sent later nor given up")
	}
	for p := range c.pubs {
		for err := range c.pubs[p].refused {
			assert.True(c.t, slices.ContainsFunc(refused, func(r error) bool { return errors.Is(err, r) }), "refused: %v", err)
		}
	}
	for err := range c.given.reasons {
		assert.Contains(c.t, append(reasons, ErrPoison), err, "given up") // many cuts are in the middle of a frame
	}
}

// checkProofs holds the flushes that succeeded to what they said.
func (c *chaos) checkProofs(a chaosAccount) {
	for _, proof := range c.proofs {
		missing := 0
		for p, upTo := range proof.upTo {
			missing += a.lost[p].below(upTo)
		}
		if !assert.LessOrEqual(c.t, missing, proof.doubt+c.given.counted, "a flush of %v said that all is there", proof.upTo) {
			return
		}
	}
}

// summary logs the run in one line.
func (c *chaos) summary() {
	a, st := c.account(), c.stats()
	faults := 0
	var kinds []string
	for name, n := range c.faults.done {
		faults += n
		kinds = append(kinds, fmt.Sprintf("%d %s", n, name))
	}
	slices.Sort(kinds)
	var reasons []string
	for err, n := range c.given.reasons {
		reasons = append(reasons, fmt.Sprintf("%d %q", n, err))
	}
	seconds := c.took.Seconds()
	c.t.Logf("%.1f s, %.0f calls/s: accepted %d, refused %d, delivered %d (subscriber %d), undelivered %d %v (%d only counted), "+
		"taken back %d, missing %d, in doubt %d, repeated %d (seen twice %d); sessions %d, losses told %d, faults %d (%s); late %d; buffered %d, replayed %d, most %d msgs, %d bytes; flushes %d",
		seconds, float64(a.accepted+a.refused)/seconds, a.accepted, a.refused, a.delivered, a.subscribed, st.Undelivered, reasons,
		c.given.counted, a.takenBack, a.missing, st.InDoubt, st.Repeated, len(c.tap.repeated), len(c.tap.streams), c.breaks.Load(), faults, strings.Join(kinds, ", "),
		c.tap.overtaken, st.Buffered, st.Replayed, st.MaxMsgs, st.MaxBytes, len(c.proofs))
}

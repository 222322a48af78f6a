package nats

import (
	"math"
	"sync/atomic"
)

// WatermarkCB is told that the reconnect buffer has passed its high watermark
// (above), or that it has fallen back below the low one.
type WatermarkCB func(nc *Conn, above bool)

// watermark notes when what an outbox holds passes one level and falls below
// another. The outbox's lock guards it.
type watermark struct {
	high, low level // fixed; high.bytes 0: nobody asks
	crossings uint64
	told      uint64 // crossings whose report is on its way
}

// level is a part of the limits, in whole bytes and messages.
type level struct{ bytes, msgs int64 }

// levelOf is the least that counts as a part of the limits; what is unlimited is
// never reached.
func (l *boxLimits) levelOf(part float64) level {
	of := func(limit int64) int64 {
		if limit <= 0 {
			return math.MaxInt64
		}
		return max(1, int64(math.Ceil(part*float64(limit))))
	}
	return level{bytes: of(l.bytes), msgs: of(l.msgs)}
}

// watch sets the levels as parts of the limits. Call it before use.
func (o *outbox) watch(high, low float64, crossed func()) {
	o.mark = watermark{high: o.limits.levelOf(high), low: o.limits.levelOf(low)}
	o.crossed = crossed
}

// marks are the levels to watch, as parts; 0: none.
func (o *Options) marks() (high, low float64) {
	switch {
	case o.WatermarkCB != nil:
		return o.ReconnectBufHigh, o.ReconnectBufLow
	case o.Logger != nil:
		return logMarkHigh, logMarkLow
	}
	return 0, 0
}

func (m *watermark) above() bool { return m.crossings%2 == 1 }

func (o *outbox) reachesLocked(l level) bool {
	msgs, bytes := o.totalLocked()
	return bytes >= l.bytes || msgs >= l.msgs
}

// crossedLocked reports whether there is a crossing to tell.
func (o *outbox) crossedLocked() bool {
	m := &o.mark
	switch {
	case m.high.bytes == 0 || o.refuse != nil:
		return false
	case m.above() && !o.reachesLocked(m.low):
		m.crossings++
	case !m.above() && o.state == boxDetached && o.reachesLocked(m.high):
		m.crossings++
	}
	fresh := m.told != m.crossings
	m.told = m.crossings
	return fresh
}

// crossings is how often a level was crossed, upwards first.
func (o *outbox) crossings() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.mark.crossings
}

// watermarkTeller tells the program of crossings through the dispatcher.
type watermarkTeller struct {
	posted atomic.Bool // a call is on its way
	told   uint64      // crossings; the dispatcher's
}

// maxCrossings is how many crossings wait for a handler that has fallen behind.
const maxCrossings = 64

// markCrossed is called by the outbox, off its lock.
func (nc *Conn) markCrossed() {
	if nc.watermarks.posted.CompareAndSwap(false, true) {
		nc.events.post(nc.tellWatermark)
	}
}

// tellWatermark runs on the dispatcher.
func (nc *Conn) tellWatermark() {
	t := &nc.watermarks
	t.posted.Store(false)
	now := nc.out.crossings()
	if late := now - t.told; late > maxCrossings {
		t.told += (late - maxCrossings) &^ 1 // whole pairs
	}
	for ; t.told < now; t.told++ {
		above := t.told%2 == 0
		nc.log.crossed(above)
		if nc.Opts.WatermarkCB != nil {
			nc.Opts.WatermarkCB(nc, above)
		}
	}
}

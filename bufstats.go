package nats

import "time"

// BufferStats is what the outbox holds and has seen. Messages count here from
// the moment in which Publish took them until the operating system has.
type BufferStats struct {
	// Msgs and Bytes are held now; bytes are whole frames as they go on the wire.
	Msgs, Bytes int
	// UnconfirmedMsgs and UnconfirmedBytes are, with AtLeastOnce, those of them
	// that the operating system has taken at least once.
	UnconfirmedMsgs, UnconfirmedBytes int
	// MaxMsgs and MaxBytes are the most that was ever held while there was no
	// server.
	MaxMsgs, MaxBytes int
	// Buffered counts the messages that were held while there was no server:
	// those that Publish took then, and those that were unsent when it was lost.
	Buffered uint64
	// Replayed counts those of Buffered that were sent later.
	Replayed uint64
	// Rejected counts the publishes that were refused because there was no
	// server: the buffer was full or off, or the call or the subject was not to
	// be buffered.
	Rejected uint64
	// OldestAge is how long ago the oldest message held was accepted. Without a
	// maximum age or an UndeliveredHandler it can be too long, by the time of one
	// write or of 16 publishes.
	OldestAge time.Duration
	// OldestUnconfirmed is the same for those that are unconfirmed.
	OldestUnconfirmed time.Duration
	// Dropped counts the messages given up because the buffer was full, Expired
	// those that were too old, and Undelivered all that were accepted and given
	// up, for any reason, those two included.
	Dropped, Expired, Undelivered uint64
	// Withdrawn counts the requests that were not sent because their callers had
	// given up before.
	Withdrawn uint64
	// Purged counts what PurgeBuffer has handed back.
	Purged uint64
	// InDoubt counts the messages that the operating system had taken and that
	// no answer of the server covered when the connection broke or was closed. It is
	// an upper bound of what has been lost. With AtLeastOnce nothing is in doubt.
	InDoubt uint64
	// Confirmed counts, with AtLeastOnce, the messages that the server has
	// processed, and Repeated how often one was sent again because it was not
	// known whether it had arrived.
	Confirmed, Repeated uint64
}

// boxCounters are the counters behind BufferStats, under the outbox's lock.
type boxCounters struct {
	buffered, replayed, rejected, purged, withdrawn, inDoubt uint64
	dropped, expired, undelivered                            uint64
	released, repeated                                       uint64
	peakMsgs, peakBytes                                      int64

	replayLeft int64  // publishes of before this session that are still held
	sent       uint64 // publishes that kernels have taken
	confirmed  uint64 // of them, those that a PONG has covered, or that are counted in doubt
	pings      []passedPing
}

// passedPing is a PING in the kernel's hands, whose PONG has not come.
type passedPing struct {
	pos  uint64 // behind the PING
	sent uint64 // publishes before it
}

// gaveUp counts a message that was accepted and is given up.
func (c *boxCounters) gaveUp(reason error) {
	c.undelivered++
	switch reason {
	case ErrDropped:
		c.dropped++
	case ErrExpired:
		c.expired++
	}
}

func (c *boxCounters) passed() {
	c.sent++
	if c.replayLeft > 0 {
		c.replayLeft--
		c.replayed++
	}
}

// passedAll is passed for n publishes without a PING between them.
func (c *boxCounters) passedAll(n int64) {
	c.sent += uint64(n)
	again := min(n, c.replayLeft)
	c.replayLeft -= again
	c.replayed += uint64(again)
}

// passedPing notes a PING that the kernel has taken. Its PONG can be here
// already: then proven is not before it.
func (c *boxCounters) passedPing(pos, proven uint64) {
	if pos <= proven {
		c.confirmed = c.sent
		return
	}
	c.pings = append(c.pings, passedPing{pos: pos, sent: c.sent})
}

// proven notes that the server has everything before a position.
func (c *boxCounters) proven(pos uint64) {
	for len(c.pings) > 0 && c.pings[0].pos <= pos {
		c.confirmed = c.pings[0].sent
		c.pings = c.pings[1:]
	}
}

// sessionLost settles the account of a session whose writer has ended: what the
// kernel had and nobody confirmed is in doubt, what is left is buffered. That is so
// for a session that the program closed, too.
func (c *boxCounters) sessionLost(o *outbox) {
	if o.keep == nil {
		c.inDoubt += c.sent - c.confirmed
	}
	c.buffered += uint64(o.msgs - c.replayLeft)
	c.confirmed = c.sent
	c.replayLeft, c.pings = 0, nil
}

// peakLocked updates the high-water marks.
func (o *outbox) peakLocked() {
	msgs, bytes := o.totalLocked()
	o.count.peakMsgs = max(o.count.peakMsgs, msgs)
	o.count.peakBytes = max(o.count.peakBytes, bytes)
}

// earlyAccount is what a PONG has proved to have arrived before the writer has
// accounted for it.
type earlyAccount struct {
	msgs, bytes   int64
	again, repeat int64 // of them: messages that went out once more, and their bytes
}

func (o *outbox) earlyLocked() (e earlyAccount) {
	if o.sent.pos >= o.proven || o.sent.pos == o.tail {
		return e
	}
	o.sent.settle()
	for k := o.sent; k.pos < o.proven; k.step() {
		f := k.c.frame(k.i)
		if !f.isHeld() {
			continue
		}
		size := int64(f.size())
		e.msgs++
		e.bytes += size
		if o.keep != nil && k.pos < o.keep.repeatTo {
			e.again++
			e.repeat += size
		}
	}
	return e
}

// heldLocked is how many publishes, and their bytes, the kernel has not taken as
// far as is known.
func (o *outbox) heldLocked() (msgs, bytes int64) {
	msgs, bytes = o.totalLocked()
	early := o.earlyLocked()
	return msgs - early.msgs, bytes - early.bytes
}

// buffered is how many bytes of publishes the kernel has not taken.
func (o *outbox) buffered() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, bytes := o.heldLocked()
	return int(bytes)
}

// accepted is how many messages were taken, and their header and data bytes.
func (o *outbox) accepted() (msgs, bytes uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.stats.OutMsgs, o.stats.OutBytes
}

func (o *outbox) bufferStats() BufferStats {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bufferStatsLocked()
}

func (o *outbox) bufferStatsLocked() BufferStats {
	msgs, bytes := o.totalLocked()
	early := o.earlyLocked()
	c := &o.count
	st := BufferStats{
		Msgs: int(msgs - early.msgs), Bytes: int(bytes - early.bytes), OldestAge: o.oldestLocked(),
		Dropped: c.dropped, Expired: c.expired, Undelivered: c.undelivered,
		MaxMsgs: int(c.peakMsgs), MaxBytes: int(c.peakBytes),
		Buffered: c.buffered, Replayed: c.replayed, Rejected: c.rejected,
		Purged: c.purged, Withdrawn: c.withdrawn, InDoubt: c.inDoubt,
		Confirmed: c.released, Repeated: c.repeated,
	}
	st.Replayed += uint64(min(early.msgs, c.replayLeft))
	if k := o.keep; k != nil {
		st.Confirmed += uint64(early.msgs)
		st.Repeated += uint64(early.again)
		st.UnconfirmedMsgs = int(k.msgs + k.againMsgs - early.again)
		st.UnconfirmedBytes = int(k.bytes + k.again - early.repeat)
		if st.UnconfirmedMsgs > 0 {
			st.OldestUnconfirmed = st.OldestAge // they are the oldest
		}
	}
	return st
}

// oldestLocked is the age of the first publish held.
func (o *outbox) oldestLocked() time.Duration {
	if o.last == nil {
		return 0
	}
	o.tickLocked()
	k := o.sent
	if o.keep != nil {
		k = o.keep.from
	}
	for k.settle(); k.i < k.c.frames; k.step() {
		if k.c.frame(k.i).isHeld() && k.pos >= o.proven {
			return o.ageLocked(k)
		}
	}
	return 0
}

// BufferStats returns what the outbox holds and has seen since Connect. It
// answers at once in every state, and also after Close.
func (nc *Conn) BufferStats() BufferStats { return nc.out.bufferStats() }

// PurgeBuffer takes back everything that was published and that the writer has
// not begun to send, and returns it in its order. During an outage that is all of
// the reconnect buffer. The messages count as neither lost nor sent: they are the
// program's again.
func (nc *Conn) PurgeBuffer() []*Msg { return nc.out.purge() }

// purge takes all publishes back but those that the writer has in its hands.
func (o *outbox) purge() []*Msg {
	o.mu.Lock()
	defer o.unlock()
	if o.last == nil {
		return nil
	}
	var msgs []*Msg
	o.sent.settle()
	for k := o.sent; k.i < k.c.frames; k.step() {
		f := k.c.frame(k.i)
		if f.isHeld() && !f.isSpent() && !o.begunLocked(k.pos) {
			msgs = append(msgs, decodePublish(k.bytes()))
			o.gone = min(o.gone, o.originLocked(k.pos))
			o.killLocked(k)
		}
	}
	if o.state == boxDetached && !o.settling {
		o.skipDeadLocked()
		o.freeLocked()
	}
	o.count.purged += uint64(len(msgs))
	o.releaseWaitersLocked()
	return msgs
}

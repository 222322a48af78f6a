package nats

import (
	"context"
	"time"
)

// OverflowPolicy says what Publish does when the reconnect buffer is full.
type OverflowPolicy int

const (
	// OverflowReject returns ErrReconnectBufExceeded; the message is not taken.
	OverflowReject OverflowPolicy = iota
	// OverflowBlock waits until there is room (most often: a server), the
	// connection is closed, or the context of PublishWithContext ends.
	OverflowBlock
	// OverflowDropOldest takes the message and gives up the oldest ones instead.
	// They are reported to the UndeliveredHandler with ErrDropped.
	OverflowDropOldest
	// OverflowDropNewest gives the message itself up: Publish returns nil, and it
	// is reported to the UndeliveredHandler with ErrDropped.
	OverflowDropNewest
)

// minWindow is what publishers may run ahead of a connected writer, in bytes,
// even where the reconnect buffer is smaller or off.
const minWindow = 1 << 20

// boxLimits bound what the outbox takes while there is no session.
type boxLimits struct {
	bytes    int64 // negative: nothing is taken
	msgs     int64 // 0 or less: no limit
	overflow OverflowPolicy
	maxAge   time.Duration             // 0 or less: no limit
	filter   func(subject string) bool // nil: every subject is buffered
}

// handling is what one call of a publish asks for.
type handling struct {
	ctx      context.Context // ends a wait
	noBuffer bool            // refuse rather than buffer
	maxAge   time.Duration   // give up rather than send later than this; 0: no limit
	at       uint64          // result: the position of the frame
}

// verdict is what becomes of a publish at this moment.
type verdict uint8

const (
	takeIt verdict = iota
	waitForRoom
	waitForWriter
	askFilter
	dropIt
	refuseIt
)

// admitLocked returns once a publish may be appended, or says why it is refused.
// With drop it is accepted only to be given up. It lets the lock go while it
// waits and while it asks the program's filter.
func (o *outbox) admitLocked(subject string, how *handling) (drop bool, err error) {
	asked := o.limits.filter == nil
	for {
		v, err := o.judgeLocked(how, asked)
		switch v {
		case takeIt, dropIt:
			return v == dropIt, nil
		case refuseIt:
			if o.refuse == nil {
				o.count.rejected++
			}
			return false, err
		case waitForRoom, waitForWriter:
			if v == waitForWriter {
				o.pauseLocked()
			}
			if err := o.waitLocked(how); err != nil {
				return false, err
			}
		case askFilter:
			o.mu.Unlock()
			ok := o.limits.filter(subject)
			o.mu.Lock()
			asked = true
			if !ok {
				how = refuseToBuffer(how)
			}
		}
	}
}

// refuseToBuffer is how with noBuffer.
func refuseToBuffer(how *handling) *handling {
	h := handling{noBuffer: true}
	if how != nil {
		h.ctx = how.ctx
	}
	return &h
}

// judgeLocked decides for this moment. Limits are compared before the message is
// added, so the last one taken may pass the byte limit by its own size.
func (o *outbox) judgeLocked(how *handling, asked bool) (verdict, error) {
	switch {
	case o.refuse != nil:
		return refuseIt, o.refuse
	case o.connectedLocked() && o.keepsUpLocked():
		if o.state == boxAttached && o.leadsLocked() {
			return waitForWriter, nil
		}
		return takeIt, nil
	case o.connectedLocked():
		return waitForRoom, nil
	case how != nil && how.noBuffer:
		return refuseIt, ErrDisconnected
	case o.limits.bytes < 0:
		return refuseIt, ErrReconnectBufExceeded
	case !asked:
		return askFilter, nil
	}
	if !o.roomLocked() {
		return o.overflowLocked()
	}
	return takeIt, nil
}

// roomLocked reports whether the reconnect buffer takes one more publish.
func (o *outbox) roomLocked() bool {
	msgs, bytes := o.totalLocked()
	return bytes < o.limits.bytes && (o.limits.msgs <= 0 || msgs < o.limits.msgs)
}

// keepsUpLocked reports whether a session keeps up with the publishers: its writer,
// or, where frames are kept until they are confirmed, its server. Dead frames count,
// because with a session they stay until they are passed.
func (o *outbox) keepsUpLocked() bool {
	if o.keep != nil && !o.roomLocked() {
		return false
	}
	_, bytes := o.totalLocked()
	return bytes < o.window && o.deadBytes < o.window+compactSlack
}

// overflowLocked decides for a full buffer.
func (o *outbox) overflowLocked() (verdict, error) {
	if !o.settling { // else the writer may have the oldest in its hands
		o.sweepIfFullLocked()
	}
	switch {
	case o.roomLocked():
		return takeIt, nil
	case o.limits.overflow == OverflowBlock:
		return waitForRoom, nil
	case o.limits.overflow == OverflowDropNewest:
		return dropIt, nil
	case o.limits.overflow == OverflowDropOldest && o.settling:
		return waitForRoom, nil // the writer may still have the oldest; it is about to end
	case o.limits.overflow == OverflowDropOldest:
		o.dropOldestLocked()
		return takeIt, nil
	}
	return refuseIt, ErrReconnectBufExceeded
}

// dropNewLocked gives up a message that is not even appended.
func (o *outbox) dropNewLocked(size int, subject, reply string, hdr, data []byte) {
	o.count.gaveUp(ErrDropped)
	if !o.given.listen {
		return
	}
	if !o.given.takes(size) {
		o.given.miss(ErrDropped)
		return
	}
	frame := appendPublishHead(make([]byte, 0, size), subject, reply, hdr, data)
	frame = append(append(append(frame, hdr...), data...), crlf...)
	o.given.add(size, time.Now(), ErrDropped, func() *Msg { return decodePublish(frame) })
}

// ageOwnLocked notes the age limit of the frame that is appended next, if any.
func (o *outbox) ageOwnLocked(d time.Duration) {
	if d <= 0 {
		return
	}
	if o.ages == nil {
		o.ages = make(map[uint64]time.Duration)
	}
	o.ages[o.tail] = d
}

// waitLocked gives the lock up until there may be room, or the call's context
// ends, whose error it then returns.
func (o *outbox) waitLocked(how *handling) error {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	room := o.room
	o.askSoonLocked()
	o.unlock()
	defer o.mu.Lock()
	if how == nil || how.ctx == nil {
		<-room
		return nil
	}
	select {
	case <-room:
		return nil
	case <-how.ctx.Done():
		return how.ctx.Err()
	}
}

// releaseWaitersLocked lets publishers that wait look again.
func (o *outbox) releaseWaitersLocked() {
	if o.room != nil {
		close(o.room)
		o.room, o.paused = nil, false
	}
}

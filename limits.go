package nats

import "context"

// OverflowPolicy says what Publish does when the reconnect buffer is full.
type OverflowPolicy int

const (
	// OverflowReject returns ErrReconnectBufExceeded; the message is not taken.
	OverflowReject OverflowPolicy = iota
	// OverflowBlock waits until there is room (most often: a server), the
	// connection is closed, or the context of PublishWithContext ends.
	OverflowBlock
)

// minWindow is what publishers may run ahead of a connected writer, in bytes,
// even where the reconnect buffer is smaller or off.
const minWindow = 1 << 20

// boxLimits bound what the outbox takes while there is no session.
type boxLimits struct {
	bytes    int64 // negative: nothing is taken
	msgs     int64 // 0 or less: no limit
	overflow OverflowPolicy
	filter   func(subject string) bool // nil: every subject is buffered
}

// handling is what one call of a publish asks for.
type handling struct {
	ctx      context.Context // ends a wait
	noBuffer bool            // refuse rather than buffer
}

// verdict is what becomes of a publish at this moment.
type verdict uint8

const (
	takeIt verdict = iota
	waitForRoom
	askFilter
	refuseIt
)

// admitLocked returns once a publish may be appended, or says why it is refused.
// It gives the lock up while it waits and while it asks the program's filter.
func (o *outbox) admitLocked(subject string, how *handling) error {
	asked := o.limits.filter == nil
	for {
		v, err := o.judgeLocked(how, asked)
		switch v {
		case takeIt:
			return nil
		case refuseIt:
			if o.refuse == nil {
				o.count.rejected++
			}
			return err
		case waitForRoom:
			if err := o.waitLocked(how); err != nil {
				return err
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
	case o.state == boxAttached && o.bytes < o.window:
		return takeIt, nil
	case o.state == boxAttached:
		return waitForRoom, nil
	case how != nil && how.noBuffer:
		return refuseIt, ErrDisconnected
	case o.limits.bytes < 0:
		return refuseIt, ErrReconnectBufExceeded
	case !asked:
		return askFilter, nil
	case o.bytes < o.limits.bytes && (o.limits.msgs <= 0 || o.msgs < o.limits.msgs):
		return takeIt, nil
	case o.limits.overflow == OverflowBlock:
		return waitForRoom, nil
	}
	return refuseIt, ErrReconnectBufExceeded
}

// waitLocked gives the lock up until there may be room, or the call's context
// ends, whose error it then returns.
func (o *outbox) waitLocked(how *handling) error {
	if o.room == nil {
		o.room = make(chan struct{})
	}
	room := o.room
	o.mu.Unlock()
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
		o.room = nil
	}
}

package nats

import "time"

const (
	// leadBytes is how far publishers run ahead of a fast writer. What is written
	// soon after it was encoded is still in the processor's cache.
	leadBytes = 1 << 20
	// leadPatience is how long a publisher waits for a writer to prove fast. If it
	// does not, the link is slow, and to take what it does not take is what the
	// ring is for.
	leadPatience = 5 * time.Millisecond
)

// leadsLocked reports whether a publisher should let the writer catch up. During a
// replay it should not: the ring is full of what is older.
func (o *outbox) leadsLocked() bool {
	return o.bytes >= o.lead && !o.slow && o.sent.pos >= o.replayTo
}

// pauseLocked makes the wait that follows one for the writer: it ends with half of
// the lead, or with leadPatience.
func (o *outbox) pauseLocked() {
	switch {
	case o.paused:
		return
	case o.patience == nil:
		o.patience = time.AfterFunc(leadPatience, o.outOfPatience)
	default:
		o.patience.Reset(leadPatience)
	}
	o.paused = true
}

// outOfPatience lets publishers go on while the writer is slow.
func (o *outbox) outOfPatience() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paused {
		o.slow = true
		o.releaseWaitersLocked()
	}
}

// caughtUpLocked ends a pause, and what is thought of a slow writer, once there is
// no more than half of the lead.
func (o *outbox) caughtUpLocked() {
	if o.bytes > o.lead/2 {
		return
	}
	o.slow = false
	if o.paused {
		o.releaseWaitersLocked()
	}
}

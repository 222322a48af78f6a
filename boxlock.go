package nats

// lockTries is how often one looks for the outbox's lock before one queues up for it.
// It is held for some dozens of nanoseconds; to sleep and to be woken takes a hundred
// times as long.
const lockTries = 100

// lock locks mu for the hot path.
func (o *outbox) lock() {
	if !o.mu.TryLock() {
		o.lockBusy()
	}
}

func (o *outbox) lockBusy() {
	for range lockTries {
		if o.mu.TryLock() {
			return
		}
	}
	o.mu.Lock()
}

package nats

// SubscriptionStats sums up the subscriptions of a connection.
type SubscriptionStats struct {
	// Subscriptions is how many there are: those of Conn.Subscriptions.
	Subscriptions int
	// PendingMsgs and PendingBytes wait for handlers and NextMsg. What waits in the
	// program's own channels is not counted.
	PendingMsgs, PendingBytes int
	// Dropped is how many messages were dropped at pending limits since Connect, those
	// of subscriptions that have ended included.
	Dropped uint64
}

// Subscriptions returns the live subscriptions in the order in which they were made,
// without the one for the replies to requests.
func (nc *Conn) Subscriptions() []*Subscription {
	if nc == nil {
		return nil
	}
	return nc.subs.list()
}

// SubscriptionStats answers at once in every state. After Close only Dropped is
// left.
func (nc *Conn) SubscriptionStats() SubscriptionStats {
	if nc == nil {
		return SubscriptionStats{}
	}
	list := nc.subs.list()
	st := SubscriptionStats{Subscriptions: len(list)}
	for _, s := range list {
		if msgs, bytes, err := s.Pending(); err == nil {
			st.PendingMsgs += msgs
			st.PendingBytes += bytes
		}
	}
	st.Dropped = nc.dropped.Load()
	return st
}

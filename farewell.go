package nats

// parting is the end of a session in order. From the moment it begins no frame goes
// out any more but the rest of one that is half sent; then the server is told to end
// the subscriptions, and a PING goes out behind that. Its PONG proves that the server
// has processed all that it was sent, and has sent all that it had. The frames that
// are left are for the next session.
type parting struct {
	last  []byte        // what is still to be said; nil once it has gone ahead
	at    uint64        // then: the frames before this position were sent
	heard chan struct{} // closed with the PONG; nil after that
}

// farewell ends the session in order: the channel is closed once the server has
// answered. It is under the registry's lock, so that every subscription is ended at
// the server, or its SUB is behind what is sent to it.
func (g *registry) farewell() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	var last []byte
	for sid := range g.byID {
		last = appendUnsub(last, sid, 0)
	}
	return g.box.farewell(append(last, pingLine...))
}

// farewell sends last, which ends with a PING, as the last thing in this session.
func (o *outbox) farewell(last []byte) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	p := &parting{last: last, heard: make(chan struct{})}
	heard := p.heard
	if o.state == boxAttached && o.refuse != ErrConnectionClosed {
		o.parting = p
		o.wakeLocked()
		if o.resting {
			o.ready.Signal()
		}
	}
	return heard
}

// partingDueLocked reports whether the farewell is still to be said.
func (o *outbox) partingDueLocked() bool { return o.parting != nil && o.parting.last != nil }

// sendableLocked reports whether there are frames to send in this session.
func (o *outbox) sendableLocked() bool {
	return o.sent.pos < o.tail && (o.parting == nil || o.part > 0)
}

// sayFarewellLocked puts the farewell ahead of the frames, of which none is half sent.
func (o *outbox) sayFarewellLocked() {
	p := o.parting
	o.ahead, o.aheadAt = p.last, 0
	p.last, p.at = nil, o.sent.pos
	o.noteAskedLocked(p.at)
	if o.keep != nil {
		o.keep.askedTo = p.at
		return
	}
	o.count.passedPing(p.at, o.proven)
}

// heardLocked is called for each PONG. The farewell's is that of the last PING that
// was sent.
func (o *outbox) heardLocked() {
	p := o.parting
	if p == nil || p.last != nil || p.heard == nil || len(o.asked) > 0 && o.asked[0] <= p.at {
		return
	}
	close(p.heard)
	p.heard = nil
}

// stayLocked takes a farewell back: the rest goes out in this session after all.
func (o *outbox) stayLocked() {
	if o.parting != nil {
		o.parting = nil
		o.wakeLocked()
	}
}

// change is detach where the next session is there already: for publishers there is no
// outage.
func (o *outbox) change() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detachLocked()
	o.between = true
}

// connectedLocked reports whether a session drains the outbox, or is just about to.
func (o *outbox) connectedLocked() bool { return o.state == boxAttached || o.between }

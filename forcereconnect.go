package nats

import "time"

// ReconnectOnFlusherError makes the first attempt to reconnect come without a
// pause where a failed write was what showed that the server is lost. (Such a
// failure always ends the session and starts a reconnect here.)
func ReconnectOnFlusherError() Option {
	return set(func(o *Options) { o.ReconnectOnFlusherError = true })
}

// ForceReconnect gives the server up and looks for another at once: the first
// attempt comes without a pause, also where the connection does not reconnect by
// itself ([NoReconnect]). Flush and Request calls that wait return
// [ErrConnectionClosed], but for requests with [UseOldRequestStyle], which wait on; a
// request that is still unsent then is not sent any more. What was published and not
// sent yet goes to the next server.
// While there is no server it ends the present pause.
//
// Errors: [ErrConnectionClosed], [ErrConnectionDraining].
func (nc *Conn) ForceReconnect() error {
	if nc == nil {
		return ErrInvalidConnection
	}
	nc.mu.Lock()
	s := nc.session
	switch {
	case nc.state.now == CLOSED:
		nc.mu.Unlock()
		return ErrConnectionClosed
	case nc.draining != notDraining:
		nc.mu.Unlock()
		return ErrConnectionDraining
	case s == nil && nc.pause != nil:
		close(nc.pause)
		nc.pause = nil
	}
	// The status moves here and not on the lifecycle goroutine, so that a second
	// call finds it done, and the outbox is detached, so that a Flush from now on
	// waits for the next session. What waits for this one ends in the same step, so
	// that a Request from now on is left alone. swapOut does the rest.
	first := s != nil && s.mark(loss{forced: true, hurry: true}, func() {
		nc.out.detach()
		nc.requests.interrupt(nc.out)
	})
	if first {
		nc.state.move(RECONNECTING)
	}
	nc.mu.Unlock()
	if first {
		// Owned by the session: ends once the socket is closed, which waits for the
		// reader to let go of it. The caller need not: its next call may be about this
		// very session.
		go s.conn.Close()
	}
	return nil
}

// interrupt ends the requests that wait, as close does, but takes new ones. What is
// published of them is withdrawn here, before there can be another server: their
// callers may be too slow for that.
func (r *requests) interrupt(box *outbox) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for token, w := range r.waiting {
		delete(r.waiting, token)
		box.withdrawSent(&w.sent)
		w.reply <- nil
	}
}

// withdrawSent is withdraw for a publish that may be under way.
func (o *outbox) withdrawSent(how *handling) {
	o.mu.Lock()
	at := how.at
	o.mu.Unlock()
	o.withdraw(at)
}

// startPause begins a pause that ForceReconnect can end.
func (nc *Conn) startPause() <-chan struct{} {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.pause = make(chan struct{})
	return nc.pause
}

func (nc *Conn) endPause() {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.pause = nil
}

// sleep waits, at most until ForceReconnect; false if the connection was closed
// meanwhile.
func (nc *Conn) sleep(d time.Duration) bool {
	if d <= 0 {
		return nc.ctx.Err() == nil
	}
	cut := nc.startPause()
	defer nc.endPause()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-cut:
		return nc.ctx.Err() == nil
	case <-nc.ctx.Done():
		return false
	}
}

package nats

import "time"

// Close closes the connection for good. What was published and not sent yet is
// still sent if there is a server, as long as it goes on taking it (within
// Timeout); what waits for a server is given up: the [UndeliveredHandler] is told
// each message, with [ErrConnectionClosed]. Flush, Request and [Subscription.NextMsg]
// calls that wait return [ErrConnectionClosed]. It does not wait for handlers.
// A second Close does nothing.
func (nc *Conn) Close() {
	if nc == nil {
		return
	}
	nc.shut(nc.ending(false))
}

// ending is how the program closes the connection.
func (nc *Conn) ending(hasty bool) ending {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return ending{byProgram: true, silent: nc.Opts.NoCallbacksAfterClientClose, hasty: hasty}
}

// ending is how a connection is closed for good.
type ending struct {
	byProgram bool  // not by the lifecycle goroutine
	silent    bool  // handlers are not called
	hasty     bool  // what is unsent is not waited for
	err       error // the last error; nil: as it was
}

// shut closes the connection; the first call does it.
func (nc *Conn) shut(e ending) {
	nc.mu.Lock()
	s := nc.session
	if !nc.state.move(CLOSED) {
		nc.mu.Unlock()
		return
	}
	nc.session = nil
	if nc.closeErr = e.err; e.err != nil {
		nc.lastErr = e.err
	}
	keep := nc.draining == drainOutlasts
	patience := nc.Opts.Timeout
	nc.mu.Unlock()
	defer close(nc.over)

	nc.out.close(ErrConnectionClosed)
	if s != nil && e.byProgram && !e.hasty {
		nc.drainOut(patience)
	}
	nc.cancel()
	if s != nil {
		s.fail(ErrConnectionClosed, false)
	}
	nc.pings.close(ErrConnectionClosed)
	nc.requests.close()
	nc.subs.close()
	if s != nil && e.byProgram {
		// The read loop and the writer run nothing of the program's, so this
		// wait ends.
		<-nc.done
	}
	left := nc.out.abandon(ErrConnectionClosed, keep)

	nc.mu.Lock()
	nc.left = left
	if nc.onUndelivered != nil || nc.log != nil {
		nc.callUndelivered() // whoever else was about to may come too late
	}
	if s != nil && s.announced.Load() && !e.byProgram {
		nc.log.disconnectedLocked(e.err)
	}
	nc.log.closedLocked(e.err)
	if !e.silent {
		if s != nil && s.announced.Load() {
			nc.postDisconnectedLocked(nil)
		}
		nc.postConnLocked(nc.Opts.ClosedCB)
	}
	nc.events.close()
	nc.mu.Unlock()
}

// abandon cleans up after a first connect that failed.
func (nc *Conn) abandon() {
	nc.cancel()
	nc.out.close(ErrConnectionClosed)
	nc.out.abandon(ErrConnectionClosed, false)
	nc.move(CLOSED)
}

// drainLimit is the most that a Close waits for a slow link, in all.
const drainLimit = time.Minute

// drainOut waits until the writer has sent everything, as long as the kernel goes
// on taking bytes: it gives up after patience without any.
func (nc *Conn) drainOut(patience time.Duration) {
	empty := nc.out.drained()
	limit := time.NewTimer(drainLimit)
	defer limit.Stop()
	tick := time.NewTicker(max(patience, time.Millisecond))
	defer tick.Stop()
	for last := nc.out.taken(); ; {
		select {
		case <-empty:
			return
		case <-limit.C:
			return
		case <-tick.C:
		}
		now := nc.out.taken()
		if now == last {
			return
		}
		last = now
	}
}

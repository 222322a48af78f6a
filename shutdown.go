package nats

import (
	"context"
	"fmt"
)

// ShutdownError says what a Shutdown could not do. It wraps Err.
type ShutdownError struct {
	// Err is why the shutdown ended early: the context's error, why the connection
	// was closed (ErrNoServers, for instance), or ErrConnectionClosed; nil if
	// nothing is left, but not all of it is known to have arrived.
	Err error
	// Left are the messages that were accepted and not sent, in their order. The
	// UndeliveredHandler is told of them too.
	Left []*Msg
	// GivenUp counts the messages given up during the shutdown for other reasons,
	// for their age for instance: those of which the UndeliveredHandler was told.
	GivenUp uint64
	// InDoubt counts the messages that the operating system had taken when a
	// connection broke during the shutdown, and that may or may not have arrived.
	InDoubt uint64
}

func (e *ShutdownError) Error() string {
	s := fmt.Sprintf("nats: shutdown: %d messages not sent, %d given up, %d in doubt", len(e.Left), e.GivenUp, e.InDoubt)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *ShutdownError) Unwrap() error { return e.Err }

// Shutdown closes the connection in order, and waits for it: subscriptions take
// nothing new and end once what they have was handled, then Publish is refused,
// and what was published is sent until the server has confirmed all of it. Other
// than Drain it goes on through outages: it waits for a server to come back, as
// long as the context allows and [MaxReconnects] lets the client look for one.
//
// nil means that the server has processed every message that was accepted before
// and not in doubt or given up already. Else it is [ErrConnectionClosed] if there is
// nothing to shut down, [ErrInvalidContext], or a *ShutdownError with the messages
// that were not sent; the connection is closed then too. A drain or shutdown under
// way is joined.
//
// Not to be called by a message handler of the connection: it waits for them.
func (nc *Conn) Shutdown(ctx context.Context) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if ctx == nil {
		return ErrInvalidContext
	}
	before := nc.BufferStats()
	first, err := nc.startDrain(drainOutlasts)
	if err != nil {
		return err
	}
	if first {
		err = nc.finish(ctx)
	} else {
		err = nc.joinDrain(ctx)
	}
	nc.shut(nc.ending(err != nil))
	<-nc.over
	if err != nil && ctx.Err() == nil {
		err = nc.closedBy()
	}
	return nc.shutdownResult(err, before)
}

// finish drains everything, through any number of outages. It ends with the
// context, or when the connection is closed.
func (nc *Conn) finish(ctx context.Context) error {
	if err := nc.drainSubs(ctx); err != nil {
		return err
	}
	for {
		err := nc.drainPubs(ctx)
		if err == nil || ctx.Err() != nil || nc.IsClosed() {
			return err
		}
		// A server was lost, or something expired: what is left goes on, and the
		// counters tell of what is not.
	}
}

// joinDrain waits for the end of a drain that another call has begun, and makes
// it outlast an outage.
func (nc *Conn) joinDrain(ctx context.Context) error {
	nc.mu.Lock()
	nc.draining = drainOutlasts
	nc.mu.Unlock()
	select {
	case <-nc.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// closedBy is why the connection was closed.
func (nc *Conn) closedBy() error {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if nc.closeErr != nil {
		return nc.closeErr
	}
	return ErrConnectionClosed
}

// shutdownResult makes the result of a Shutdown, once the connection is closed.
func (nc *Conn) shutdownResult(err error, before BufferStats) error {
	nc.mu.Lock()
	left := nc.left
	nc.mu.Unlock()
	now := nc.BufferStats()
	e := &ShutdownError{
		Err: err, Left: left,
		GivenUp: now.Undelivered - before.Undelivered - uint64(len(left)),
		InDoubt: now.InDoubt - before.InDoubt,
	}
	if err == nil && len(left) == 0 && e.GivenUp == 0 && e.InDoubt == 0 {
		return nil
	}
	return e
}

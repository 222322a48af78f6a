package nats

import (
	"context"
	"errors"
	"time"
)

// DefaultDrainTimeout is how long the subscriptions of a draining connection may take.
const DefaultDrainTimeout = 30 * time.Second

// drainFlushTimeout is how long a draining connection waits for the server to
// have what was published.
const drainFlushTimeout = 5 * time.Second

// ErrDrainTimeout is the last error of a connection that was closed because its
// subscriptions were not drained in time.
var ErrDrainTimeout = errors.New("nats: draining connection timed out")

// DrainTimeout sets how long the subscriptions of a draining connection may take
// to work on what they have; default 30 s. 0 or less: no time at all.
func DrainTimeout(t time.Duration) Option { return set(func(o *Options) { o.DrainTimeout = t }) }

// drainMode says that a connection is draining, and what becomes of that when
// the server is lost.
type drainMode uint8

const (
	notDraining drainMode = iota
	drainOrClose
	// drainOutlasts: the server is looked for, and the drain goes on meanwhile.
	drainOutlasts
)

// drainPhase is how far the drain of a subscription has come.
type drainPhase uint8

const (
	drainNone drainPhase = iota
	// drainAsked: the server was told; messages of before may still come.
	drainAsked
	// drainLast: no more will come; it ends with the last one that is pending.
	drainLast
)

// Drain closes the connection in order and returns at once: subscriptions take
// nothing new and end once what they have was handled, within [DrainTimeout]; then
// Publish is refused, what was published is flushed, within 5 s, and the
// connection is closed. [ClosedHandler] tells that it is done. Meanwhile Subscribe
// and Unsubscribe return [ErrConnectionDraining]. A subscription that is not ready
// in time leaves [ErrDrainTimeout] as the last error. If the server is lost
// meanwhile the connection is closed.
//
// Errors: [ErrConnectionClosed]; [ErrConnectionReconnecting] without a server: then
// the connection was closed as Close does it. A second Drain is no error.
func (nc *Conn) Drain() error {
	if nc == nil {
		return ErrInvalidConnection
	}
	first, err := nc.startDrain(drainOrClose)
	if errors.Is(err, ErrConnectionReconnecting) {
		nc.Close()
	}
	if err != nil || !first {
		return err
	}
	// Owned by the connection: ends with its context, or with the timeouts.
	go nc.drain()
	return nil
}

// drain is the goroutine of Drain.
func (nc *Conn) drain() {
	nc.mu.Lock()
	patience := nc.Opts.DrainTimeout
	nc.mu.Unlock()
	ctx, cancel := context.WithTimeout(nc.ctx, patience)
	defer cancel()
	err := nc.drainSubs(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrDrainTimeout
	}
	nc.drainError(err)
	ctx, cancel = context.WithTimeout(nc.ctx, drainFlushTimeout)
	defer cancel()
	err = nc.drainPubs(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = ErrTimeout
	}
	nc.drainError(err)
	if err != nil && nc.outlasts() {
		_ = nc.finish(nc.ctx) // ends with the Shutdown at the latest, which closes the connection
	}
	nc.Close()
}

// outlasts reports whether a Shutdown has made the drain its own.
func (nc *Conn) outlasts() bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.draining == drainOutlasts
}

// drainError tells the program what a drain could not do, unless the connection
// was closed over it.
func (nc *Conn) drainError(err error) {
	if err != nil && !nc.IsClosed() {
		nc.reportError(nil, err)
	}
}

// startDrain makes the connection refuse new subscriptions. With drainOrClose it
// needs a server. first: it was not draining before.
func (nc *Conn) startDrain(mode drainMode) (first bool, err error) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	switch {
	case nc.state.now == CLOSED:
		return false, ErrConnectionClosed
	case nc.draining != notDraining:
		return false, nil
	case mode == drainOrClose && nc.state.now != CONNECTED:
		return false, ErrConnectionReconnecting
	}
	nc.draining = mode
	nc.subs.refuseNew()
	nc.state.move(DRAINING_SUBS)
	return true, nil
}

// drainSubs ends the subscriptions once they have handled what they have, the one
// of the requests last. It returns ctx.Err() if the context ends before. Without a
// server it works too: then there is nothing more to come.
func (nc *Conn) drainSubs(ctx context.Context) error {
	if err := nc.drainThese(ctx, func(s *Subscription) bool { return s.mux == nil }); err != nil {
		return err
	}
	return nc.drainThese(ctx, func(*Subscription) bool { return true })
}

// drainThese drains the wanted subscriptions and waits until they have ended.
func (nc *Conn) drainThese(ctx context.Context, want func(*Subscription) bool) error {
	subs, w := nc.subs.drain(nc.pings, want)
	if len(subs) > 0 {
		if err := nc.awaitServed(ctx, w); err != nil {
			return err
		}
	}
	for _, s := range subs {
		s.served()
	}
	select {
	case <-nc.subs.without(want):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// awaitServed returns once the server has nothing more for subscriptions that it
// was told to end, before the PING of w.
func (nc *Conn) awaitServed(ctx context.Context, w *flushWaiter) error {
	for {
		if w.early {
			// There was no server, and the next one is not told of them.
			nc.pings.cancel(w)
			return ctx.Err()
		}
		select {
		case err := <-w.done:
			if !errors.Is(err, ErrMsgsGivenUp) {
				return nil // answered; or lost, with all it might have sent
			}
			w = nc.pings.flush(false)
		case <-ctx.Done():
			nc.pings.cancel(w)
			return ctx.Err()
		}
	}
}

// drainPubs refuses publishes from now on and waits until the server has what
// was published.
func (nc *Conn) drainPubs(ctx context.Context) error {
	nc.out.close(ErrConnectionDraining)
	// In this order, so that a session that comes meanwhile gets the status either here
	// or from resumeDrainLocked. Without one this does nothing.
	nc.move(DRAINING_PUBS)
	return nc.flush(ctx)
}

// resumeDrainLocked gives a connection that is draining and has a server again
// the status that it had.
func (nc *Conn) resumeDrainLocked() {
	if nc.draining == notDraining {
		return
	}
	nc.state.move(DRAINING_SUBS)
	if nc.out.refuses() != nil {
		nc.state.move(DRAINING_PUBS)
	}
}

// refuses returns why the outbox takes nothing any more; nil: it does.
func (o *outbox) refuses() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.refuse
}

// refusesSubs reports whether the connection is draining, with a server or not.
func (nc *Conn) refusesSubs() bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.draining != notDraining
}

// IsDraining reports whether the connection is draining, in a Shutdown also while
// there is no server.
func (nc *Conn) IsDraining() bool {
	switch nc.Status() {
	case DRAINING_SUBS, DRAINING_PUBS:
		return true
	case CLOSED:
		return false
	}
	return nc.refusesSubs()
}

// Drain ends the subscription in order and returns at once: the server sends
// nothing more for it, and it ends once what it has was handed over; a synchronous
// subscription is to be read with [Subscription.NextMsg] until that returns [ErrBadSubscription].
// What a channel has got stays in it.
//
// Errors: [ErrConnectionClosed]. On a subscription that is draining or has ended it
// does nothing.
func (s *Subscription) Drain() error {
	if s == nil {
		return ErrBadSubscription
	}
	nc := s.conn
	if nc.IsClosed() {
		return ErrConnectionClosed
	}
	subs, w := nc.subs.drain(nc.pings, func(other *Subscription) bool { return other == s })
	if len(subs) == 0 {
		return nil
	}
	// Owned by the connection: ends when the server has answered, or is lost.
	go func() {
		if nc.awaitServed(nc.ctx, w) == nil {
			s.served()
		}
	}()
	return nil
}

// IsDraining reports whether the subscription was told to drain and has not ended.
func (s *Subscription) IsDraining() bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drain != drainNone && s.ended == nil
}

// startDrain notes that the server is told to send nothing more; false if it was
// before, or the subscription has ended.
func (s *Subscription) startDrain() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended != nil || s.drain != drainNone {
		return false
	}
	s.drain = drainAsked
	s.tellStatusLocked()
	return true
}

func (s *Subscription) isDraining() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.drain != drainNone
}

// served notes that no more messages will come.
func (s *Subscription) served() {
	s.mu.Lock()
	s.drain = drainLast
	s.bookLocked()
	over := s.ended == nil && s.overLocked()
	s.mu.Unlock()
	if over {
		s.conn.subs.over(s)
		s.tellClosedApart()
	}
}

// overLocked reports whether the subscription has had all it is going to get.
func (s *Subscription) overLocked() bool {
	return s.spentLocked() || s.drain == drainLast && s.pendingMsgs == 0
}

// drain tells the server to end the wanted subscriptions that are not draining
// yet, and returns them, if any, with the flush behind that, all in one step under
// the registry's lock: a session either is told, or does not learn of them.
func (g *registry) drain(p *pings, want func(*Subscription) bool) ([]*Subscription, *flushWaiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var subs []*Subscription
	for _, s := range g.byID {
		if want(s) && s.startDrain() {
			subs = append(subs, s)
			g.box.sendControl(appendUnsub(nil, s.sid, 0))
		}
	}
	if len(subs) == 0 {
		return nil, nil
	}
	return subs, p.flush(false)
}

// refuseNew makes add return ErrConnectionDraining from now on.
func (g *registry) refuseNew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.draining = true
}

// without returns a channel that is closed once none of the subscriptions of
// which is true is left. One caller at a time, and only while new ones are refused.
func (g *registry) without(which func(*Subscription) bool) <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leaving, g.gone = make(map[int64]bool), make(chan struct{})
	for sid, s := range g.byID {
		if which(s) {
			g.leaving[sid] = true
		}
	}
	ch := g.gone
	g.checkGoneLocked()
	return ch
}

func (g *registry) checkGoneLocked() {
	if g.gone != nil && len(g.leaving) == 0 {
		close(g.gone)
		g.gone = nil
	}
}

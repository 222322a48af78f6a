package nats

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"
)

// ReconnectOnLameDuck makes the connection leave a server that says it is about to
// shut down (lame duck mode), if another one takes it, instead of waiting until it is
// dropped. It connects to the other one first, then ends the old session in order:
// the server confirms what it was sent and what it has for the subscriptions, and the
// rest of the buffer and the subscriptions go to the new one. So nothing that this
// connection publishes is lost or repeated, in every mode. If the old server does not answer
// within Timeout the connection goes all the same, and what the server had not
// confirmed is as after any lost connection. While no other server takes the
// connection, it stays and tries again.
//
// Each client waits for a time drawn at random between 0 and spread before it leaves,
// so that those of one server do not come to the others all at once. A nats-server
// drops nobody during its lame_duck_grace_period, 10 s by default: spread should be
// somewhat shorter, 8 s for instance. 0: at once. Negative: ErrInvalidArg.
//
// Default: off. The handlers are called as for any other change of server, and the
// LameDuckModeHandler as well. With NoReconnect, and while the connection drains, it
// does nothing. A subscription misses what others publish between the end of the one
// session and the begin of the other, and may get twice what the servers were passing
// on to each other just then; its queue group, if that has another member, neither.
func ReconnectOnLameDuck(spread time.Duration) Option {
	return func(o *Options) error {
		if spread < 0 {
			return fmt.Errorf("%w: lame duck spread %v is negative", ErrInvalidArg, spread)
		}
		o.ReconnectOnLameDuck, o.LameDuckSpread = true, spread
		return nil
	}
}

// departAgain is how long, besides its spread, a departure waits that has found no
// server to go to.
const departAgain = time.Second

// departure is how a session leaves a server in lame duck mode. It ends with the
// session at the latest; what it has found by then is used.
type departure struct {
	cancel context.CancelFunc
	done   chan struct{}
	// Once done is closed:
	next   *session // with the server to go to; nil: there is none
	server *server  // that one
}

// depart begins the departure of a session whose server is in lame duck mode, if that
// is wanted and not under way.
func (nc *Conn) depart(s *session) {
	if !nc.mayDepart() {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.departure != nil || s.lost != nil {
		return
	}
	ctx, cancel := context.WithCancel(nc.ctx)
	d := &departure{cancel: cancel, done: make(chan struct{})}
	s.departure = d
	// Owned by the session: arrival ends it and waits for it, Close ends it too.
	go func() {
		defer close(d.done)
		nc.leave(ctx, s, d)
	}()
}

// mayDepart reports whether a departure is wanted now.
func (nc *Conn) mayDepart() bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.Opts.ReconnectOnLameDuck && nc.Opts.AllowReconnect && nc.draining == notDraining
}

// leave is the goroutine of a departure.
func (nc *Conn) leave(ctx context.Context, s *session, d *departure) {
	nc.mu.Lock()
	spread, patience := nc.Opts.LameDuckSpread, nc.Opts.Timeout
	nc.mu.Unlock()
	wait := rand.N(spread + 1)
	for d.next == nil {
		if !rest(ctx, wait) || !nc.mayDepart() {
			return
		}
		d.next, d.server = nc.successor(ctx, s)
		wait = departAgain + rand.N(spread+1)
	}
	heard := nc.subs.farewell()
	t := time.NewTimer(patience)
	defer t.Stop()
	select {
	case <-heard:
		nc.part(s, loss{hurry: true, left: true, settled: true})
	case <-t.C:
		nc.part(s, loss{hurry: true, left: true})
	case <-ctx.Done():
	}
}

// part ends a session that has said farewell, unless Close still sends what is left
// over it.
func (nc *Conn) part(s *session, why loss) {
	nc.mu.Lock()
	first := nc.state.now != CLOSED && s.mark(why, nc.out.change)
	nc.mu.Unlock()
	if first {
		s.conn.Close()
	}
}

// rest waits; false if the context ends before.
func rest(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// successor shakes hands with the first of the other servers that takes the
// connection and is not about to go itself; nil: there is none.
func (nc *Conn) successor(ctx context.Context, s *session) (*session, *server) {
	for _, srv := range nc.successors(ctx) {
		nc.mu.Lock()
		c := connector{opts: nc.Opts, tlsName: srv.tlsName}
		nc.mu.Unlock()
		c.onSocket = func() bool { return ctx.Err() == nil }
		c.onInfo = func(*serverInfo) {} // it is learnt when the session is swapped in
		next, err := c.connect(ctx, srv.url)
		switch {
		case ctx.Err() != nil:
			if err == nil {
				next.conn.Close()
			}
			return nil, nil
		case err != nil:
			nc.tellFailed(srv, err)
		case next.info.LameDuckMode || next.info.ID == s.info.ID:
			next.conn.Close()
		default:
			return next, srv
		}
	}
	return nil, nil
}

// successors are the servers to leave for: the program's choice if it makes one, else
// all of the pool but the current one.
func (nc *Conn) successors(ctx context.Context) []*server {
	nc.mu.Lock()
	choose, pool, info := nc.Opts.ReconnectToServerCB, nc.pool.copies(), nc.info
	others := nc.pool.others()
	nc.mu.Unlock()
	if choose == nil || len(others) == 0 {
		return others
	}
	want, pause := choose(pool, info)
	if want == nil || want.URL == nil {
		return others
	}
	for _, srv := range others {
		if srv.url.String() == want.URL.String() && rest(ctx, pause) {
			return []*server{srv}
		}
	}
	return nil
}

// others are the entries that are not the current server, in their order.
func (p *serverPool) others() []*server {
	var list []*server
	for _, s := range p.list {
		if p.current == nil || s.url.Host != p.current.url.Host {
			list = append(list, s)
		}
	}
	return list
}

// turnTo makes a server the current one, as next would have.
func (p *serverPool) turnTo(s *server) {
	var list, last []*server
	for _, other := range p.list {
		switch other {
		case s:
			list = append([]*server{s}, list...)
		case p.current:
			last = append(last, other)
		default:
			list = append(list, other)
		}
	}
	p.list, p.current = append(list, last...), s
}

// departed ends the departure of a session that is over; nil: there was none.
func (s *session) departed() *departure {
	s.mu.Lock()
	d := s.departure
	s.mu.Unlock()
	if d == nil {
		return nil
	}
	d.cancel()
	<-d.done
	return d
}

// abandon gives up what a departure has found.
func (d *departure) abandon() {
	if d != nil && d.next != nil {
		d.next.conn.Close()
	}
}

// arrive swaps the session in that a departure has found. nil: it has found none, or
// the connection was closed.
func (nc *Conn) arrive(d *departure) *session {
	if d == nil || d.next == nil {
		return nil
	}
	if !nc.reached(RECONNECTING) {
		d.abandon()
		return nil
	}
	nc.mu.Lock()
	nc.pool.turnTo(d.server)
	nc.mu.Unlock()
	nc.learn(&d.next.info, true)
	if !nc.swapIn(d.next) {
		return nil
	}
	return d.next
}

package nats

import (
	"errors"
	"math/rand/v2"
	"time"
)

// run is the lifecycle goroutine. It owns the sessions: serve one until it
// breaks, swap it out, find the next.
func (nc *Conn) run(s *session) {
	defer close(nc.done)
	var o outage
	for {
		if s == nil {
			if s = nc.reconnect(&o); s == nil {
				return
			}
		}
		lost := nc.serve(s)
		way := s.departed()
		if !nc.swapOut(s, lost) {
			way.abandon()
			return
		}
		if s.announced.Load() {
			o = outage{}
		}
		o.hurry = lost.hurry
		s = nc.arrive(way)
	}
}

// serve reads until the session breaks, then takes it apart: the writer ends,
// the outbox keeps what the kernel has not taken.
func (nc *Conn) serve(s *session) loss {
	if s.info.LameDuckMode {
		nc.depart(s)
	}
	nc.read(s)
	s.stopPings()
	nc.out.detach()
	<-s.writer.done
	lost := s.cause()
	kept := nc.out.rewind(s.blame())
	nc.pings.lost(kept, lost.settled)
	return lost
}

// swapOut ends the connection's hold of a session that broke. False: the
// connection is closed.
func (nc *Conn) swapOut(s *session, lost loss) bool {
	nc.mu.Lock()
	if nc.session != s {
		nc.mu.Unlock()
		return false // Close took it
	}
	if lost.fatal || !nc.Opts.AllowReconnect && !lost.forced || nc.draining == drainOrClose && !lost.left {
		nc.state.move(DISCONNECTED)
		nc.mu.Unlock()
		// Close may come before. The session is still there, so either tells of its loss.
		nc.shut(ending{err: lost.err})
		return false
	}
	defer nc.mu.Unlock()
	nc.session = nil
	if !lost.forced && !nc.state.move(RECONNECTING) {
		return false
	}
	nc.lastErr = nil
	if !s.announced.Load() {
		nc.log.attemptFailedLocked(s.name, lost.err)
		return true
	}
	nc.lostAt, nc.lostTo = time.Now(), lost.err
	nc.log.disconnectedLocked(lost.err)
	nc.postDisconnectedLocked(lost.err)
	return true
}

// startOutage begins the life of a connection that has never had a server.
func (nc *Conn) startOutage(err error) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.state.move(RECONNECTING)
	nc.lostAt, nc.lostTo = time.Now(), err
	nc.log.retryingLocked(err)
	nc.postConnErrLocked(nc.Opts.ReconnectErrCB, err)
}

// outage is what the reconnect loop counts from the loss of a server until the
// program was told of the next.
type outage struct {
	tried int  // servers tried since the last pause
	waits int  // pauses so far
	hurry bool // the next attempt comes without a pause
}

// pause returns how long to wait before the next attempt: nothing until every
// server of the pool was tried once, then the delay of the options.
func (o *outage) pause(servers int, opts *Options) time.Duration {
	if o.hurry {
		o.hurry = false
		return 0
	}
	if o.tried+1 < servers {
		o.tried++
		return 0
	}
	o.tried = 0
	o.waits++
	if opts.CustomReconnectDelayCB != nil {
		return opts.CustomReconnectDelayCB(o.waits)
	}
	if opts.ReconnectBackoffLeast > 0 {
		return backoff(opts.ReconnectBackoffLeast, opts.ReconnectBackoffMost, o.waits)
	}
	d := max(0, opts.ReconnectWait)
	if jitter := opts.jitter(); jitter > 0 {
		d += rand.N(jitter)
	}
	return d
}

// reconnect finds the next session and swaps it in. nil: the connection is
// closed, by the program or because no server is left.
func (nc *Conn) reconnect(o *outage) *session {
	for {
		nc.out.sweep()
		srv, pause := nc.choose(o)
		if srv == nil {
			nc.shut(ending{err: ErrNoServers})
			return nil
		}
		if !nc.sleep(pause) {
			return nil
		}
		nc.mu.Lock()
		srv.reconnects++
		nc.mu.Unlock()
		s, err := nc.attempt(srv, RECONNECTING)
		switch {
		case err == nil && nc.swapIn(s):
			return s
		case nc.ctx.Err() != nil || err == nil:
			return nil
		case nc.attemptFailed(srv, err):
			return nil
		}
	}
}

// attemptFailed tells the program of a failed attempt, and closes the connection
// (true) if the server has refused the credentials in the same way twice.
func (nc *Conn) attemptFailed(srv *server, err error) bool {
	nc.tellFailed(srv, err)
	if nc.noteRefusal(srv, err) {
		nc.shut(ending{err: err})
		return true
	}
	return false
}

// tellFailed tells the program of a failed attempt.
func (nc *Conn) tellFailed(srv *server, err error) {
	var c *connectError
	step := ""
	if errors.As(err, &c) {
		step = c.step
	}
	refused := refusedAs(err)
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.log.attemptFailedLocked(srv.name(), err)
	switch {
	case step == stepDial || step == stepUpgrade:
		nc.postConnErrLocked(nc.Opts.ReconnectErrCB, err)
	case !nc.met.Load(): // nothing that was there has gone
	case step == stepConnect || step == stepAnswer || step == stepTLS:
		nc.postErrorLocked(nil, err)
	case refused != nil:
		nc.postErrorLocked(nil, refused)
	}
}

func isDialError(err error) bool {
	var c *connectError
	return errors.As(err, &c) && c.step == stepDial
}

// refusedAs returns the error for the credentials if that is what a server
// refused during the handshake, or nil.
func refusedAs(err error) error {
	var r *refusal
	if !errors.As(err, &r) {
		return nil
	}
	return authError(r.text)
}

// noteRefusal remembers how a server refused the credentials. True: the same as
// the last time, and going on is of no use.
func (nc *Conn) noteRefusal(srv *server, err error) bool {
	refused := refusedAs(err)
	if refused == nil {
		return false
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.noteRefusalLocked(srv, refused)
}

func (nc *Conn) noteRefusalLocked(srv *server, refused error) bool {
	if srv.lastAuthErr == refused && !nc.Opts.IgnoreAuthErrorAbort {
		return true
	}
	srv.lastAuthErr = refused
	return false
}

// authRefused handles an -ERR about credentials on a live session.
func (nc *Conn) authRefused(err error) (giveUp bool) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.lastErr = err
	nc.postErrorLocked(nil, err)
	return nc.noteRefusalLocked(nc.pool.current, err)
}

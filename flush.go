package nats

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// pings matches PONGs with the PINGs they answer. The server answers in order,
// so the PONG for a PING proves that the server has processed every byte in
// front of it. Lock order: pings before outbox.
type pings struct {
	box *outbox

	mu     sync.Mutex
	fifo   []*pingMark    // what flushes wait for, in the order of the positions
	parked []*flushWaiter // flushes without a session: they get a PING in the next
	closed error          // what a flush is told once the connection is closed

	confirmed uint64 // everything before this position was processed by the server
	unheard   int    // keep-alive PINGs sent since the last PONG
	lastTaken uint64 // the outbox's progress at the last keep-alive tick
}

// pingMark are the flushes that wait for everything before a position.
type pingMark struct {
	pos     uint64
	waiters []*flushWaiter
}

// flushWaiter is one call of Flush.
type flushWaiter struct {
	done chan error // gets the one result
	// from and upTo enclose what was unsent when the call began. It has
	// survived a lost connection as long as none of this is in doubt.
	from, upTo uint64
	// durable: it outlives the loss of a session, because it began without one,
	// or because all is kept until it is confirmed.
	durable bool
	early   bool // began without a session
}

// flush registers a waiter for the PONG behind everything appended so far. With
// outlast it outlives the session where all is kept until it is confirmed; what
// begins without a session outlives that in any case.
func (p *pings) flush(outlast bool) *flushWaiter {
	w := &flushWaiter{done: make(chan error, 1)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed != nil {
		w.done <- p.closed
		return w
	}
	p.collectLocked()
	w.from, w.upTo = p.box.unsentFrom(), p.box.tailPos()
	w.durable = outlast && p.box.keep != nil
	if !p.appendLocked(true, w) {
		w.durable, w.early = true, true
		p.parked = append(p.parked, w)
	}
	return w
}

// appendLocked puts a PING into the ring for some waiters, or lets them share
// the last one. False: there is no session.
func (p *pings) appendLocked(share bool, ws ...*flushWaiter) bool {
	pos, ok := p.box.ping(share)
	if !ok || len(ws) == 0 {
		return ok
	}
	n := len(p.fifo)
	if n == 0 || p.fifo[n-1].pos != pos {
		p.fifo = append(p.fifo, &pingMark{pos: pos})
		n++
	}
	p.fifo[n-1].waiters = append(p.fifo[n-1].waiters, ws...)
	return true
}

// collectLocked ends the flushes that cover something which was given up since
// the last look: they would not be true.
func (p *pings) collectLocked() {
	gone := p.box.takeGone()
	if gone == noPosition {
		return
	}
	spoilt := func(w *flushWaiter) bool {
		if gone >= w.upTo {
			return false
		}
		w.done <- ErrMsgsGivenUp
		return true
	}
	p.parked = slices.DeleteFunc(p.parked, spoilt)
	for _, m := range p.fifo {
		m.waiters = slices.DeleteFunc(m.waiters, spoilt)
	}
}

// cancel forgets a waiter whose caller has given up. The PING keeps its place.
func (p *pings) cancel(w *flushWaiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	same := func(x *flushWaiter) bool { return x == w }
	p.parked = slices.DeleteFunc(p.parked, same)
	for _, m := range p.fifo {
		m.waiters = slices.DeleteFunc(m.waiters, same)
	}
}

// pong handles a PONG: the oldest PING is answered. One that answers nothing is
// ignored, so a server cannot confirm what it was never asked about.
func (p *pings) pong() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unheard = 0
	pos, ok := p.box.answered()
	if !ok {
		return
	}
	p.collectLocked()
	p.confirmed = pos
	for len(p.fifo) > 0 && p.fifo[0].pos <= pos {
		for _, w := range p.fifo[0].waiters {
			w.done <- nil
		}
		p.fifo = slices.Delete(p.fifo, 0, 1)
	}
}

// resume gives the flushes that began without a session their PING.
func (p *pings) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.collectLocked()
	p.unheard, p.lastTaken = 0, p.box.taken()
	if len(p.parked) > 0 && p.appendLocked(true, p.parked...) {
		p.parked = nil
	}
}

// lost handles the end of a session, after the outbox was rewound; kept is the
// position from which everything is still in the process. Flushes that began
// in the session fail. One that began before it goes on waiting if nothing of
// what it is to prove has left the process without being confirmed; after a session
// that is settled all do.
func (p *pings) lost(kept uint64, settled bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	waiting := p.parked
	for _, m := range p.fifo {
		waiting = append(waiting, m.waiters...)
	}
	p.fifo, p.parked = nil, nil
	for _, w := range waiting {
		inDoubt := max(p.confirmed, w.from) < min(kept, w.upTo)
		if settled || w.durable && (p.box.keep != nil || !inDoubt) {
			p.parked = append(p.parked, w)
		} else {
			w.done <- ErrConnectionClosed
		}
	}
	p.confirmed = kept
}

// close ends every waiting flush with err, and every later one.
func (p *pings) close(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = err
	for _, m := range p.fifo {
		p.parked = append(p.parked, m.waiters...)
	}
	for _, w := range p.parked {
		w.done <- err
	}
	p.fifo, p.parked = nil, nil
}

// keepAlive is the ping timer's tick. It reports whether the connection is
// stale: maxOut PINGs were not answered. While the last PING is still unsent
// and the kernel goes on taking bytes, the link is slow, not dead: then the
// tick adds nothing.
func (p *pings) keepAlive(maxOut int) (stale bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	taken := p.box.taken()
	moving := taken != p.lastTaken
	p.lastTaken = taken
	if moving && p.box.pingUnsent() {
		return false
	}
	p.unheard++
	if p.unheard > maxOut {
		return true
	}
	p.appendLocked(false)
	return false
}

// Flush waits until the server has processed everything that was published on
// this connection before the call, for at most 10 seconds. See [Conn.FlushTimeout].
func (nc *Conn) Flush() error { return nc.FlushTimeout(defaultFlushTimeout) }

// defaultFlushTimeout is how long Flush waits.
const defaultFlushTimeout = 10 * time.Second

// FlushTimeout sends a PING behind everything published so far and waits for
// the server's PONG. Without a server it waits for the reconnect, the sending
// of what is buffered and the PONG. nil means that the server has processed
// everything that was still in the process when the call began; what a connection
// lost before it had left in doubt is in [BufferStats].
//
// Errors: [ErrBadTimeout] if timeout is not positive, [ErrTimeout] if it passes,
// [ErrConnectionClosed] if the connection is closed, or is lost so that it cannot
// be known whether the server has everything, [ErrMsgsGivenUp] if something of it
// was given up or purged meanwhile.
func (nc *Conn) FlushTimeout(timeout time.Duration) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if timeout <= 0 {
		return ErrBadTimeout
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := nc.flush(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return ErrTimeout
	}
	return err
}

// FlushWithContext is [Conn.FlushTimeout] with the deadline of a context. The context
// must have one ([ErrNoDeadlineContext]); when it ends the error is ctx.Err().
func (nc *Conn) FlushWithContext(ctx context.Context) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if ctx == nil {
		return ErrInvalidContext
	}
	if _, ok := ctx.Deadline(); !ok {
		return ErrNoDeadlineContext
	}
	return nc.flush(ctx)
}

func (nc *Conn) flush(ctx context.Context) error {
	if nc.IsClosed() {
		return ErrConnectionClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w := nc.pings.flush(true)
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		nc.pings.cancel(w)
		return ctx.Err()
	}
}

// Buffered returns how many bytes of published messages, protocol lines
// included, have not been handed to the operating system: what the writer has
// not sent yet or, without a server, what the reconnect buffer holds. On a
// closed connection it returns -1 and [ErrConnectionClosed].
func (nc *Conn) Buffered() (int, error) {
	if nc == nil || nc.IsClosed() {
		return -1, ErrConnectionClosed
	}
	return nc.out.buffered(), nil
}

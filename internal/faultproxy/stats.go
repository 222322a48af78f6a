package faultproxy

import (
	"context"
	"fmt"
	"net"
	"sync"
)

// Traffic counts the bytes of one direction.
type Traffic struct {
	Read      int64 // read from the sender
	Forwarded int64 // taken by the kernel for the receiver
	Dropped   int64 // read, but never to be forwarded
}

// Held is how many bytes the proxy has read and still keeps.
func (t Traffic) Held() int64 { return t.Read - t.Forwarded - t.Dropped }

// Stats is what a Proxy has done since its start.
type Stats struct {
	Accepted   int     // connections accepted, including those closed at once
	Rejected   int     // of these, closed at once by CloseAtOnce or ResetAtOnce
	DialFailed int     // of these, reset because the upstream could not be reached
	Open       int     // connections open now, including silent ones
	Up         Traffic // client to server, all connections
	Down       Traffic // server to client, all connections
}

// ConnStats is what has become of one connection.
type ConnStats struct {
	Up    Traffic // client to server
	Down  Traffic // server to client
	Ended bool    // both sides have been told that it is over
}

// board holds all counters and wakes those who wait for them. Its lock is a
// leaf.
type board struct {
	mu      sync.Mutex
	changed chan struct{} // closed at the next change; nil when nobody waits
	total   Stats
}

// changedLocked wakes the waiters.
func (b *board) changedLocked() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

func (b *board) waitLocked() <-chan struct{} {
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed
}

func (b *board) accepted(rejected bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.Accepted++
	if rejected {
		b.total.Rejected++
	} else {
		b.total.Open++
	}
	b.changedLocked()
}

func (b *board) dialFailed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.DialFailed++
	b.changedLocked()
}

func (b *board) ended(c *Conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total.Open--
	c.stats.Ended = true
	b.changedLocked()
}

// add books bytes of one direction of a connection, and in the total.
func (b *board) add(c *Conn, dir Direction, t Traffic) {
	b.mu.Lock()
	defer b.mu.Unlock()
	one, all := &c.stats.Up, &b.total.Up
	if dir == Down {
		one, all = &c.stats.Down, &b.total.Down
	}
	for _, sum := range []*Traffic{one, all} {
		sum.Read += t.Read
		sum.Forwarded += t.Forwarded
		sum.Dropped += t.Dropped
	}
	b.changedLocked()
}

// Stats returns the counters of the proxy.
func (p *Proxy) Stats() Stats {
	p.board.mu.Lock()
	defer p.board.mu.Unlock()
	return p.board.total
}

// Stats returns the counters of the connection. They stay readable after its
// end.
func (c *Conn) Stats() ConnStats {
	c.p.board.mu.Lock()
	defer c.p.board.mu.Unlock()
	return c.stats
}

// Wait waits until cond is true of the counters; it looks at every change. The
// error wraps the context's, or net.ErrClosed when the proxy has been closed
// and cond is still false.
func (p *Proxy) Wait(ctx context.Context, cond func(Stats) bool) error {
	return await(ctx, p, func() Stats { return p.board.total }, cond)
}

// Wait is Proxy.Wait for the counters of one connection.
func (c *Conn) Wait(ctx context.Context, cond func(ConnStats) bool) error {
	return await(ctx, c.p, func() ConnStats { return c.stats }, cond)
}

// await runs get under the board's lock and cond outside it.
func await[T any](ctx context.Context, p *Proxy, get func() T, cond func(T) bool) error {
	for closed := false; ; {
		p.board.mu.Lock()
		now, changed := get(), p.board.waitLocked()
		p.board.mu.Unlock()
		if cond(now) {
			return nil
		}
		if closed {
			return fmt.Errorf("faultproxy: %w while waiting, at %+v", net.ErrClosed, now)
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("faultproxy: %w while waiting, at %+v", ctx.Err(), now)
		case <-p.done:
			closed = true
		}
	}
}

// WaitUp waits until at least n bytes in all have been forwarded to the server.
// Errors are those of Wait, here and below.
func (p *Proxy) WaitUp(ctx context.Context, n int64) error {
	return p.Wait(ctx, func(s Stats) bool { return s.Up.Forwarded >= n })
}

// WaitDown waits until at least n bytes in all have been forwarded to clients.
func (p *Proxy) WaitDown(ctx context.Context, n int64) error {
	return p.Wait(ctx, func(s Stats) bool { return s.Down.Forwarded >= n })
}

// WaitAccepted waits until at least n connections have been accepted in all.
func (p *Proxy) WaitAccepted(ctx context.Context, n int) error {
	return p.Wait(ctx, func(s Stats) bool { return s.Accepted >= n })
}

// WaitOpen waits until exactly n connections are open.
func (p *Proxy) WaitOpen(ctx context.Context, n int) error {
	return p.Wait(ctx, func(s Stats) bool { return s.Open == n })
}

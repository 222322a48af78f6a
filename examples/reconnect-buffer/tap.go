package main

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// dialTimeout bounds a dial, the wait for the subscriber included.
const dialTimeout = 5 * time.Second

// A tap is the publisher's dialer (nats.SetCustomDialer). Its connections tell
// the ledger which messages the kernel has taken, and the timeline when they
// began, had emptied the buffer and ended.
//
// It also holds the publisher back until the subscriber is there: core NATS
// delivers a message only to who is subscribed at that moment, so a publisher
// that came back first would lose messages that its buffer had kept well. The
// order of steps makes this sure: once the publisher's socket to a server
// exists, ready sends a PING behind the subscription and waits for the PONG.
// That PONG can only come from this server (or a later one on the same port),
// for the one before was gone when this one could listen.
type tap struct {
	layout   *layout
	ledger   *ledger
	timeline *timeline
	ready    func(context.Context) error
	// closed reports whether the program has closed the client; nil until that
	// exists. A socket that ends after it has broken for nobody.
	closed atomic.Pointer[func() bool]
	keeps  bool // follow what the server confirms
}

func (t *tap) leaving() bool {
	closed := t.closed.Load()
	return closed != nil && (*closed)()
}

// Dial is DialContext without a context.
func (t *tap) Dial(network, address string) (net.Conn, error) {
	return t.DialContext(context.Background(), network, address)
}

// DialContext connects to a server and waits for the subscriber to be there too.
func (t *tap) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	dialled := time.Now()
	if err := t.ready(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("the subscriber is not back: %w", err)
	}
	return t.wrap(conn, dialled), nil
}

func (t *tap) wrap(conn net.Conn, dialled time.Time) net.Conn {
	index, backlog, upTo := t.ledger.open()
	t.timeline.reached(dialled, time.Now(), backlog)
	c := &tappedConn{Conn: conn, tap: t, index: index, upTo: upTo, scan: scanner{layout: t.layout}}
	if t.keeps {
		c.confirmations = new(confirmations)
	}
	return c
}

// A tappedConn counts what the kernel takes.
type tappedConn struct {
	net.Conn
	tap   *tap
	index int // in the ledger
	ended sync.Once

	confirmations *confirmations // nil: nobody wants to know

	// Owned by whoever writes: the handshake, then the connection's writer.
	scan  scanner
	found []int
	upTo  int  // the number behind the last message that was buffered at the start
	empty bool // all of those have been taken
}

// Write hands p to the kernel and notes the messages whose last byte it took.
func (c *tappedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	garbled := c.scan.garbled
	c.found = c.scan.feed(c.found[:0], p[:n])
	top := c.tap.ledger.take(c.index, c.found, c.scan.garbled-garbled)
	c.tap.ledger.unasked(c.index, c.scan.unasked)
	if c.confirmations != nil {
		c.tap.ledger.confirm(c.confirmations.wrote(c.found, c.scan.pings))
	}
	if !c.empty && top >= c.upTo {
		c.empty = true
		c.tap.timeline.emptied(time.Now())
	}
	if err != nil {
		c.end()
	}
	return n, err
}

// Read notes what the server confirms, and the end of the connection.
func (c *tappedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.confirmations != nil {
		c.tap.ledger.confirm(c.confirmations.read(p[:n]))
	}
	if err != nil {
		c.end()
	}
	return n, err
}

// Close notes the end of the connection.
func (c *tappedConn) Close() error {
	c.end()
	return c.Conn.Close()
}

func (c *tappedConn) end() {
	c.ended.Do(func() {
		if !c.tap.leaving() {
			c.tap.timeline.broken(time.Now())
		}
	})
}

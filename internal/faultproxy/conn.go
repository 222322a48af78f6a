package faultproxy

import (
	"context"
	"net"
	"sync"
	"time"
)

// Conn is one connection accepted by a Proxy, with its counterpart to the
// upstream. It may be kept after its end, for its counters.
type Conn struct {
	p        *Proxy
	id       int
	client   *net.TCPConn
	upstream string
	silent   bool // accepted by Silent: no server, all is swallowed
	up, down *link
	stats    ConnStats // guarded by the board's lock
	ctx      context.Context
	cancel   context.CancelFunc // ends the dial; called by end
	done     chan struct{}      // closed by end when both sides have been told

	mu     sync.Mutex
	server *net.TCPConn // nil until connected
	ending bool
}

func newConn(p *Proxy, client *net.TCPConn, id int, upstream string) *Conn {
	c := &Conn{p: p, id: id, client: client, upstream: upstream, done: make(chan struct{})}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.up = newLink(c, Up)
	c.down = newLink(c, Down)
	c.up.src, c.down.dst = client, client
	return c
}

// ID is 1 for the first connection that was not closed at once, then 2, and so
// on.
func (c *Conn) ID() int { return c.id }

// ClientAddr is the client's address.
func (c *Conn) ClientAddr() net.Addr { return c.client.RemoteAddr() }

// Done is closed when the connection has ended: both sides have been sent their
// FIN or RST.
func (c *Conn) Done() <-chan struct{} { return c.done }

// run owns the connection's goroutines and its sockets, from accept to the end.
func (c *Conn) run() {
	defer c.p.stopped(c)
	switch {
	case c.silent:
		c.up.swallow()
		c.up.readLoop()
		c.end(FIN)
	case c.connect():
		var wg sync.WaitGroup
		// Owned by run; all four end after end has been called, the readers when
		// their side has closed or has had its time.
		wg.Go(c.up.readLoop)
		wg.Go(c.up.writeLoop)
		wg.Go(c.down.readLoop)
		wg.Go(c.down.writeLoop)
		wg.Wait()
	default:
		c.end(RST)
		c.up.readLoop()
	}
	<-c.done
	_ = c.client.Close()
	c.mu.Lock()
	server := c.server
	c.mu.Unlock()
	if server != nil {
		_ = server.Close()
	}
}

// connect dials the upstream. It is false when there is no connection to relay
// to, or none to relay any more.
func (c *Conn) connect() bool {
	server, err := c.p.dial(c.ctx, c.upstream)
	if err != nil {
		return false
	}
	c.mu.Lock()
	ended := c.ending
	if !ended {
		c.server = server
		c.up.connected(nil, server)
		c.down.connected(server, nil)
	}
	c.mu.Unlock()
	if ended {
		// end has not seen this socket.
		_ = server.Close()
	}
	return !ended
}

// change makes a change of settings in the direction.
func (c *Conn) change(dir Direction, f func(*settings)) {
	if dir&Up != 0 {
		c.up.change(f)
	}
	if dir&Down != 0 {
		c.down.change(f)
	}
}

// end ends the connection once; done tells when that has happened. It waits for
// the readers and writers to leave their system calls, so none of these may
// call it from inside one.
func (c *Conn) end(how How) {
	c.mu.Lock()
	if c.ending {
		c.mu.Unlock()
		return
	}
	c.ending = true
	server := c.server
	c.mu.Unlock()

	c.cancel()
	c.up.stop()
	c.down.stop()
	until := time.Now().Add(lingerFor)
	shut(c.client, how.resetsClient())
	c.up.linger(how.resetsClient(), until)
	if server != nil {
		shut(server, how.resetsServer())
	}
	c.down.linger(how.resetsServer() || server == nil, until)
	c.p.forget(c)
	close(c.done)
}

// hasten bounds how long an ended connection waits for its peers to close.
func (c *Conn) hasten(until time.Time) {
	<-c.done
	c.up.hasten(until)
	c.down.hasten(until)
}

// finished is called by a link whose receiver has got its FIN or is gone.
func (c *Conn) finished() {
	if c.up.finished() && c.down.finished() {
		c.end(FIN)
	}
}

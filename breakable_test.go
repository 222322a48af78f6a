package nats

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
)

// breakableDialer makes connections whose writes can be made to fail while reads go on.
type breakableDialer struct {
	last atomic.Pointer[breakableConn]
}

type breakableConn struct {
	net.Conn
	broken  atomic.Bool
	stalled atomic.Bool
	once    sync.Once
	closed  chan struct{}
}

var errBroken = errors.New("broken for a test")

func newBreakableDialer() *breakableDialer { return &breakableDialer{} }

func (d *breakableDialer) Dial(network, addr string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	c := &breakableConn{Conn: conn, closed: make(chan struct{})}
	d.last.Store(c)
	return c, nil
}

// breakWrites lets every write on the present connection fail.
func (d *breakableDialer) breakWrites() { d.last.Load().broken.Store(true) }

// stallWrites lets every write on the present connection wait for its end.
func (d *breakableDialer) stallWrites() { d.last.Load().stalled.Store(true) }

func (c *breakableConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

func (c *breakableConn) Write(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, errBroken
	}
	if c.stalled.Load() {
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

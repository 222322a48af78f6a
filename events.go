package nats

import (
	"fmt"
	"os"
	"sync"
)

// dispatcher runs the program's handlers for the events of one connection: one
// at a time, in the order of the events, under no lock. Its goroutine exists
// only while there is something to run.
type dispatcher struct {
	mu      sync.Mutex
	queue   []func()
	many    int // of them, or running, those that a server can cause at will
	running bool
	closed  bool
}

// maxMany bounds the events of which a server can cause any number, errors and
// new servers, while they wait for a handler that has fallen behind.
const maxMany = 1024

// postMany queues such an event, unless too many wait already.
func (d *dispatcher) postMany(f func()) {
	d.mu.Lock()
	full := d.many >= maxMany
	if !full {
		d.many++
	}
	d.mu.Unlock()
	if full {
		return
	}
	d.post(func() {
		f()
		d.mu.Lock()
		defer d.mu.Unlock()
		d.many--
	})
}

// post queues a call; after close it does nothing.
func (d *dispatcher) post(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.queue = append(d.queue, f)
	if !d.running {
		d.running = true
		// Owned by the dispatcher: ends when the queue is empty.
		go d.asyncCBDispatcher()
	}
}

// close lets what is queued run and takes nothing more.
func (d *dispatcher) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}

// asyncCBDispatcher runs what is queued. Programs look for its name in stacks.
func (d *dispatcher) asyncCBDispatcher() {
	for f := d.pop(); f != nil; f = d.pop() {
		f()
	}
}

func (d *dispatcher) pop() func() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		d.queue, d.running = nil, false
		return nil
	}
	f := d.queue[0]
	d.queue[0] = nil
	d.queue = d.queue[1:]
	return f
}

// The post methods capture the handler as it is set at the time of the event.
// They are called with the connection's lock held; the dispatcher's own lock is
// a leaf, and the handler runs later.

func (nc *Conn) postConnLocked(cb ConnHandler) {
	if cb != nil {
		nc.events.post(func() { cb(nc) })
	}
}

func (nc *Conn) postConnErrLocked(cb ConnErrHandler, err error) {
	if cb != nil {
		nc.events.post(func() { cb(nc, err) })
	}
}

// postManyLocked is for events of which a server can cause any number. log tells the
// logger first; nil: there is none.
func (nc *Conn) postManyLocked(log func(), cb func()) {
	switch {
	case log == nil && cb == nil:
	case log == nil:
		nc.events.postMany(cb)
	case cb == nil:
		nc.events.postMany(log)
	default:
		nc.events.postMany(func() { log(); cb() })
	}
}

// call binds a handler to the connection; nil stays nil.
func (nc *Conn) call(cb ConnHandler) func() {
	if cb == nil {
		return nil
	}
	return func() { cb(nc) }
}

func (nc *Conn) postDisconnectedLocked(err error) {
	if nc.Opts.DisconnectedErrCB != nil {
		nc.postConnErrLocked(nc.Opts.DisconnectedErrCB, err)
		return
	}
	nc.postConnLocked(nc.Opts.DisconnectedCB)
}

func (nc *Conn) postErrorLocked(sub *Subscription, err error) {
	var tell func()
	if cb := nc.Opts.AsyncErrorCB; cb != nil {
		tell = func() { cb(nc, sub, err) }
	}
	nc.postManyLocked(nc.log.errorLocked(sub, err), tell)
}

// reportError makes err the last error and tells the ErrorHandler.
func (nc *Conn) reportError(sub *Subscription, err error) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.lastErr = err
	nc.postErrorLocked(sub, err)
}

// printError is the ErrorHandler of a program that sets none and has no logger.
func printError(nc *Conn, sub *Subscription, err error) {
	nc.mu.Lock()
	id := nc.info.CID
	nc.mu.Unlock()
	if sub != nil {
		fmt.Fprintf(os.Stderr, "%v on connection [%d] for subscription on %q\n", err, id, sub.Subject)
		return
	}
	fmt.Fprintf(os.Stderr, "%v on connection [%d]\n", err, id)
}

// setHandler changes a handler; events from now on are told to the new one.
func (nc *Conn) setHandler(assign func(*Options)) {
	if nc == nil {
		return
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	assign(&nc.Opts)
}

// SetDisconnectErrHandler changes the handler of DisconnectErrHandler.
func (nc *Conn) SetDisconnectErrHandler(cb ConnErrHandler) {
	nc.setHandler(func(o *Options) { o.DisconnectedErrCB = cb })
}

// SetDisconnectHandler changes the handler of DisconnectHandler.
func (nc *Conn) SetDisconnectHandler(cb ConnHandler) {
	nc.setHandler(func(o *Options) { o.DisconnectedCB = cb })
}

// SetReconnectHandler changes the handler of ReconnectHandler.
func (nc *Conn) SetReconnectHandler(cb ConnHandler) {
	nc.setHandler(func(o *Options) { o.ReconnectedCB = cb })
}

// SetDiscoveredServersHandler changes the handler of DiscoveredServersHandler.
func (nc *Conn) SetDiscoveredServersHandler(cb ConnHandler) {
	nc.setHandler(func(o *Options) { o.DiscoveredServersCB = cb })
}

// SetClosedHandler changes the handler of ClosedHandler.
func (nc *Conn) SetClosedHandler(cb ConnHandler) {
	nc.setHandler(func(o *Options) { o.ClosedCB = cb })
}

// SetErrorHandler changes the handler of ErrorHandler; nil silences it.
func (nc *Conn) SetErrorHandler(cb ErrHandler) {
	nc.setHandler(func(o *Options) { o.AsyncErrorCB = cb })
}

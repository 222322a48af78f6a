package nats

import "sync"

// crew are the delivery goroutines of a connection: those that call handlers. A goroutine
// belongs to a subscription only while its handler has something to do, and then goes on
// with the next that has, because to start one costs more than most handlers do.
//
// No subscription waits for another one's handler: as long as some wait there is a
// goroutine that is not in a handler and on its way to take one of them.
type crew struct {
	mu          sync.Mutex
	first, last *Subscription // wait for a goroutine; linked by waits
	coming      int           // goroutines that were started and have not looked yet
	run         func()        // work, as a value that needs no memory each time; fixed
}

// add has the subscriptions served, each of which must have none who does.
func (c *crew) add(subs ...*Subscription) {
	c.mu.Lock()
	for _, s := range subs {
		if c.last == nil {
			c.first = s
		} else {
			c.last.waits = s
		}
		c.last = s
	}
	start := c.callLocked()
	c.mu.Unlock()
	if start {
		c.start()
	}
}

// callLocked reports whether a goroutine is to be started: some subscription waits, and
// nobody is coming.
func (c *crew) callLocked() bool {
	call := c.first != nil && c.coming == 0
	if call {
		c.coming++
	}
	return call
}

// start starts a delivery goroutine. The crew owns it: it ends when no subscription of
// the connection waits, and a handler that does not return keeps it.
func (c *crew) start() { go c.run() }

func (c *crew) work() {
	h := hands.Get().(*hand)
	for s := c.next(true); s != nil; s = c.next(false) {
		s.deliver(h)
	}
	hands.Put(h)
}

// next returns the subscription to be served now; nil: none waits. fresh: the goroutine
// has just been started.
func (c *crew) next(fresh bool) *Subscription {
	c.mu.Lock()
	if fresh {
		c.coming--
	}
	s := c.first
	if s != nil {
		c.first, s.waits = s.waits, nil
		if c.first == nil {
			c.last = nil
		}
	}
	start := c.callLocked()
	c.mu.Unlock()
	if start {
		c.start()
	}
	return s
}

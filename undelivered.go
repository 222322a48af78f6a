package nats

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Reasons of Undelivered, beside ErrMaxPayload and ErrHeadersNotSupported for a
// new server that takes less than the last, and ErrConnectionClosed for what was
// left at Close.
var (
	// ErrDropped means that the reconnect buffer was full and its overflow
	// policy gave the message up.
	ErrDropped = errors.New("nats: message dropped, outbound buffer limit exceeded")
	// ErrExpired means that the message was buffered longer than it may be.
	ErrExpired = errors.New("nats: message expired in the outbound buffer")
	// ErrPoison means that the connection broke again and again in the middle of
	// sending the message: twice in a row if the server hung up, or said that the
	// message violates its limits; 8 times in a row for whatever other reason.
	ErrPoison = errors.New("nats: message given up, connections break on it")
)

// Undelivered is a message that was accepted and that the client has given up:
// it was not sent, and will not be.
type Undelivered struct {
	// Msg is the message; nil if Count stands for several.
	Msg *Msg
	// Count is 1 for a message. If the handler has fallen behind by more than is
	// kept for it (1 MiB or 4,096 messages), Count says how many more were given
	// up for this reason meanwhile.
	Count int
	// Accepted is when Publish took the message, to a millisecond; zero if Msg
	// is nil.
	Accepted time.Time
	// Err is the reason: ErrDropped, ErrExpired, ErrPoison, ErrMaxPayload,
	// ErrHeadersNotSupported or ErrConnectionClosed.
	Err error
}

// UndeliveredCB is called for what the client has given up.
type UndeliveredCB func(*Conn, Undelivered)

const (
	// undeliveredBytes and undeliveredMsgs bound what is kept for a handler
	// that is slower than messages are given up.
	undeliveredBytes = 1 << 20
	undeliveredMsgs  = 4096
)

// givenUp collects what was given up, within those bounds; what is beyond them
// is counted by reason. It has no lock of its own.
type givenUp struct {
	listen bool         // somebody wants to know
	behind *atomic.Bool // whoever it is has no room for more; nil: has always
	list   []Undelivered
	bytes  int
	missed []Undelivered // one for each reason
}

func (g *givenUp) wants() bool { return g.listen }

// add notes one message; msg is asked for it only if there is room.
func (g *givenUp) add(size int, at time.Time, reason error, msg func() *Msg) {
	if g.full(size) || g.behind != nil && g.behind.Load() {
		g.miss(reason, 1)
		return
	}
	g.list = append(g.list, Undelivered{Msg: msg(), Count: 1, Accepted: at, Err: reason})
	g.bytes += size
}

// full reports whether a message of a size has no room; one is always kept.
func (g *givenUp) full(size int) bool {
	return len(g.list) > 0 && g.bytes+size >= undeliveredBytes || len(g.list) >= undeliveredMsgs
}

func (g *givenUp) miss(reason error, n int) {
	for i := range g.missed {
		if g.missed[i].Err == reason {
			g.missed[i].Count += n
			return
		}
	}
	g.missed = append(g.missed, Undelivered{Count: n, Err: reason})
}

// take empties the collection; nil if it is empty.
func (g *givenUp) take() *givenUp {
	if len(g.list) == 0 && len(g.missed) == 0 {
		return nil
	}
	taken := *g
	*g = givenUp{listen: g.listen, behind: g.behind}
	return &taken
}

// merge adds what another collection has, within the bounds.
func (g *givenUp) merge(more *givenUp) {
	for _, u := range more.list {
		g.add(u.Msg.Size(), u.Accepted, u.Err, func() *Msg { return u.Msg })
	}
	for _, u := range more.missed {
		g.miss(u.Err, u.Count)
	}
}

// reporter hands what was given up to the program's handler, through the
// dispatcher: serially, under no lock, and without making anybody wait.
type reporter struct {
	mu      sync.Mutex
	waiting givenUp
	posted  bool        // a call is on its way through the dispatcher
	full    atomic.Bool // waiting has no room for another message
}

// report takes a collection over.
func (nc *Conn) report(given *givenUp) {
	r := &nc.undelivered
	r.mu.Lock()
	r.waiting.merge(given)
	r.full.Store(r.waiting.full(0))
	post := !r.posted
	r.posted = true
	r.mu.Unlock()
	if post {
		nc.events.post(nc.tellUndelivered)
	}
}

// tellUndelivered runs on the dispatcher until nothing waits.
func (nc *Conn) tellUndelivered() {
	r := &nc.undelivered
	for {
		r.mu.Lock()
		batch := r.waiting.take()
		r.posted = batch != nil
		r.full.Store(false)
		r.mu.Unlock()
		if batch == nil {
			return
		}
		for _, u := range batch.list {
			nc.onUndelivered(nc, u)
		}
		for _, u := range batch.missed {
			nc.onUndelivered(nc, u)
		}
	}
}

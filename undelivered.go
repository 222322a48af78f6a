package nats

import (
	"errors"
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
	// message violates its limits; 6 times in a row for whatever other reason. With
	// AtLeastOnce a server that just hangs up counts as such a reason.
	ErrPoison = errors.New("nats: message given up, connections break on it")
)

// Undelivered is a message that was accepted and that the client has given up: it
// was not sent, and will not be. With [AtLeastOnce] it may have been sent before, and
// even have arrived, without the server's confirmation.
type Undelivered struct {
	// Msg is the message. It is nil if the handler has fallen behind by more than
	// is kept for it (1 MiB or 4,096 messages).
	Msg *Msg
	// Count is 1 for a message; with a nil Msg it says how many more were given up
	// for this reason meanwhile, one or several.
	Count int
	// Accepted is when Publish took the message, to a millisecond; zero if Msg
	// is nil.
	Accepted time.Time
	// Err is the reason: ErrDropped, ErrExpired, ErrPoison, ErrMaxPayload,
	// ErrHeadersNotSupported, ErrConnectionClosed, or with AtLeastOnce
	// ErrPermissionViolation.
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

// givenUp collects what was given up until the program has been told, within those
// bounds; what is beyond them is counted by reason. The outbox's lock guards it.
type givenUp struct {
	listen bool // somebody wants to know; fixed
	counts bool // and only how many, not which; fixed
	called bool // and is on its way to take it
	list   []Undelivered
	bytes  int
	missed []Undelivered // one for each reason
}

// add notes one message; msg is asked for it only if there is room.
func (g *givenUp) add(size int, at time.Time, reason error, msg func() *Msg) {
	if !g.takes(size) {
		g.miss(reason)
		return
	}
	g.list = append(g.list, Undelivered{Msg: msg(), Count: 1, Accepted: at, Err: reason})
	g.bytes += size
}

// takes reports whether a message of a size is to be handed over, not only counted.
func (g *givenUp) takes(size int) bool { return !g.counts && !g.full(size) }

// full reports whether a message of a size has no room; one is always kept.
func (g *givenUp) full(size int) bool {
	return len(g.list) > 0 && g.bytes+size >= undeliveredBytes || len(g.list) >= undeliveredMsgs
}

func (g *givenUp) miss(reason error) {
	reason = kindOfReason(reason)
	for i := range g.missed {
		if g.missed[i].Err == reason {
			g.missed[i].Count++
			return
		}
	}
	g.missed = append(g.missed, Undelivered{Count: 1, Err: reason})
}

// kindOfReason is a reason without what it says of one message, of which there is no
// end of variety.
func kindOfReason(reason error) error {
	if errors.Is(reason, ErrPermissionViolation) {
		return ErrPermissionViolation
	}
	return reason
}

// callLocked reports whether somebody is to be called to take what there is.
func (g *givenUp) callLocked() bool {
	call := !g.called && (len(g.list) > 0 || len(g.missed) > 0)
	g.called = g.called || call
	return call
}

// listen makes call be called, off the lock, when something was given up. Whoever
// it calls is to call takeGiven until there is nothing. Call it before use.
func (o *outbox) listen(call func()) {
	o.call, o.given.listen, o.exact = call, true, true
}

// listenForCounts is listen for who wants to know only how many messages were given up.
func (o *outbox) listenForCounts(call func()) {
	o.call, o.given.listen, o.given.counts = call, true, true
}

// takeGiven returns what was given up since the last time: messages, then counts of
// more; nothing: there is none, and the next one calls again.
func (o *outbox) takeGiven() []Undelivered {
	o.mu.Lock()
	defer o.mu.Unlock()
	g := &o.given
	taken := append(g.list, g.missed...)
	g.list, g.missed, g.bytes = nil, nil, 0
	g.called = len(taken) > 0
	return taken
}

// callUndelivered gets the program told of what was given up: serially, under no
// lock, and without making anybody wait.
func (nc *Conn) callUndelivered() { nc.events.post(nc.tellUndelivered) }

// tellUndelivered runs on the dispatcher until there is nothing more.
func (nc *Conn) tellUndelivered() {
	for batch := nc.out.takeGiven(); len(batch) > 0; batch = nc.out.takeGiven() {
		nc.log.givenUp(batch)
		if nc.onUndelivered == nil {
			continue
		}
		for _, u := range batch {
			nc.onUndelivered(nc, u)
		}
	}
}

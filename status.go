package nats

import "slices"

// Status is the state of a connection.
type Status int

// The states of a connection. The numbers are part of the API.
const (
	// DISCONNECTED: not connected, and no reconnect is under way.
	DISCONNECTED Status = iota
	// CONNECTED: there is a server.
	CONNECTED
	// CLOSED: closed for good.
	CLOSED
	// RECONNECTING: the server was lost, another one is being looked for.
	RECONNECTING
	// CONNECTING: a socket exists, the handshake is under way.
	CONNECTING
	// DRAINING_SUBS: subscriptions are being drained.
	DRAINING_SUBS
	// DRAINING_PUBS: what was published is being flushed before the close.
	DRAINING_PUBS
)

var statusNames = [...]string{
	DISCONNECTED:  "DISCONNECTED",
	CONNECTED:     "CONNECTED",
	CLOSED:        "CLOSED",
	RECONNECTING:  "RECONNECTING",
	CONNECTING:    "CONNECTING",
	DRAINING_SUBS: "DRAINING_SUBS",
	DRAINING_PUBS: "DRAINING_PUBS",
}

// String returns the name of the constant, or "unknown status".
func (s Status) String() string {
	if s < 0 || int(s) >= len(statusNames) {
		return "unknown status"
	}
	return statusNames[s]
}

// legalMoves lists where each status may go. CLOSED is final.
var legalMoves = map[Status][]Status{
	DISCONNECTED:  {CONNECTING, RECONNECTING, CLOSED},
	CONNECTING:    {CONNECTED, DISCONNECTED, RECONNECTING, CLOSED},
	CONNECTED:     {RECONNECTING, DISCONNECTED, DRAINING_SUBS, CLOSED},
	RECONNECTING:  {CONNECTING, CLOSED},
	DRAINING_SUBS: {DRAINING_PUBS, RECONNECTING, DISCONNECTED, CLOSED},
	DRAINING_PUBS: {RECONNECTING, DISCONNECTED, CLOSED},
	CLOSED:        {},
}

// statusListenerCap is how many changes a status channel holds.
const statusListenerCap = 10

// statusMachine holds the status of one connection and tells the listeners.
// It has no lock of its own: the connection's guards it.
type statusMachine struct {
	now Status
	// outage is true from the loss of a server (or a first connect that is
	// being retried) until there is a server again or the connection is closed.
	outage    bool
	listeners map[chan Status][]Status
}

// move changes the status if the table allows it and tells the listeners. It
// is the only place where a status changes. False means that the connection
// has gone another way meanwhile (most often: was closed), and that the caller
// must give up what it was doing.
func (m *statusMachine) move(to Status) bool {
	if !slices.Contains(legalMoves[m.now], to) {
		return false
	}
	m.now = to
	switch to {
	case RECONNECTING:
		m.outage = true
	case CONNECTED, CLOSED:
		m.outage = false
	}
	for ch, wanted := range m.listeners {
		if slices.Contains(wanted, to) {
			offerStatus(ch, to)
		}
	}
	return true
}

// visible is the status that programs see: an attempt to connect again is part
// of the outage, so only listeners see it as CONNECTING.
func (m *statusMachine) visible() Status {
	if m.now == CONNECTING && m.outage {
		return RECONNECTING
	}
	return m.now
}

// listen registers a new channel; no list means the four states that matter to
// most programs.
func (m *statusMachine) listen(wanted []Status) chan Status {
	if len(wanted) == 0 {
		wanted = []Status{CONNECTED, RECONNECTING, DISCONNECTED, CLOSED}
	}
	ch := make(chan Status, statusListenerCap)
	if m.listeners == nil {
		m.listeners = make(map[chan Status][]Status)
	}
	m.listeners[ch] = slices.Clone(wanted)
	return ch
}

// forget unregisters and closes a channel that listen made.
func (m *statusMachine) forget(ch chan Status) {
	if _, ok := m.listeners[ch]; !ok {
		return
	}
	delete(m.listeners, ch)
	defer ignoreClosedChannel()
	close(ch)
}

// offerStatus sends without blocking; a full channel loses the event, and one
// that the program has closed is left alone.
func offerStatus(ch chan Status, s Status) {
	defer ignoreClosedChannel()
	select {
	case ch <- s:
	default:
	}
}

// ignoreClosedChannel is deferred around a send or close on a channel that the
// program may have closed, which is the only panic these can raise.
func ignoreClosedChannel() { _ = recover() }

// Status returns the state of the connection. It answers at once in every
// state; during an outage it is RECONNECTING throughout, dials included.
func (nc *Conn) Status() Status {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.state.visible()
}

// IsClosed reports whether the connection is closed for good.
func (nc *Conn) IsClosed() bool { return nc.Status() == CLOSED }

// IsReconnecting reports whether a server is being looked for after a loss.
func (nc *Conn) IsReconnecting() bool { return nc.Status() == RECONNECTING }

// IsConnected reports whether there is a server, draining included.
func (nc *Conn) IsConnected() bool {
	switch nc.Status() {
	case CONNECTED, DRAINING_SUBS, DRAINING_PUBS:
		return true
	}
	return false
}

// StatusChanged returns a channel that receives every later change to one of
// the given states, or to CONNECTED, RECONNECTING, DISCONNECTED and CLOSED when
// none is given. The channel holds 10 events; an event that finds it full is
// dropped, the connection never waits. It stays open when the connection
// closes; [Conn.RemoveStatusListener] closes it.
func (nc *Conn) StatusChanged(statuses ...Status) chan Status {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.state.listen(statuses)
}

// RemoveStatusListener ends and closes a channel of StatusChanged. The channel
// may already have been closed by the program.
func (nc *Conn) RemoveStatusListener(ch chan Status) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.state.forget(ch)
}

package faultproxy

import (
	"fmt"
	"slices"
	"time"
)

// Direction is one of the two directions of a connection, or both.
type Direction uint8

const (
	// Up is from the client to the server.
	Up Direction = 1 << iota
	// Down is from the server to the client.
	Down
	// Both is each of them, separately.
	Both = Up | Down
)

// How says how the two sides of a connection are ended by a cut.
type How uint8

const (
	// RSTClient resets the client and sends the server a FIN: the server gets
	// all bytes forwarded to it and then EOF, the client gets ECONNRESET. It is
	// the way to cut Up at an exact byte, and the default.
	RSTClient How = iota
	// RSTServer resets the server and sends the client a FIN: the way to cut
	// Down at an exact byte.
	RSTServer
	// RST resets both. Bytes on their way may be lost on both sides.
	RST
	// FIN ends both orderly, each behind the bytes forwarded to it.
	FIN
)

func (h How) resetsClient() bool { return h == RSTClient || h == RST }
func (h How) resetsServer() bool { return h == RSTServer || h == RST }

// Mode says what StopForwarding does with the bytes it does not forward.
type Mode uint8

const (
	// Hold keeps them, up to the HoldLimit, and forwards them after Resume.
	Hold Mode = iota
	// Drop swallows them, those read but not yet forwarded included.
	Drop
)

// FrameCut says where to cut inside a frame of the NATS client protocol. The
// zero value cuts in front of the next publish.
type FrameCut struct {
	// Ops are the operations that count, in capitals. Nil stands for those with
	// a payload: PUB and HPUB going up, MSG and HMSG going down.
	Ops []string
	// Prefix is what the frame's first argument, the subject, begins with; at
	// most 256 bytes. The empty prefix takes every frame.
	Prefix string
	// Nth is which of the matching frames is cut, beginning with 1, counted
	// among those of which no byte has been forwarded yet. 0 is 1.
	Nth int
	// Byte is how many bytes of the frame are forwarded. The frame is the
	// control line, the payload and the line ends. A negative value counts from
	// the end: -1 forwards all but the last byte. Values beyond the frame stand
	// for its start or its end.
	Byte int
	// How is how the connection is ended.
	How How
}

// gate is what stands between reading and forwarding.
type gate uint8

const (
	gateOpen gate = iota
	gateHold
	gateDrop
)

// byteCut is an armed CutAfter, or a FrameCut whose place is known.
type byteCut struct {
	armed bool
	left  int64 // bytes still to be forwarded
	how   How
}

// settings are the faults asked for in one direction of a connection. The zero
// value is no fault. A plain value: plans are copied into new connections.
type settings struct {
	noRead bool
	gate   gate
	delay  time.Duration
	rate   int64 // bytes a second; 0 is no limit
	fin    bool  // half-closed by HalfClose
	cut    byteCut
	frame  frameCut
}

// plan is what a connection to come starts with.
type plan struct{ up, down settings }

func (p *plan) edit(dir Direction, change func(*settings)) {
	if dir&Up != 0 {
		change(&p.up)
	}
	if dir&Down != 0 {
		change(&p.down)
	}
}

// Faults injects faults into the connections it stands for; see Proxy.Live,
// Proxy.Later, Proxy.All, Proxy.Next and Conn.Faults. Which ones these are is
// decided at each call of a method, not when the Faults was obtained. A method
// returns when the fault is in force on all of them. Two methods called at the
// same time may take effect in either order, connection by connection.
//
// Methods panic on a direction that is none and on negative numbers where the
// text does not speak of them.
type Faults struct {
	p                 *Proxy
	conn              *Conn
	live, later, next bool
}

// Live stands for the connections that are open.
func (p *Proxy) Live() Faults { return Faults{p: p, live: true} }

// Later stands for all connections accepted after the call.
func (p *Proxy) Later() Faults { return Faults{p: p, later: true} }

// All stands for the connections that are open and all accepted after the call,
// without a gap between the two.
func (p *Proxy) All() Faults { return Faults{p: p, live: true, later: true} }

// Next stands for the next connection that is relayed, and only that one. What
// it is given comes on top of what is set for Later.
func (p *Proxy) Next() Faults { return Faults{p: p, next: true} }

// Faults stands for this connection.
func (c *Conn) Faults() Faults { return Faults{p: c.p, conn: c} }

// Cut ends the connections now. Bytes that have been read but not forwarded
// are dropped. A connection to come is cut as soon as it has been accepted and
// connected to the upstream.
func (f Faults) Cut(how How) {
	now := f.targets(func(p *plan) { p.up.cut = byteCut{armed: true, how: how} })
	for _, c := range now {
		c.end(how)
		<-c.done
	}
}

// CutAfter forwards exactly n more bytes in the direction and then ends the
// connection; with n = 0 at once. On a connection to come, n counts from its
// first byte. Not one byte more is ever handed to the receiver. Whether it gets
// all n depends on how: only the side that is not reset is sure to. For Both,
// each direction has its n and the first to get there cuts. A new call replaces
// the cut armed before in that direction.
func (f Faults) CutAfter(dir Direction, n int64, how How) {
	atLeastZero("byte count", n)
	f.apply(dir, func(s *settings) {
		s.cut = byteCut{armed: true, left: n, how: how}
		s.frame = frameCut{}
	})
}

// CutFrame ends the connection inside a frame. While it waits for its frame,
// the control line of a frame that may be the one is held back until it is
// complete; a line above 16 KiB never matches. A new call replaces the cut
// armed before in that direction. It works on plain connections, not on
// encrypted ones or WebSocket.
func (f Faults) CutFrame(dir Direction, cut FrameCut) {
	atLeastZero("frame number", int64(cut.Nth))
	if len(cut.Prefix) > maxArg {
		panic(fmt.Sprintf("faultproxy: a prefix of %d bytes, the limit is %d", len(cut.Prefix), maxArg))
	}
	ops := slices.Clone(cut.Ops)
	if len(ops) == 0 {
		ops = publishOps
	}
	f.apply(dir, func(s *settings) {
		s.cut = byteCut{}
		s.frame = frameCut{
			armed: true, fresh: true, left: max(1, cut.Nth), ops: ops,
			prefix: cut.Prefix, at: int64(cut.Byte), how: cut.How,
		}
	})
}

// StopReading stops reading from the sender of the direction, until Resume.
// The buffers of the kernels fill up and then the sender's writes block. What
// has been read before is still forwarded. An end of the sender is not noticed.
func (f Faults) StopReading(dir Direction) {
	f.apply(dir, func(s *settings) { s.noRead = true })
}

// StopForwarding goes on reading from the sender and keeps the receiver from
// getting anything, until Resume: neither bytes nor the end of the sender,
// which is passed on after Resume in either mode.
func (f Faults) StopForwarding(dir Direction, mode Mode) {
	g := gateHold
	if mode == Drop {
		g = gateDrop
	}
	f.apply(dir, func(s *settings) { s.gate = g })
}

// Resume ends StopReading and StopForwarding.
func (f Faults) Resume(dir Direction) {
	f.apply(dir, func(s *settings) { s.noRead, s.gate = false, gateOpen })
}

// Delay forwards bytes, and a FIN, no earlier than d after they were read, in
// their order, without keeping the sender waiting as long as the HoldLimit
// leaves room. The delay in force when bytes are next to go is what counts for
// them. 0, the default, is no delay.
func (f Faults) Delay(dir Direction, d time.Duration) {
	atLeastZero("delay", int64(d))
	f.apply(dir, func(s *settings) { s.delay = d })
}

// Throttle forwards at most that many bytes a second, in pieces of a fiftieth
// of that. Beyond a small buffer the sender is kept waiting. 0, the default, is
// no limit.
func (f Faults) Throttle(dir Direction, bytesPerSecond int64) {
	atLeastZero("rate", bytesPerSecond)
	f.apply(dir, func(s *settings) { s.rate = bytesPerSecond })
}

// HalfClose sends the receiver of the direction a FIN, behind the bytes read so
// far. What the sender sends from then on is swallowed. The other direction
// goes on; when it ends too, the connection is closed. It cannot be undone.
func (f Faults) HalfClose(dir Direction) {
	f.apply(dir, func(s *settings) { s.fin = true })
}

// Clear ends all faults that can be undone and disarms the cuts, in both
// directions. For Later and All it also forgets what Next has in store.
func (f Faults) Clear() {
	now := f.targets(func(p *plan) { *p = plan{} })
	if f.later {
		f.p.forgetNext()
	}
	for _, c := range now {
		c.change(Both, func(s *settings) { *s = settings{fin: s.fin} })
	}
}

// apply makes a change of settings for the connections to come and the present
// ones.
func (f Faults) apply(dir Direction, change func(*settings)) {
	if dir == 0 || dir&^Both != 0 {
		panic(fmt.Sprintf("faultproxy: %d is no direction", dir))
	}
	for _, c := range f.targets(func(p *plan) { p.edit(dir, change) }) {
		c.change(dir, change)
	}
}

// targets changes what connections to come start with and returns the present
// ones, under one lock, so that none slips through between.
func (f Faults) targets(edit func(*plan)) []*Conn {
	if f.conn != nil {
		return []*Conn{f.conn}
	}
	f.p.mu.Lock()
	defer f.p.mu.Unlock()
	if f.later {
		edit(&f.p.later)
	}
	if f.next {
		f.p.next = append(f.p.next, edit)
	}
	if f.live {
		return slices.Clone(f.p.live)
	}
	return nil
}

func (p *Proxy) forgetNext() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = nil
}

func atLeastZero(what string, n int64) {
	if n < 0 {
		panic(fmt.Sprintf("faultproxy: the %s is negative: %d", what, n))
	}
}

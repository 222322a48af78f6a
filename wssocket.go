package nats

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"sync"
)

// wsGather is how much of a WebSocket frame is gathered for one write: the library
// above hands over frames in pieces of 4 KiB.
const wsGather = 64 << 10

var wsBuffers = sync.Pool{New: func() any { return new([wsGather]byte) }}

// wsSocket is the socket under the WebSocket layer. It gathers the pieces of a
// frame, and knows how much of the payload the kernel has taken when a write fails:
// a server takes in what has arrived of a frame, so what the kernel has of it must
// not be sent again.
type wsSocket struct {
	net.Conn // a *tlsSocket, or a TLS connection over one
	// framed: the upgrade is over. Written once, before the first frame.
	framed bool
	// asked is closed once the request has begun to go out: net/http writes to the
	// program's log about a server that answers before it was asked.
	asked chan struct{}
	ask   func() // closes it, once

	// turn has room for one: whoever has put a value in writes a frame, and owns
	// the fields below.
	turn  chan struct{}
	buf   *[wsGather]byte // nil between frames
	fill  int             // bytes in buf
	frame wsFrame
	taken int // payload of messages that the kernel has, uncompressed ones only

	mu sync.Mutex
	// Under mu.
	readErr, writeErr error  // the first of each
	owed              []byte // payload of the last ping, if owes
	owes              bool
}

func newWSSocket(conn net.Conn) *wsSocket {
	asked := make(chan struct{})
	return &wsSocket{
		Conn: conn, turn: make(chan struct{}, 1),
		asked: asked, ask: sync.OnceFunc(func() { close(asked) }),
	}
}

// Read keeps the error, which the layer above wraps in words of its own.
func (c *wsSocket) Read(b []byte) (int, error) {
	<-c.asked
	n, err := c.Conn.Read(b)
	if err != nil {
		c.note(&c.readErr, err)
	}
	return n, err
}

// Close lets a Read go that waits for the request.
func (c *wsSocket) Close() error {
	c.ask()
	return c.Conn.Close()
}

// Write takes the next piece of a frame. The layer above writes one frame at a time.
func (c *wsSocket) Write(b []byte) (int, error) {
	if !c.framed {
		c.ask()
		return c.Conn.Write(b)
	}
	done := 0
	for done < len(b) {
		if c.buf == nil {
			if err := c.begin(); err != nil {
				return done, err
			}
		}
		n := copy(c.buf[c.fill:], b[done:done+min(c.frame.wants(), len(b)-done)])
		c.frame.take(c.buf[:c.fill+n], n)
		c.fill += n
		done += n
		if c.frame.complete() || c.fill == wsGather {
			if err := c.flush(); err != nil {
				c.end()
				return done, err
			}
		}
		if c.frame.complete() {
			c.end()
			c.payPong()
		}
	}
	return done, nil
}

// begin waits for the turn. Behind a frame that was torn nothing may follow.
func (c *wsSocket) begin() error {
	c.turn <- struct{}{}
	if err := c.cause(&c.writeErr); err != nil {
		<-c.turn
		return err
	}
	c.buf, c.fill = wsBuffers.Get().(*[wsGather]byte), 0
	c.frame = wsFrame{packed: c.frame.packed}
	return nil
}

func (c *wsSocket) end() {
	wsBuffers.Put(c.buf)
	c.buf = nil
	<-c.turn
}

// flush needs the turn.
func (c *wsSocket) flush() error {
	n, err := c.Conn.Write(c.buf[:c.fill])
	if n := c.frame.sent(n); n > 0 {
		c.taken += n // only a message's, so nobody but its writer comes here
	}
	c.fill = 0
	if err != nil {
		c.note(&c.writeErr, err)
	}
	return err
}

// pong answers a ping: at once, or behind the frame under way, however long that
// takes. If there are several only the last is answered (RFC 6455, 5.5.3).
func (c *wsSocket) pong(payload []byte) {
	c.mu.Lock()
	c.owed, c.owes = append(c.owed[:0], payload...), true
	c.mu.Unlock()
	c.payPong()
}

// payPong sends a pong that is owed, unless somebody has the turn: who does looks
// again behind his frame.
func (c *wsSocket) payPong() {
	for c.owesPong() {
		select {
		case c.turn <- struct{}{}:
		default:
			return
		}
		c.writePong()
		<-c.turn
	}
}

func (c *wsSocket) owesPong() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owes && c.writeErr == nil
}

// writePong needs the turn.
func (c *wsSocket) writePong() {
	const pongHead, maxControl = 6, 125
	var frame [pongHead + maxControl]byte
	c.mu.Lock()
	n := copy(frame[pongHead:], c.owed)
	owes := c.owes && c.writeErr == nil
	c.owes = false
	c.mu.Unlock()
	if !owes {
		return
	}
	frame[0], frame[1] = wsFinal|wsPong, wsMasked|byte(n)
	key := frame[2:pongHead]
	_, _ = rand.Read(key) // never fails
	for i := range n {
		frame[pongHead+i] ^= key[i%len(key)]
	}
	if _, err := c.Conn.Write(frame[:pongHead+n]); err != nil {
		c.note(&c.writeErr, err)
	}
}

func (c *wsSocket) note(where *error, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if *where == nil {
		*where = err
	}
}

func (c *wsSocket) cause(where *error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *where
}

// Bits of a frame's first two bytes.
// Source: RFC 6455, section 5.2; RFC 7692, section 6, for the compressed message.
const (
	wsFinal   = 0x80
	wsPacked  = 0x40
	wsOpcode  = 0x0f
	wsControl = 0x08
	wsPong    = 0x0a
	wsMasked  = 0x80
	wsLength  = 0x7f
	wsLong    = 126
	wsLonger  = 127
	wsKey     = 4
)

// wsFrame follows a frame of ours on its way out.
type wsFrame struct {
	head   int    // bytes in front of the payload; 0: not known yet
	size   uint64 // of all of it, once head is known
	got    uint64 // from the layer above
	out    uint64 // taken by the kernel
	first  byte
	packed bool // the message is compressed, which its first frame says
}

// wants is how many more bytes may be looked at as one piece.
func (f *wsFrame) wants() int {
	if f.head == 0 {
		return 1 // at most 10 times for a frame
	}
	return int(min(f.size-f.got, wsGather))
}

// take accounts for n more bytes, which are the last ones of buf. Until the head is
// known buf has all of the frame.
func (f *wsFrame) take(buf []byte, n int) {
	f.got += uint64(n)
	if f.head != 0 || len(buf) < 2 {
		return
	}
	payload := uint64(buf[1] & wsLength)
	size := 2
	switch payload {
	case wsLong:
		size = 4
	case wsLonger:
		size = 10
	}
	if len(buf) < size {
		return
	}
	switch payload {
	case wsLong:
		payload = uint64(binary.BigEndian.Uint16(buf[2:]))
	case wsLonger:
		payload = binary.BigEndian.Uint64(buf[2:])
	}
	f.head = size + wsKey
	f.size = uint64(f.head) + payload
	f.first = buf[0]
	if op := f.first & wsOpcode; op != 0 && op&wsControl == 0 {
		f.packed = f.first&wsPacked != 0
	}
}

func (f *wsFrame) complete() bool { return f.head != 0 && f.got == f.size }

// sent accounts for n bytes that the kernel took, and returns how many of them
// a server can make use of: payload, unless it is compressed or a control frame's.
func (f *wsFrame) sent(n int) int {
	before := f.payload(f.out)
	f.out += uint64(n)
	if f.packed || f.first&wsControl != 0 {
		return 0
	}
	return int(f.payload(f.out) - before)
}

func (f *wsFrame) payload(out uint64) uint64 { return out - min(out, uint64(f.head)) }

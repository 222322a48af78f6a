package nats

import (
	"encoding/binary"
	"sync"
)

// chunkBytes makes a chunk, header included, 64 KiB.
const chunkBytes = 64<<10 - 40

// A chunk is one piece of the outbox. Frames are written from the front; the
// index, one entry for each frame that begins in this chunk, grows from the
// back towards them, so that frames and index live and go together. An entry is
// what the frame is (frameInfo) and when it was appended (stamp).
//
//	┌────────┬────────┬───────┬──────────┬────┬────┬────┐
//	│ frame0 │ frame1 │ frame2│   free   │ i2 │ i1 │ i0 │
//	└────────┴────────┴───────┴──────────┴────┴────┴────┘
//	                          used             frames = 3
//
// A frame that does not fit goes on at the front of the next chunk.
type chunk struct {
	next   *chunk
	base   uint64 // position of buf[0] in the outbox
	used   int    // bytes of frames
	frames int    // frames that begin here
	first  uint64 // position of the first of them
	buf    [chunkBytes]byte
}

// frameInfo is an index entry: the frame's length and what kind it is.
type frameInfo uint32

const (
	frameControl frameInfo = 1 << 31 // SUB, UNSUB or PING: not kept over a disconnect
	frameDead    frameInfo = 1 << 30 // still in the chunk, never to be sent
	framePing    frameInfo = 1 << 29 // a control frame that a PONG answers
	frameSpent   frameInfo = 1 << 28 // not to be sent again, if it was begun
	frameLength  frameInfo = 1<<28 - 1

	indexEntry = 8
	// maxFrame is the longest frame that an index entry can describe.
	maxFrame = int(frameLength)
)

func (f frameInfo) size() int       { return int(f & frameLength) }
func (f frameInfo) isControl() bool { return f&frameControl != 0 }
func (f frameInfo) isDead() bool    { return f&frameDead != 0 }
func (f frameInfo) isPing() bool    { return f&framePing != 0 }
func (f frameInfo) isSpent() bool   { return f&frameSpent != 0 }

// isHeld says of a frame between sent and tail that it is a publish still to be sent.
func (f frameInfo) isHeld() bool { return f&(frameControl|frameDead) == 0 }

// chunkPool shares chunks between all connections of the process: a connection
// holds one only while it has something to send.
var chunkPool = sync.Pool{New: func() any { return new(chunk) }}

// maxWarm bounds the chunks that one outbox keeps for itself while its writer is at
// work: the one that was used last is in the processor's cache, and one of the pool's
// is not.
const maxWarm = 8

// newChunkLocked returns a chunk for the tail.
func (o *outbox) newChunkLocked() *chunk {
	c := o.warm
	if c != nil {
		o.warm = c.next
		o.warmed--
	} else {
		c = chunkPool.Get().(*chunk)
	}
	c.next, c.base, c.used, c.frames = nil, o.tail, 0, 0
	return c
}

// giveBackLocked takes a chunk that is not needed any more.
func (o *outbox) giveBackLocked(c *chunk) {
	c.next = nil
	if o.state != boxAttached || o.warmed == maxWarm {
		chunkPool.Put(c)
		return
	}
	c.next = o.warm
	o.warm = c
	o.warmed++
}

// coolLocked gives those that are kept to the pool.
func (o *outbox) coolLocked() {
	for o.warm != nil {
		c := o.warm
		o.warm, c.next = c.next, nil
		chunkPool.Put(c)
	}
	o.warmed = 0
}

func (c *chunk) entry(i int) []byte {
	at := chunkBytes - indexEntry*(i+1)
	return c.buf[at : at+indexEntry]
}

func (c *chunk) frame(i int) frameInfo {
	return frameInfo(binary.LittleEndian.Uint32(c.entry(i)))
}

func (c *chunk) setFrame(i int, f frameInfo) {
	binary.LittleEndian.PutUint32(c.entry(i), uint32(f))
}

// stamp is a time in milliseconds of the outbox's own clock. It wraps around
// after 49 days, so only differences mean something.
type stamp uint32

func (c *chunk) stamp(i int) stamp {
	return stamp(binary.LittleEndian.Uint32(c.entry(i)[4:]))
}

// addFrame enters a frame that begins at used. The caller has seen that room
// for the entry is left.
func (c *chunk) addFrame(f frameInfo, at stamp) {
	if c.frames == 0 {
		c.first = c.end()
	}
	binary.LittleEndian.PutUint64(c.entry(c.frames), uint64(f)|uint64(at)<<32)
	c.frames++
}

// free is how many bytes of frames still fit beside the index as it is.
func (c *chunk) free() int { return chunkBytes - c.used - indexEntry*c.frames }

// end is the position behind the last byte written here.
func (c *chunk) end() uint64 { return c.base + uint64(c.used) }

// A cursor points at a frame: the i-th that begins in c, at position pos. With
// i == c.frames it points behind the last frame so far; settle moves it on once
// there is another chunk.
type cursor struct {
	c   *chunk
	i   int
	pos uint64
}

// settle moves a cursor that stands behind the last frame of its chunk to the
// chunk in which the next frame begins.
func (k *cursor) settle() {
	for k.i >= k.c.frames && k.c.next != nil {
		k.c, k.i = k.c.next, 0
	}
}

// step moves to the next frame.
func (k *cursor) step() {
	k.pos += uint64(k.c.frame(k.i).size())
	k.i++
	k.settle()
}

// run moves over the plain publishes at the cursor that lie in n bytes whole, to the
// end of the chunk at most. It returns how many those are, and their bytes.
func (k *cursor) run(n int) (msgs, bytes int64) {
	for i := k.i; i < k.c.frames; i++ {
		f := k.c.frame(i)
		if f > frameLength || bytes+int64(f) > int64(n) {
			break
		}
		bytes += int64(f)
		msgs++
	}
	k.i += int(msgs)
	k.pos += uint64(bytes)
	k.settle()
	return msgs, bytes
}

// seek returns a cursor at the frame that begins at pos, searching from k on.
func (k cursor) seek(pos uint64) (cursor, bool) {
	k.settle()
	for c := k.c.next; c != nil && (c.frames == 0 || c.first <= pos); c = c.next {
		if c.frames > 0 {
			k = cursor{c: c, pos: c.first}
		}
	}
	for k.pos < pos && k.i < k.c.frames {
		k.step()
	}
	return k, k.pos == pos && k.i < k.c.frames
}

// bytes copies the frame out of the chunks.
func (k cursor) bytes() []byte {
	left := k.c.frame(k.i).size()
	b := make([]byte, 0, left)
	for c, at := k.c, int(k.pos-k.c.base); left > 0; c, at = c.next, 0 {
		n := min(left, c.used-at)
		b = append(b, c.buf[at:at+n]...)
		left -= n
	}
	return b
}

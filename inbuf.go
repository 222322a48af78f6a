package nats

import "sync"

const (
	// firstRead is what a connection waits with that has had nothing to do yet, and
	// smallRead one that has little.
	firstRead = 512
	smallRead = 4 << 10
	// readSize is the most that is read at once.
	readSize = 64 << 10
	// carryMost is how much may be left over at the end of one read, to be put in
	// front of the next: a piece of a line or of a small message.
	carryMost = 2 << 10
)

// readBufs shares the large buffers between all connections of the process.
var readBufs = sync.Pool{New: func() any { return new([readSize]byte) }}

// inbuf is what the read loop reads into: a small buffer, and under load a large one,
// which goes back with the first read that brings little. On a connection that falls
// silent that is the PONG for the next PING of the keep-alive.
type inbuf struct {
	small []byte
	large *[readSize]byte // nil: small is read into
	kept  int             // bytes at the front that are still to be parsed
}

func newInbuf() inbuf { return inbuf{small: make([]byte, firstRead)} }

func (i *inbuf) buf() []byte {
	if i.large != nil {
		return i.large[:]
	}
	return i.small
}

// space is where the next read goes.
func (i *inbuf) space() []byte { return i.buf()[i.kept:] }

// got returns what is to be parsed after a read of n bytes.
func (i *inbuf) got(n int) []byte { return i.buf()[:i.kept+n] }

// next prepares for the next read, after one of n bytes of which the parser has left
// the rest over.
func (i *inbuf) next(n int, rest []byte) {
	full := n == len(i.space())
	i.kept = len(rest)
	switch {
	case i.large != nil && n < smallRead:
		large := i.large
		i.large = nil
		copy(i.small, rest)
		readBufs.Put(large)
	case i.large == nil && full && len(i.small) < smallRead:
		small := make([]byte, smallRead)
		copy(small, rest)
		i.small = small
	case i.large == nil && full:
		i.large = readBufs.Get().(*[readSize]byte)
		copy(i.large[:], rest)
	default:
		copy(i.buf(), rest)
	}
}

// end gives the large buffer back.
func (i *inbuf) end() {
	if i.large != nil {
		readBufs.Put(i.large)
		i.large = nil
	}
}

package nats

const (
	// firstRead is what a connection waits with that has had nothing to do yet, and
	// smallRead one that has little.
	firstRead = 512
	smallRead = 4 << 10
	// carryMost is how much may be left over at the end of one read, to be put in
	// front of the next: a piece of a line or of a small message.
	carryMost = 2 << 10
	// readSize is the most that is read at once, into a message that is large.
	readSize = 32 << 10
)

// inbuf is what the read loop reads into. Under load that is a new window each
// time, which the messages in it keep: nothing is copied. Else it is a small buffer,
// from which they are copied.
type inbuf struct {
	small []byte // nil: to be made
	buf   []byte // read into next; small or a window
	kept  int    // bytes at its front that are still to be parsed
}

func newInbuf() inbuf {
	small := make([]byte, firstRead)
	return inbuf{small: small, buf: small}
}

// space is where the next read goes.
func (i *inbuf) space() []byte { return i.buf[i.kept:] }

// got returns what is to be parsed after a read of n bytes, and whether messages may
// keep it.
func (i *inbuf) got(n int) (b []byte, keep bool) {
	b = i.buf[:i.kept+n]
	return b, len(i.buf) == windowBytes && len(b) >= windowBytes/2
}

// next prepares for the next read, after one of n bytes of which the parser has left
// the rest over.
func (i *inbuf) next(n int, rest []byte, kept bool) {
	var buf []byte
	switch {
	case kept || n == len(i.buf)-i.kept:
		buf = make([]byte, windowBytes)
		if len(i.small) < smallRead {
			i.small = nil
		}
	case i.small == nil:
		i.small = make([]byte, smallRead)
		buf = i.small
	default:
		buf = i.small
	}
	i.kept = copy(buf, rest)
	i.buf = buf
}

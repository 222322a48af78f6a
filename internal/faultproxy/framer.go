package faultproxy

import (
	"bytes"
	"slices"
)

const (
	maxOp      = 8        // longer words are no operation of the protocol
	maxArg     = 256      // bytes kept of a frame's first argument
	maxLine    = 16 << 10 // a longer control line is passed on without a look
	maxPayload = 1 << 40  // a larger size is taken for no size at all
)

// framer finds the frames in a stream of the NATS client protocol, however the
// stream is split. A frame is a control line, and for PUB, HPUB, MSG and HMSG
// the payload and its line end too. It keeps no bytes but the operation and the
// first ones of the first argument; bad input gives frames of one line each.
// It is a plain value: a copy goes on from the same place.
type framer struct {
	pos    int64 // bytes scanned
	start  int64 // where the current frame began
	skip   int64 // bytes of payload and line end still to come
	line   int64 // length of the control line, known from its end on
	size   int64 // length of the whole frame, the same
	open   bool  // inside a control line
	inTok  bool
	numOK  bool // the current token is a number so far, num
	num    int64
	toks   int // tokens of the line begun so far
	opLen  int // above maxOp when the word is too long
	argLen int
	op     [maxOp]byte
	arg    [maxArg]byte
}

// scan takes the first n bytes of b, as far as the end of a control line or of
// a payload. line says that a control line has just been completed: op, arg,
// start and size then describe its frame, until the next call.
func (f *framer) scan(b []byte) (n int, line bool) {
	if len(b) == 0 {
		return 0, false
	}
	if f.skip > 0 {
		n = int(min(f.skip, int64(len(b))))
		f.skip -= int64(n)
		f.pos += int64(n)
		return n, false
	}
	if !f.open {
		*f = framer{pos: f.pos, start: f.pos, open: true}
	}
	n = bytes.IndexByte(b, '\n')
	if n < 0 {
		f.words(b)
		f.pos += int64(len(b))
		return len(b), false
	}
	f.words(b[:n])
	f.pos += int64(n + 1)
	f.endLine()
	return n + 1, true
}

// words takes a piece of a control line.
func (f *framer) words(b []byte) {
	for len(b) > 0 {
		n := bytes.IndexAny(b, " \t\r")
		if n == 0 {
			f.inTok = false
			b = b[1:]
			continue
		}
		if n < 0 {
			n = len(b)
		}
		f.word(b[:n])
		b = b[n:]
	}
}

// word takes a piece of a word.
func (f *framer) word(b []byte) {
	if !f.inTok {
		f.inTok, f.numOK, f.num = true, true, 0
		f.toks++
	}
	switch f.toks {
	case 1:
		for _, ch := range b[:min(len(b), maxOp+1-f.opLen)] {
			if 'a' <= ch && ch <= 'z' {
				ch -= 'a' - 'A'
			}
			if f.opLen < maxOp {
				f.op[f.opLen] = ch
			}
			f.opLen++
		}
	case 2:
		f.argLen += copy(f.arg[f.argLen:], b)
	}
	for i := 0; i < len(b) && f.numOK; i++ {
		f.numOK = '0' <= b[i] && b[i] <= '9' && f.num <= maxPayload
		if f.numOK {
			f.num = f.num*10 + int64(b[i]-'0')
		}
	}
}

func (f *framer) endLine() {
	f.open = false
	if need := f.payloadTokens(); need > 0 && f.toks >= need && f.numOK && f.num <= maxPayload {
		f.skip = f.num + int64(len("\r\n"))
	}
	f.line = f.pos - f.start
	f.size = f.line + f.skip
}

// payloadTokens is how many words the line of an operation with a payload has
// at least; 0 for the others. The last one is the payload's size.
func (f *framer) payloadTokens() int {
	switch string(f.opBytes()) {
	case "PUB":
		return 3
	case "HPUB", "MSG":
		return 4
	case "HMSG":
		return 5
	}
	return 0
}

// opBytes is the operation in capitals as far as it is known; nil when it is
// too long to be one.
func (f *framer) opBytes() []byte {
	if f.opLen > maxOp {
		return nil
	}
	return f.op[:f.opLen]
}

// publishOps are the operations with a payload, in either direction.
var publishOps = []string{"PUB", "HPUB", "MSG", "HMSG"}

// frameCut is an armed FrameCut.
type frameCut struct {
	armed  bool
	fresh  bool  // armed just now: from is still to be set
	from   int64 // frames that began before this position do not count
	left   int   // matching frames still to come, the one to cut included
	ops    []string
	prefix string
	at     int64
	how    How
}

// matches says whether a frame whose line is complete is one to be counted. A
// line is judged whole, so the answer does not depend on how it was split.
func (c *frameCut) matches(f *framer) bool {
	return f.start >= c.from && f.line <= maxLine &&
		slices.Contains(c.ops, string(f.opBytes())) &&
		bytes.HasPrefix(f.arg[:f.argLen], []byte(c.prefix))
}

// mayMatch says whether a frame whose line is not complete may yet match, so
// that none of it can be let go.
func (c *frameCut) mayMatch(f *framer) bool {
	if !f.open || f.start < c.from || f.pos-f.start > maxLine || f.opLen > maxOp {
		return false
	}
	op := f.opBytes()
	whole := f.toks > 1 || !f.inTok && f.toks == 1
	return slices.ContainsFunc(c.ops, func(o string) bool {
		if whole {
			return o == string(op)
		}
		return bytes.HasPrefix([]byte(o), op)
	})
}

// cutPos is where in the stream the frame is to be cut.
func (c *frameCut) cutPos(f *framer) int64 {
	at := c.at
	if at < 0 {
		at += f.size
	}
	return f.start + max(0, min(at, f.size))
}

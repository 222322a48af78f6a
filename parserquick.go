package nats

import (
	"bytes"
	"encoding/binary"
)

// The parser's short way: a MSG as servers write it, whole in one feed. What is
// different in any way goes the long way, which has the last word on what is right.

// quick passes on the message at the front of b and returns what follows it; false:
// it has done nothing.
func (p *parser) quick(b []byte) (rest []byte, ok bool) {
	if len(p.line) > 0 {
		return nil, false
	}
	n := p.args.quick(b, &p.last)
	if n == 0 || n > maxLine || p.args.total > p.maxPayload {
		return nil, false
	}
	end := n + p.args.total
	if len(b) < end+len(crlf) || b[end] != '\r' || b[end+1] != '\n' {
		return nil, false
	}
	p.sink.message(&p.args, b[n:end], false)
	return b[end+len(crlf):], true
}

// isCut reports whether b is a piece of a line, or of a message of at most so many
// bytes. It is called where quick has refused b.
func (p *parser) isCut(b []byte, most int) bool {
	if len(p.line) > 0 {
		return false
	}
	if bytes.HasPrefix(b, []byte(msgOp)) {
		if n := p.args.quick(b, &p.last); n > 0 {
			return len(b) < n+p.args.total && n+p.args.total <= most
		}
	}
	return bytes.IndexByte(b, '\n') < 0
}

const msgOp = "MSG "

// lastHead is how the last control line read the short way began: most begin like the
// one before.
type lastHead struct {
	text    [48]byte // "MSG subject sid "
	length  int      // 0: there is none
	subject int      // the length of it
	sid     int64
}

// begins reports whether b begins like that.
func (h *lastHead) begins(b []byte) bool {
	return h.length > 0 && len(b) > h.length && string(b[:h.length]) == string(h.text[:h.length])
}

// note remembers the head of a line, unless it is long.
func (h *lastHead) note(head []byte, subject int, sid int64) {
	if len(head) <= len(h.text) {
		h.length, h.subject, h.sid = copy(h.text[:], head), subject, sid
	}
}

// quick reads the control line at the front of b and returns its length with its
// end, or 0.
func (a *msgArgs) quick(b []byte, last *lastHead) int {
	i := last.length
	if last.begins(b) {
		a.subject, a.sid = b[len(msgOp):len(msgOp)+last.subject], last.sid
	} else if i = a.quickHead(b, last); i == 0 {
		return 0
	}
	a.reply, a.header = nil, 0
	size, n := leadingCount(b[i:])
	if i+n < len(b) && b[i+n] != '\r' {
		n = bytes.IndexByte(b[i:], ' ')
		if n <= 0 || hasControl(b[i:i+n]) {
			return 0
		}
		a.reply = b[i : i+n]
		i += n + 1
		size, n = leadingCount(b[i:])
	}
	if n == 0 || n > sureSize || i+n+1 >= len(b) || b[i+n] != '\r' || b[i+n+1] != '\n' {
		return 0
	}
	a.total = int(size)
	return i + n + len(crlf)
}

// quickHead reads "MSG subject sid " and returns its length, or 0.
func (a *msgArgs) quickHead(b []byte, last *lastHead) int {
	if len(b) < len(msgOp) || string(b[:len(msgOp)]) != msgOp {
		return 0
	}
	i := len(msgOp)
	subject := bytes.IndexByte(b[i:], ' ')
	if subject <= 0 || hasControl(b[i:i+subject]) {
		return 0
	}
	a.subject = b[i : i+subject]
	i += subject + 1
	sid, n := leadingCount(b[i:])
	if n == 0 || i+n+1 >= len(b) || b[i+n] != ' ' {
		return 0
	}
	a.sid = sid
	i += n + 1
	last.note(b[:i], subject, sid)
	return i
}

const (
	// sureDigits always fit into an int64, sureSize into an int32.
	sureDigits = 18
	sureSize   = 9
)

// leadingCount reads the digits at the front of b and says how many there are; 0
// also if there are too many.
func leadingCount(b []byte) (count int64, n int) {
	for n < len(b) && b[n]-'0' <= 9 {
		if n == sureDigits {
			return 0, 0
		}
		count = count*10 + int64(b[n]-'0')
		n++
	}
	return count, n
}

// hasControl reports whether b has a space or a control character, eight bytes at a
// time.
func hasControl(b []byte) bool {
	const low, high = 0x0101010101010101, 0x8080808080808080
	if len(b) < 8 {
		for _, c := range b {
			if c <= ' ' {
				return true
			}
		}
		return false
	}
	for {
		x := binary.LittleEndian.Uint64(b)
		// A byte below 0x21 borrows into its highest bit, which it did not have.
		if (x-low*0x21)&^x&high != 0 {
			return true
		}
		switch n := len(b); {
		case n == 8:
			return false
		case n < 16:
			b = b[n-8:] // some of it a second time
		default:
			b = b[8:]
		}
	}
}

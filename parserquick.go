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
	if len(p.line) > 0 || len(b) < len(msgOp) || string(b[:len(msgOp)]) != msgOp {
		return nil, false
	}
	n := p.args.quick(b)
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
		if n := p.args.quick(b); n > 0 {
			return len(b) < n+p.args.total && n+p.args.total <= most
		}
	}
	return bytes.IndexByte(b, '\n') < 0
}

const msgOp = "MSG "

// quick reads the control line at the front of b and returns its length with its
// end, or 0.
func (a *msgArgs) quick(b []byte) int {
	i := len(msgOp)
	n := bytes.IndexByte(b[i:], ' ')
	if n <= 0 || hasControl(b[i:i+n]) {
		return 0
	}
	a.subject, a.reply, a.header = b[i:i+n], nil, 0
	i += n + 1
	var sid, size int64
	if sid, n = leadingCount(b[i:]); n == 0 || i+n+1 >= len(b) || b[i+n] != ' ' {
		return 0
	}
	a.sid = sid
	i += n + 1
	size, n = leadingCount(b[i:])
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

package main

import (
	"bytes"
	"fmt"
)

// digits is how many decimal digits a message's number has.
const digits = 12

// A layout is how every message of a run looks, in a payload and on the wire.
// All have the same length, which makes the accounting exact: bytes divided by
// frame are messages.
//
//	PUB reconnect-buffer.x 32\r\n000000000042....................\r\n
type layout struct {
	subject string
	head    []byte // the line in front of the payload
	filler  []byte // the payload behind the number
	frame   int    // bytes of the whole frame
}

// newLayout describes messages with size bytes of payload, at least digits.
func newLayout(subject string, size int) *layout {
	l := &layout{
		subject: subject,
		head:    fmt.Appendf(nil, "PUB %s %d\r\n", subject, size),
		filler:  bytes.Repeat([]byte{'.'}, size-digits),
	}
	l.frame = len(l.head) + size + len("\r\n")
	return l
}

// payload writes the payload of message n into b, which it returns.
func (l *layout) payload(b []byte, n int) []byte {
	b = b[:0]
	for range digits {
		b = append(b, '0')
	}
	for i := digits - 1; n > 0; i-- {
		b[i] += byte(n % 10)
		n /= 10
	}
	return append(b, l.filler...)
}

// number returns the number in a payload; false if it is not one of ours, whole
// and undamaged.
func (l *layout) number(payload []byte) (int, bool) {
	if len(payload) < digits || !bytes.Equal(payload[digits:], l.filler) {
		return 0, false
	}
	n := 0
	for _, c := range payload[:digits] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return n, true
}

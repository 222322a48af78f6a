package main

import "bytes"

// A scanner reads the outgoing byte stream of one connection and finds the
// numbers of the messages that are wholly in it. It is fed what the kernel has
// taken, in pieces that may end anywhere.
type scanner struct {
	layout *layout
	held   []byte // the beginning of a frame whose end has not been fed
	// garbled counts what is no frame of ours and no line of the protocol.
	garbled int
	// unasked counts the messages behind the last PING.
	unasked int
	// pings has for each PING of the last piece how many of its messages were in front.
	pings []int
}

var ping = []byte("PING\r\n")

// controls are the lines that a client sends beside its messages.
var controls = [][]byte{
	ping, []byte("PONG\r\n"), []byte("CONNECT "), []byte("SUB "), []byte("UNSUB "),
}

// feed appends to found, which is empty, the numbers of the messages that end in p.
func (s *scanner) feed(found []int, p []byte) []int {
	if len(s.held) > 0 {
		s.held = append(s.held, p...)
		p = s.held
	}
	s.pings = s.pings[:0]
	for {
		n := s.length(p)
		if n == 0 {
			break
		}
		if number, ok := s.message(p[:n]); ok {
			found = append(found, number)
		} else if bytes.Equal(p[:n], ping) {
			s.pings = append(s.pings, len(found))
		}
		p = p[n:]
	}
	s.held = append(s.held[:0], p...)
	return found
}

// length is that of the first frame or line of p; 0 if p ends before it does.
func (s *scanner) length(p []byte) int {
	head := s.layout.head
	if len(p) < len(head) && bytes.HasPrefix(head, p) {
		return 0
	}
	if !bytes.HasPrefix(p, head) {
		return bytes.IndexByte(p, '\n') + 1
	}
	if len(p) < s.layout.frame {
		return 0
	}
	return s.layout.frame
}

// message returns the number in a frame; false if it is a line of the protocol,
// or garbled.
func (s *scanner) message(frame []byte) (int, bool) {
	if payload, ok := bytes.CutPrefix(frame, s.layout.head); ok {
		payload, whole := bytes.CutSuffix(payload, []byte("\r\n"))
		if n, ours := s.layout.number(payload); whole && ours {
			s.unasked++
			return n, true
		}
		s.garbled++
		return 0, false
	}
	if bytes.Equal(frame, ping) {
		s.unasked = 0
	}
	for _, c := range controls {
		if bytes.HasPrefix(frame, c) {
			return 0, false
		}
	}
	s.garbled++
	return 0, false
}

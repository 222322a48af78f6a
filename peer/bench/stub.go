package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

const (
	stubBuffer = 256 << 10
	// blastBytes is about how much the stub writes at once.
	blastBytes = 256 << 10
)

// runStub is the stub server's process: it swallows what is published, sends what it
// is asked for, and ends with its standard input.
func runStub() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("nats://%s\n", ln.Addr())
	go func() { // ends with the listener
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveStub(conn) // ends with the connection
		}
	}()
	_, err = io.Copy(io.Discard, os.Stdin)
	ln.Close()
	return err
}

// stubConn is one connection of the stub. Everything happens on one goroutine.
type stubConn struct {
	net.Conn
	sids   map[string][]string // by subject
	blasts map[wish]frames
	last   []byte // control line of the last publish, with its end
	length int    // of its payload, with its end
	skip   int    // bytes of a payload still to come
	asks   bool   // the payload that comes is a wish
	asked  []byte // as far as it has come
}

func serveStub(conn net.Conn) {
	defer conn.Close()
	s := &stubConn{Conn: conn, sids: map[string][]string{}, blasts: map[wish]frames{}}
	if _, err := conn.Write([]byte(info)); err != nil {
		return
	}
	buf := make([]byte, stubBuffer)
	kept := 0
	for {
		n, err := conn.Read(buf[kept:])
		if err != nil {
			return
		}
		rest, err := s.feed(buf[:kept+n])
		if err != nil {
			return
		}
		kept = copy(buf, rest)
	}
}

// feed handles what has come and returns the part of a line that is not whole.
func (s *stubConn) feed(b []byte) ([]byte, error) {
	for len(b) > 0 {
		if s.skip > 0 {
			n := min(s.skip, len(b))
			if s.asks {
				s.asked = append(s.asked, b[:n]...)
			}
			b, s.skip = b[n:], s.skip-n
			if s.skip == 0 && s.asks {
				if err := s.blast(); err != nil {
					return nil, err
				}
			}
			continue
		}
		// Publishes are most often like the one before: a stub that is slower than
		// the client would be what is measured.
		if len(s.last) > 0 && bytes.HasPrefix(b, s.last) {
			b, s.skip = b[len(s.last):], s.length
			continue
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return b, nil
		}
		if err := s.line(b[:end+1]); err != nil {
			return nil, err
		}
		b = b[end+1:]
	}
	return nil, nil
}

func (s *stubConn) line(line []byte) error {
	text := strings.TrimSpace(string(line))
	op, _, _ := strings.Cut(text, " ")
	switch op {
	case "PUB", "HPUB":
		subject, size, err := pubLine(text)
		s.skip = size + len("\r\n")
		s.asks = subject == blastSubject
		if !s.asks {
			s.last, s.length = append(s.last[:0], line...), s.skip
		}
		s.asked = s.asked[:0]
		return err
	case "SUB":
		fields := strings.Fields(text)
		s.sids[fields[1]] = append(s.sids[fields[1]], fields[len(fields)-1])
	case "PING":
		_, err := s.Write([]byte("PONG\r\n"))
		return err
	}
	return nil
}

// blast sends what was asked for, to the subscriptions of the subject in turn.
func (s *stubConn) blast() error {
	s.asks = false
	w, err := parseWish(string(s.asked))
	if err != nil {
		return err
	}
	f, ok := s.blasts[w]
	if !ok {
		var heads []string
		for _, sid := range s.sids[w.subject] {
			heads = append(heads, "MSG "+w.subject+" "+sid)
		}
		if len(heads) == 0 {
			return fmt.Errorf("nobody is subscribed to %s", w.subject)
		}
		f = repeat(heads, w.size, blastBytes)
		s.blasts[w] = f
	}
	for left := w.count; left > 0; {
		b, n := f.first(left)
		if _, err := s.Write(b); err != nil {
			return err
		}
		left -= n
	}
	return nil
}

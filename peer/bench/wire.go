package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
)

const info = `INFO {"server_id":"STUB","server_name":"stub","version":"2.15.0","proto":1,"headers":true,"max_payload":8388608}` + "\r\n"

const (
	// blastSubject is where a client asks the stub for messages: "subject count size".
	blastSubject = "stub.blast"
	// socketPiece is what the floor writes and reads at once.
	socketPiece = 64 << 10
)

// frames are messages as they go on the wire, one after the other.
type frames struct {
	b    []byte
	ends []int // where each of them ends
}

// repeat makes about the given number of bytes of messages; the heads, control
// lines without the length, take turns.
func repeat(heads []string, size, bytes int) frames {
	payload := strings.Repeat("x", size)
	var f frames
	for len(f.b) < bytes || len(f.ends)%len(heads) != 0 {
		f.b = fmt.Appendf(f.b, "%s %d\r\n%s\r\n", heads[len(f.ends)%len(heads)], size, payload)
		f.ends = append(f.ends, len(f.b))
	}
	return f
}

// first are the bytes of the first n messages, or of all if there are fewer.
func (f frames) first(n int) (b []byte, messages int) {
	n = min(n, len(f.ends))
	return f.b[:f.ends[n-1]], n
}

// rawConn is a connection without a client: the floor.
type rawConn struct {
	conn net.Conn
	in   *bufio.Reader
}

func dialRaw(url string) (*rawConn, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
	if err != nil {
		return nil, err
	}
	r := &rawConn{conn, bufio.NewReaderSize(conn, socketPiece)}
	if _, err := r.in.ReadString('\n'); err != nil {
		conn.Close()
		return nil, err
	}
	if err = r.say("CONNECT {\"verbose\":false}\r\n"); err == nil {
		err = r.flush()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return r, nil
}

func (r *rawConn) say(text string) error {
	_, err := r.conn.Write([]byte(text))
	return err
}

// flush waits until the server has everything.
func (r *rawConn) flush() error {
	if err := r.say("PING\r\n"); err != nil {
		return err
	}
	line, err := r.in.ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "PONG") {
		err = fmt.Errorf("no PONG but %q", line)
	}
	return err
}

// publish writes the bytes of n messages.
func (r *rawConn) publish(f frames, n int) error {
	for n > 0 {
		b, k := f.first(n)
		n -= k
		for len(b) > 0 {
			w, err := r.conn.Write(b[:min(len(b), socketPiece)])
			if err != nil {
				return err
			}
			b = b[w:]
		}
	}
	return r.flush()
}

// consume reads n messages of so many bytes each, and asks for more for every block.
func (r *rawConn) consume(n, length, block int, more func()) error {
	buf := make([]byte, socketPiece)
	for got, asked := 0, 0; got < n*length; {
		k, err := r.in.Read(buf)
		if err != nil {
			return err
		}
		for got += k; (asked+1)*block*length <= got; asked++ {
			more()
		}
	}
	return nil
}

// wish is what a client asks of the stub.
type wish struct {
	subject     string
	count, size int
}

func (w wish) String() string { return fmt.Sprintf("%s %d %d", w.subject, w.count, w.size) }

func parseWish(text string) (w wish, err error) {
	_, err = fmt.Sscanf(text, "%s %d %d", &w.subject, &w.count, &w.size)
	return w, err
}

// pubLine returns subject and payload length of a PUB or HPUB line.
func pubLine(line string) (subject string, size int, err error) {
	fields := strings.Fields(line)
	if len(fields) < 3 {
		return "", 0, fmt.Errorf("bad line %q", line)
	}
	size, err = strconv.Atoi(fields[len(fields)-1])
	return fields[1], size, err
}

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/natsring/nats.go/internal/child"
)

// The far side is a process that talks to the server with no client at all: it
// publishes what is to be received, answers requests and counts. It is told what to
// do, line by line, on a socket of its own:
//
//	feed PREFIX SUBJECTS SIZE   from now on: messages to the prefix with 0..SUBJECTS-1, in turn
//	send N                      the next N of them
//	hold SUBJECT N              keeps requests, and says "full" when it has N
//	release                     answers those
//	count SUBJECT               counts what comes; says "ok" when the server knows
//	counted                     says the number
const farRole = "scale-far"

func init() { child.Role(farRole, serveFar) }

// farSide is the far side's process. One goroutine reads orders, one what the
// server sends.
type farSide struct {
	server *net.TCPConn
	in     *bufio.Reader
	orders net.Conn
	pong   chan struct{}

	wheel frames
	next  int // message of the wheel

	mu   sync.Mutex
	want int
	held []string // reply subjects
	got  int      // counted
}

func serveFar(args []string) error {
	conn, err := net.Dial("tcp", args[0])
	if err != nil {
		return err
	}
	f := &farSide{server: conn.(*net.TCPConn), in: bufio.NewReaderSize(conn, 1<<20), pong: make(chan struct{}, 1)}
	if _, err := f.in.ReadString('\n'); err != nil {
		return err
	}
	if err := f.tell("CONNECT {\"verbose\":false}\r\n"); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	if f.orders, err = ln.Accept(); err != nil {
		return err
	}
	failed := make(chan error, 2)
	go func() { failed <- f.listen() }() // both end with the process
	go func() { failed <- f.obey() }()
	if err := <-failed; !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

func (f *farSide) tell(format string, args ...any) error {
	_, err := fmt.Fprintf(f.server, format, args...)
	return err
}

// obey reads the orders.
func (f *farSide) obey() error {
	for lines := bufio.NewReader(f.orders); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return err
		}
		if err := f.do(strings.Fields(line)); err != nil {
			return fmt.Errorf("%q: %w", line, err)
		}
	}
}

func (f *farSide) do(order []string) error {
	var n []int
	for _, arg := range order[1:] {
		if x, err := strconv.Atoi(arg); err == nil {
			n = append(n, x)
		}
	}
	switch order[0] {
	case "feed":
		f.wheel, f.next = wheelOf(order[1], n[0], n[1]), 0
		return nil
	case "send":
		return f.send(n[0])
	case "hold":
		f.mu.Lock()
		f.want = n[0]
		f.mu.Unlock()
		return f.subscribe(order[1], "1")
	case "release":
		return f.release()
	case "count":
		return f.subscribe(order[1], "2")
	case "counted":
		f.mu.Lock()
		defer f.mu.Unlock()
		_, err := fmt.Fprintln(f.orders, f.got)
		return err
	}
	return errors.New("unknown order")
}

// frames are messages as they go on the wire.
type frames struct {
	b    []byte
	ends []int // where each of them ends
}

func wheelOf(prefix string, subjects, size int) (w frames) {
	payload := bytes.Repeat([]byte{'x'}, size)
	turns := max(1, min(4096/subjects, 4<<20/max(size, 1))) // few subjects go round often
	for range turns {
		for i := range subjects {
			w.b = fmt.Appendf(w.b, "PUB %s%d %d\r\n%s\r\n", prefix, i, size, payload)
			w.ends = append(w.ends, len(w.b))
		}
	}
	return w
}

// send publishes the next n messages of the wheel.
func (f *farSide) send(n int) error {
	for n > 0 {
		k := min(n, len(f.wheel.ends)-f.next)
		from := 0
		if f.next > 0 {
			from = f.wheel.ends[f.next-1]
		}
		f.next += k
		if _, err := f.server.Write(f.wheel.b[from:f.wheel.ends[f.next-1]]); err != nil {
			return err
		}
		if f.next == len(f.wheel.ends) {
			f.next = 0
		}
		n -= k
	}
	return nil
}

// subscribe returns when the server has the subscription.
func (f *farSide) subscribe(subject, sid string) error {
	if err := f.tell("SUB %s %s\r\nPING\r\n", subject, sid); err != nil {
		return err
	}
	<-f.pong
	_, err := fmt.Fprintln(f.orders, "ok")
	return err
}

func (f *farSide) release() error {
	f.mu.Lock()
	held := f.held
	f.held = nil
	f.mu.Unlock()
	var b []byte
	for _, reply := range held {
		b = fmt.Appendf(b, "PUB %s 2\r\nok\r\n", reply)
	}
	_, err := f.server.Write(b)
	return err
}

// listen reads what the server sends.
func (f *farSide) listen() error {
	for {
		line, err := f.in.ReadString('\n')
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		switch fields[0] {
		case "PING":
			err = f.tell("PONG\r\n")
		case "PONG":
			f.pong <- struct{}{}
		case "MSG":
			err = f.message(fields)
		case "-ERR":
			err = errors.New(line)
		}
		if err != nil {
			return err
		}
	}
}

// message takes "MSG subject sid [reply] length" and drops the payload.
func (f *farSide) message(fields []string) error {
	size, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return err
	}
	if _, err := f.in.Discard(size + len("\r\n")); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fields[2] == "2" {
		f.got++
		return nil
	}
	f.held = append(f.held, fields[3])
	if len(f.held) == f.want {
		_, err = fmt.Fprintln(f.orders, "full")
	}
	return err
}

// far is this process's end of a far side.
type far struct {
	proc *child.Process
	conn net.Conn
	in   *bufio.Reader
}

func startFar(server string) (*far, error) {
	proc, addr, err := child.Start(farRole, server)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		proc.Kill()
		return nil, err
	}
	return &far{proc, conn, bufio.NewReader(conn)}, nil
}

func (f *far) close() {
	f.conn.Close()
	f.proc.Kill()
}

// order gives an order without an answer.
func (f *far) order(format string, args ...any) error {
	_, err := fmt.Fprintf(f.conn, format+"\n", args...)
	return err
}

// answer waits for a line.
func (f *far) answer() (string, error) {
	if err := f.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	line, err := f.in.ReadString('\n')
	return strings.TrimSpace(line), err
}

// ask gives an order and waits for its answer.
func (f *far) ask(format string, args ...any) (string, error) {
	if err := f.order(format, args...); err != nil {
		return "", err
	}
	return f.answer()
}

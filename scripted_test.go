package nats

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scriptedServer is a NATS server of which a test decides every move. Each
// accepted connection is handed to the script with its number, counted from 0;
// when the script returns the connection is closed.
type scriptedServer struct {
	t      testing.TB
	ln     net.Listener
	script func(*peerConn)

	wg    sync.WaitGroup
	mu    sync.Mutex
	conns []*peerConn
}

// scripted starts a scripted server; it ends with the test.
func scripted(t testing.TB, script func(*peerConn)) *scriptedServer {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &scriptedServer{t: t, ln: ln, script: script}
	s.wg.Add(1)
	go s.accept() // ends when the listener is closed, which the cleanup waits for
	t.Cleanup(s.stop)
	return s
}

func (s *scriptedServer) url() string { return "nats://" + s.ln.Addr().String() }

func (s *scriptedServer) accept() {
	defer s.wg.Done()
	for n := 0; ; n++ {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		p := &peerConn{TCPConn: conn.(*net.TCPConn), n: n, in: bufio.NewReaderSize(conn, 64<<10)}
		s.mu.Lock()
		s.conns = append(s.conns, p)
		s.mu.Unlock()
		s.wg.Add(1)
		go func() { // ends with the script, at the latest when stop closes the socket
			defer s.wg.Done()
			defer p.Close()
			s.script(p)
		}()
	}
}

func (s *scriptedServer) stop() {
	s.ln.Close()
	s.mu.Lock()
	for _, p := range s.conns {
		p.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// peerConn is one connection of a scripted server.
type peerConn struct {
	*net.TCPConn
	n  int
	in *bufio.Reader
}

const plainInfo = `{"server_id":"S","server_name":"scripted","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}`

// say sends protocol text.
func (p *peerConn) say(format string, args ...any) bool {
	_, err := fmt.Fprintf(p.TCPConn, format, args...)
	return err == nil
}

// line reads one line without its end; false at the end of the connection.
func (p *peerConn) line() (string, bool) {
	line, err := p.in.ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err == nil
}

// welcome does the server's side of the handshake and returns the CONNECT line.
func (p *peerConn) welcome() (string, bool) {
	if !p.say("INFO %s\r\n", plainInfo) {
		return "", false
	}
	connect, ok := p.line()
	if !ok {
		return "", false
	}
	if ping, ok := p.line(); !ok || ping != "PING" {
		return "", false
	}
	return connect, p.say("PONG\r\n")
}

// frame is one operation of the client.
type wireFrame struct {
	op   string // PUB, HPUB, SUB, UNSUB, PING, PONG
	line string // the whole control line
	data string // header and payload of a publish
}

// frame reads one operation; false when the connection ends, also in the middle.
func (p *peerConn) frame() (wireFrame, bool) {
	line, ok := p.line()
	if !ok {
		return wireFrame{}, false
	}
	op, _, _ := strings.Cut(line, " ")
	f := wireFrame{op: op, line: line}
	if op != "PUB" && op != "HPUB" {
		return f, true
	}
	fields := strings.Fields(line)
	n, err := strconv.Atoi(fields[len(fields)-1])
	if err != nil {
		return f, false
	}
	data := make([]byte, n+2)
	if _, err := io.ReadFull(p.in, data); err != nil || string(data[n:]) != "\r\n" {
		return f, false
	}
	f.data = string(data[:n])
	return f, true
}

// serve answers PINGs and gives every frame to see until the connection ends.
func (p *peerConn) serve(see func(wireFrame)) {
	for {
		f, ok := p.frame()
		if !ok {
			return
		}
		if see != nil {
			see(f)
		}
		if f.op == "PING" {
			p.say("PONG\r\n")
		}
	}
}

// cut ends the connection with a reset.
func (p *peerConn) cut() {
	_ = p.SetLinger(0)
	p.Close()
}

// await keeps the connection open until it ends or the test is over.
func (p *peerConn) await() {
	_ = p.SetReadDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, p.in)
}

// frameLog collects frames from a scripted server's goroutines.
type frameLog struct {
	mu  sync.Mutex
	all []wireFrame
}

func (l *frameLog) add(f wireFrame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, f)
}

// publishes returns the payloads seen so far, in order.
func (l *frameLog) publishes() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var data []string
	for _, f := range l.all {
		if f.op == "PUB" || f.op == "HPUB" {
			data = append(data, f.data)
		}
	}
	return data
}

// lines returns the control lines seen so far, in order.
func (l *frameLog) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	for _, f := range l.all {
		lines = append(lines, f.line)
	}
	return lines
}

package nats

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// memNet is a network in memory: a CustomDialer whose servers are functions. A
// connection over it can live in the virtual time of testing/synctest.
type memNet struct {
	start time.Time // dials are noted relative to this

	mu      sync.Mutex
	servers map[string]func(*memPeer) // by address; without one a dial is refused
	dials   []string                  // "address@time"
}

func newMemNet() *memNet {
	return &memNet{start: time.Now(), servers: make(map[string]func(*memPeer))}
}

// listen sets what the server at an address does with a connection. The
// connection is closed when serve returns. nil: refused from now on.
func (n *memNet) listen(addr string, serve func(*memPeer)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers[addr] = serve
}

// restart forgets the dials so far and counts time from now on.
func (n *memNet) restart() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.start, n.dials = time.Now(), nil
}

func (n *memNet) Dial(network, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, fmt.Sprintf("%s@%v", addr, time.Since(n.start)))
	serve := n.servers[addr]
	if serve == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	go func() { // ends with serve, at the latest when the client closes its side
		defer server.Close()
		serve(&memPeer{Conn: server, in: bufio.NewReader(server)})
	}()
	return client, nil
}

// log returns the dials so far, with the default port left out.
func (n *memNet) log() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.ReplaceAll(strings.Join(n.dials, " "), ":4222", "")
}

// memPeer is the server's side of a connection.
type memPeer struct {
	net.Conn
	in *bufio.Reader
}

func (p *memPeer) say(text string) bool {
	_, err := io.WriteString(p, text)
	return err == nil
}

// shake does the server's side of the handshake with an INFO up to the CONNECT
// line, which it returns, and the PING.
func (p *memPeer) shake(info string) (string, bool) {
	if !p.say("INFO " + info + "\r\n") {
		return "", false
	}
	connect, err := p.in.ReadString('\n')
	if err != nil {
		return "", false
	}
	ping, err := p.in.ReadString('\n')
	return connect, err == nil && ping == "PING\r\n"
}

// welcome lets the client in.
func (p *memPeer) welcome() bool {
	_, ok := p.shake(plainInfo)
	return ok && p.say("PONG\r\n")
}

// deaf reads and says nothing until the client goes.
func (p *memPeer) deaf() { _, _ = io.Copy(io.Discard, p.in) }

// answer answers PINGs until the client goes.
func (p *memPeer) answer() {
	for {
		line, err := p.in.ReadString('\n')
		if err != nil || line == "PING\r\n" && !p.say("PONG\r\n") {
			return
		}
	}
}

// flapping is a server that lets every client in, and loses all of them when the
// channel is closed.
func flapping(n *memNet, addr string) (cut chan struct{}) {
	cut = make(chan struct{})
	n.listen(addr, func(p *memPeer) {
		if !p.welcome() {
			return
		}
		gone := make(chan struct{})
		go func() { // ends with the connection
			p.answer()
			close(gone)
		}()
		select {
		case <-cut:
		case <-gone:
		}
	})
	return cut
}

// inMemory connects over a memNet, in order of the list and without jitter. The
// connection is closed when the test ends.
func inMemory(t *testing.T, n *memNet, url string, opts ...Option) *Conn {
	t.Helper()
	nc, err := Connect(url, append([]Option{SetCustomDialer(n), DontRandomize(), ReconnectJitter(0, 0),
		PingInterval(0)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// virtually runs a test in virtual time: it fails at once if it waits for
// something that can never happen.
func virtually(t *testing.T, f func(*testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

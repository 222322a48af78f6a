package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	minHold       = 64 << 10 // enough for a line that CutFrame holds back
	minSockBuffer = 32 << 10
)

const (
	dialFor   = 5 * time.Second        // limit for connecting to the upstream
	lingerFor = 10 * time.Second       // how long a side that got a FIN may take to close
	graceFor  = 100 * time.Millisecond // the same during Close
)

// TB is the part of testing.TB that Run needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Option configures a Proxy at its start.
type Option func(*config)

type config struct {
	holdLimit  int
	sockBuffer int
	observe    func(*Conn, Direction, []byte) // nil: nobody looks
}

// HoldLimit bounds, in bytes, what a connection keeps in memory per direction
// while StopForwarding(Hold) or Delay is in force. When it is reached the proxy
// stops reading until there is room. The default is 16 MiB; less than 64 KiB
// is an error of New.
func HoldLimit(bytes int) Option {
	return func(c *config) { c.holdLimit = bytes }
}

// SocketBuffers sets the kernel's receive and send buffers of all the proxy's
// sockets, in bytes, so that a sender is stopped sooner after StopReading. The
// default, 0, leaves the kernel's own sizes. Less than 32 KiB is raised to that:
// with less, TCP crawls, because segments are large on the loopback. A sender's
// own send buffer, often some megabytes, is for the sender to shrink.
func SocketBuffers(bytes int) Option {
	return func(c *config) { c.sockBuffer = bytes }
}

// Observe calls f with every piece of every stream that is forwarded: exactly
// the bytes that the kernel has taken for the receiver, in their order, before
// they show in the counters and before the connection can end. For one direction
// of a connection f is called by one goroutine, which it holds up; f must not
// call into the proxy, but for [Conn.ID], and must not keep or change the bytes.
func Observe(f func(c *Conn, dir Direction, forwarded []byte)) Option {
	return func(c *config) { c.observe = f }
}

// Proxy accepts connections on a loopback port and relays each to the upstream.
// All methods are safe for concurrent use.
type Proxy struct {
	cfg    config
	board  board
	addr   string
	port   *reservation
	closed chan struct{} // closed when Close begins
	done   chan struct{} // closed when Close is through
	wg     sync.WaitGroup

	// turn is taken by whoever opens or closes the listener; it owns ln and
	// lnDone. A channel, because the owner makes system calls meanwhile.
	turn   chan struct{}
	ln     net.Listener  // nil while refusing
	lnDone chan struct{} // closed when ln's accept loop has ended

	mu       sync.Mutex // guards the fields below; taken before a link's lock and the board's
	closing  bool
	upstream string
	mode     AcceptMode
	later    plan
	next     []func(*plan)
	live     []*Conn // open ones, in the order they were accepted
	running  map[*Conn]struct{}
	last     *Conn
	accepted int
}

// New starts a proxy on a free port of 127.0.0.1 in front of upstream, an
// address "host:port" or a URL that ends in one. The upstream need not be up.
// The caller has to call Close.
func New(upstream string, opts ...Option) (*Proxy, error) {
	cfg := config{holdLimit: 16 << 20}
	for _, o := range opts {
		o(&cfg)
	}
	if cfg.holdLimit < minHold || cfg.sockBuffer < 0 {
		return nil, errors.New("faultproxy: a size option is out of range")
	}
	if cfg.sockBuffer > 0 {
		cfg.sockBuffer = max(cfg.sockBuffer, minSockBuffer)
	}
	p := &Proxy{
		cfg:      cfg,
		closed:   make(chan struct{}),
		done:     make(chan struct{}),
		turn:     make(chan struct{}, 1),
		upstream: hostPort(upstream),
		running:  make(map[*Conn]struct{}),
	}
	// Without a reservation Refuse risks that somebody else takes the port.
	p.addr = "127.0.0.1:0"
	if r, err := reserve(); err == nil {
		p.port, p.addr = r, r.addr
	}
	ln, err := listen(p.addr)
	if err != nil {
		p.port.release()
		return nil, fmt.Errorf("faultproxy: %w", err)
	}
	p.addr = ln.Addr().String()
	p.serve(ln)
	return p, nil
}

// Run starts a proxy for a test, like New, and closes it when the test ends.
func Run(t TB, upstream string, opts ...Option) *Proxy {
	t.Helper()
	p, err := New(upstream, opts...)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	t.Cleanup(p.Close)
	return p
}

// Addr is the address of the proxy, "127.0.0.1:port". It stays the same for the
// life of the proxy, also while connections are refused.
func (p *Proxy) Addr() string { return p.addr }

// URL is the address of the proxy as a "nats://" URL.
func (p *Proxy) URL() string { return "nats://" + p.addr }

// SetUpstream changes where connections accepted later are relayed to. The
// present ones stay where they are.
func (p *Proxy) SetUpstream(upstream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = hostPort(upstream)
}

// Conns returns the open connections in the order they were accepted.
func (p *Proxy) Conns() []*Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.live)
}

// Last returns the connection accepted last, open or not; nil before the first.
// Connections closed at once by SetAccept are not among them.
func (p *Proxy) Last() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Close ends the listener and all connections, with a FIN on both sides, and
// waits for all the goroutines. A peer that does not close its side too gets a
// tenth of a second. Further calls wait for the first.
func (p *Proxy) Close() {
	p.mu.Lock()
	again := p.closing
	p.closing = true
	p.mu.Unlock()
	if again {
		<-p.done
		return
	}
	close(p.closed)
	p.turn <- struct{}{}
	p.unserve()
	<-p.turn
	p.Live().Cut(FIN)
	p.mu.Lock()
	running := make([]*Conn, 0, len(p.running))
	for c := range p.running {
		running = append(running, c)
	}
	p.mu.Unlock()
	until := time.Now().Add(graceFor)
	for _, c := range running {
		c.hasten(until)
	}
	p.wg.Wait()
	p.port.release()
	close(p.done)
}

// admit decides what becomes of a connection just accepted.
func (p *Proxy) admit(tcp *net.TCPConn) {
	if n := p.cfg.sockBuffer; n > 0 {
		setBuffers(tcp, n)
	}
	p.mu.Lock()
	mode := p.mode
	if p.closing || mode == Refuse {
		p.mu.Unlock()
		shut(tcp, true)
		return
	}
	p.board.accepted(mode == CloseAtOnce || mode == ResetAtOnce)
	if mode == CloseAtOnce || mode == ResetAtOnce {
		p.mu.Unlock()
		shut(tcp, mode == ResetAtOnce)
		_ = tcp.Close()
		return
	}
	p.accepted++
	c := newConn(p, tcp, p.accepted, p.upstream)
	c.silent = mode == Silent
	if !c.silent {
		faults := p.later
		for _, edit := range p.next {
			edit(&faults)
		}
		p.next = nil
		c.up.begin(faults.up)
		c.down.begin(faults.down)
	}
	p.live = append(p.live, c)
	p.running[c] = struct{}{}
	p.last = c
	p.wg.Add(1)
	p.mu.Unlock()
	// Owned by the connection; ends when the connection has ended.
	go c.run()
}

// forget takes a connection out of the open ones.
func (p *Proxy) forget(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.live = slices.DeleteFunc(p.live, func(o *Conn) bool { return o == c })
	p.board.ended(c)
}

// stopped is the last thing a connection's goroutine does.
func (p *Proxy) stopped(c *Conn) {
	p.mu.Lock()
	delete(p.running, c)
	p.mu.Unlock()
	p.wg.Done()
}

// dial connects to an upstream until ctx ends.
func (p *Proxy) dial(ctx context.Context, addr string) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: dialFor}
	d.SetMultipathTCP(false)
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		if ctx.Err() == nil {
			p.board.dialFailed()
		}
		return nil, err
	}
	tcp := conn.(*net.TCPConn)
	if n := p.cfg.sockBuffer; n > 0 {
		setBuffers(tcp, n)
	}
	return tcp, nil
}

// setBuffers is best effort: the sizes only make tests quicker.
func setBuffers(tcp *net.TCPConn, n int) {
	_ = tcp.SetReadBuffer(n)
	_ = tcp.SetWriteBuffer(n)
}

// shut ends a side. After a reset the socket is closed; after a FIN it can
// still be read.
func shut(tcp *net.TCPConn, reset bool) {
	if reset {
		_ = tcp.SetLinger(0)
		_ = tcp.Close()
		return
	}
	_ = tcp.CloseWrite()
}

func hostPort(upstream string) string {
	if _, rest, ok := strings.Cut(upstream, "://"); ok {
		return rest
	}
	return upstream
}

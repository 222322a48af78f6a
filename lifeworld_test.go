package nats

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing/synctest"
	"time"
)

const (
	lifePause = time.Second           // of the reconnect loop
	lifeTick  = 20 * time.Millisecond // what an action takes: AtLeastOnce asks within it
	lifeCalls = time.Hour             // how long calls wait, and handshakes
)

// lifeWorld is a real connection over a network in memory, with a server of which
// every move is an action, in virtual time.
type lifeWorld struct {
	server *lifeServer
	nc     *Conn
	gate   lifeGate
	tokens chan struct{} // one lets one handler end

	mu          sync.Mutex
	calls       []*lifeCall
	events      []string
	undelivered []string
	subs        []*worldSub
	stuck       int // handlers that wait for a token
}

type worldSub struct {
	sub         *Subscription
	begun, told int
}

// newLifeWorld connects. The caller runs in a bubble.
func newLifeWorld(cfg lifeConfig) (*lifeWorld, error) {
	w := &lifeWorld{tokens: make(chan struct{}), server: newLifeServer(cfg.begin)}
	o := GetDefaultOptions()
	o.Servers = []string{"10.0.0.0"}
	o.CustomDialer, o.RetryOnFailedConnect = w, cfg.begin != actUp
	o.Timeout, o.DrainTimeout, o.PingInterval = lifeCalls, lifeCalls, 0
	o.ReconnectWait, o.ReconnectJitter, o.MaxReconnect = lifePause, 0, cfg.tries
	o.AllowReconnect, o.AtLeastOnce = !cfg.noReconnect, cfg.keep
	note := func(what string) ConnHandler { return func(*Conn) { w.note(what) } }
	o.ConnectedCB, o.ReconnectedCB, o.ClosedCB = note("connect"), note("reconnect"), note("closed")
	o.DisconnectedErrCB = func(*Conn, error) { w.note("disconnect") }
	o.ReconnectErrCB = func(*Conn, error) { w.note("no dial") }
	o.AsyncErrorCB = func(_ *Conn, _ *Subscription, err error) {
		if !errors.Is(err, ErrConnectionClosed) { // of a drain whose server was lost, perhaps
			w.note("error")
		}
	}
	o.UndeliveredCB = func(_ *Conn, u Undelivered) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.undelivered = append(w.undelivered, string(u.Msg.Data))
	}
	var err error
	w.nc, err = o.Connect()
	return w, err
}

func (w *lifeWorld) note(event string) {
	w.gate.pass()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, event)
}

// Dial is the CustomDialer's.
func (w *lifeWorld) Dial(network, _ string) (net.Conn, error) {
	w.gate.pass()
	conn := w.server.accept()
	if conn == nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	return &gatedConn{Conn: conn, gate: &w.gate}, nil
}

// do issues an action and returns when it is done or waits for something.
func (w *lifeWorld) do(a lifeAction) {
	w.start(a)
	if a == actWait {
		time.Sleep(lifePause)
	}
	w.settle()
	if a == actWork {
		w.work()
	}
}

// settle lets everything happen that happens by itself.
func (w *lifeWorld) settle() {
	synctest.Wait()
	time.Sleep(lifeTick)
	synctest.Wait()
}

// work lets the handlers end, and those that begin then.
func (w *lifeWorld) work() {
	for w.handling() > 0 {
		w.tokens <- struct{}{}
		w.settle()
	}
}

func (w *lifeWorld) handling() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stuck
}

// start issues an action and returns at once.
func (w *lifeWorld) start(a lifeAction) {
	if w.server.happen(a) || a == actWait || a == actWork {
		return
	}
	w.mu.Lock()
	c, n := &lifeCall{what: a, result: waits}, len(w.calls)
	w.calls = append(w.calls, c)
	w.mu.Unlock()
	go func() { // ends with the call; that it does is what is tested
		err := w.call(a, n)
		w.mu.Lock()
		defer w.mu.Unlock()
		if c.result = "nil"; err != nil {
			c.result = err.Error()
		}
	}()
}

func (w *lifeWorld) call(a lifeAction, n int) error {
	switch nc := w.nc; a {
	case actPublish:
		return nc.Publish("p", fmt.Append(nil, "m", n))
	case actFlush:
		return nc.FlushTimeout(lifeCalls)
	case actRequest:
		_, err := nc.Request("p", fmt.Append(nil, "r", n), lifeCalls)
		return err
	case actSubscribe:
		return w.subscribe()
	case actDrainSub:
		if s := w.firstSub(); s != nil {
			return s.Drain()
		}
		return nil
	case actDrain:
		return nc.Drain()
	case actShutdown:
		return w.shutdown()
	case actForce:
		return nc.ForceReconnect()
	case actClose:
		nc.Close()
		return nil
	}
	panic("unknown action " + a)
}

func (w *lifeWorld) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), lifeCalls)
	defer cancel()
	err := w.nc.Shutdown(ctx)
	var e *ShutdownError
	if errors.As(err, &e) { // what is in it has tests of its own
		return ErrConnectionClosed
	}
	return err
}

func (w *lifeWorld) subscribe() error {
	s := &worldSub{}
	sub, err := w.nc.Subscribe("s", func(*Msg) {
		w.mu.Lock()
		s.begun++
		w.stuck++
		w.mu.Unlock()
		<-w.tokens
		w.mu.Lock()
		w.stuck--
		w.mu.Unlock()
	})
	if err != nil {
		return err
	}
	sub.SetClosedHandler(func(string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		s.told++
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	s.sub = sub
	w.subs = append(w.subs, s)
	return nil
}

// firstSub is the subscription that is drained next.
func (w *lifeWorld) firstSub() *Subscription {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.subs {
		if s.sub.IsValid() && !s.sub.IsDraining() {
			return s.sub
		}
	}
	return nil
}

// recover gives the connection all it could want, and time.
func (w *lifeWorld) recover() {
	w.settle()
	w.server.happen(actUp)
	w.server.mu.Lock()
	quiet := w.server.quiet
	w.server.mu.Unlock()
	if quiet {
		w.server.happen(actQuiet)
	}
	time.Sleep(10 * lifePause)
	w.settle()
	w.work()
}

// seen is all that can be seen of the connection.
func (w *lifeWorld) seen() lifeSeen {
	st := w.nc.BufferStats()
	w.mu.Lock()
	defer w.mu.Unlock()
	v := lifeSeen{Status: w.nc.Status(), Events: w.events, Server: w.server.messages(), Undelivered: w.undelivered,
		Held: st.Msgs, InDoubt: int(st.InDoubt)}
	for _, c := range w.calls {
		v.Calls = append(v.Calls, fmt.Sprint(c.what, ": ", c.result))
	}
	for _, s := range w.subs {
		v.Subs = append(v.Subs, subSeen{Begun: s.begun, Draining: s.sub.IsDraining(), Valid: s.sub.IsValid(), Told: s.told})
	}
	return v
}

// lifeGate is what the goroutines of the library pass at every dial, read, write and
// close, and at every handler that they call. One of these moments can be held.
type lifeGate struct {
	mu   sync.Mutex
	left int // moments until the one that is held; 0: none is
	open chan struct{}
	hit  bool
}

// hold makes the n-th moment from now last until release.
func (g *lifeGate) hold(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left, g.hit, g.open = n, false, make(chan struct{})
}

// release ends it and reports whether there was one.
func (g *lifeGate) release() (hit bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.left = 0
	close(g.open)
	return g.hit
}

func (g *lifeGate) pass() {
	g.mu.Lock()
	open := g.open
	here := g.left == 1
	g.left = max(0, g.left-1)
	g.hit = g.hit || here
	g.mu.Unlock()
	if here {
		<-open
	}
}

// gatedConn is the client's side of a connection.
type gatedConn struct {
	net.Conn
	gate *lifeGate
}

func (c *gatedConn) Read(b []byte) (int, error) {
	c.gate.pass()
	n, err := c.Conn.Read(b)
	c.gate.pass()
	return n, err
}

func (c *gatedConn) Write(b []byte) (int, error) {
	c.gate.pass()
	n, err := c.Conn.Write(b)
	c.gate.pass()
	return n, err
}

func (c *gatedConn) Close() error {
	c.gate.pass()
	return c.Conn.Close()
}

// lifeServer is the server's side. Nothing is done under its lock that can wait.
type lifeServer struct {
	mu    sync.Mutex
	mode  lifeAction
	quiet bool
	up    chan struct{} // closed when it lets in those who wait
	peers map[*lifePeer]bool
	got   []string
}

// lifePeer is one of its connections.
type lifePeer struct {
	memPeer
	out  chan string // to be written
	held []string    // to be said once it speaks; under the server's lock
	subs map[string]string
}

func newLifeServer(mode lifeAction) *lifeServer {
	return &lifeServer{mode: mode, up: make(chan struct{}), peers: make(map[*lifePeer]bool)}
}

func (s *lifeServer) messages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.got...)
}

// happen does what is the server's to do; false: it is not.
func (s *lifeServer) happen(a lifeAction) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch a {
	case actMessage:
		for p := range s.peers {
			p.deliver()
		}
	case actQuiet:
		s.quiet = !s.quiet
		for p := range s.peers {
			s.speakLocked(p)
		}
	case actUp:
		s.mode = a
		close(s.up)
		s.up = make(chan struct{})
	case actDown, actRefuse, actMute:
		s.mode = a
		s.cutLocked()
	case actCut:
		s.cutLocked()
	default:
		return false
	}
	return true
}

func (s *lifeServer) cutLocked() {
	for p := range s.peers {
		p.Close()
	}
	clear(s.peers)
}

func (s *lifeServer) speakLocked(p *lifePeer) {
	if s.quiet {
		return
	}
	for _, text := range p.held {
		p.out <- text
	}
	p.held = nil
}

func (p *lifePeer) deliver() {
	for sid, subject := range p.subs {
		if subject == "s" {
			p.out <- "MSG s " + sid + " 1\r\nx\r\n"
		}
	}
}

// accept returns the client's side of a new connection; nil: it is refused.
func (s *lifeServer) accept() net.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == actDown {
		return nil
	}
	client, server := net.Pipe()
	// The channel has room for all that one test can make the server say.
	p := &lifePeer{memPeer: memPeer{server, bufio.NewReader(server)}, out: make(chan string, 100),
		subs: make(map[string]string)}
	s.peers[p] = true
	go func() { // ends with the connection, at the latest when the client closes it
		defer close(p.out)
		defer s.forget(p)
		defer p.Close()
		if s.welcome(p, s.mode) {
			s.serve(p)
		}
	}()
	go func() { // ends when out is closed
		for text := range p.out {
			_ = p.say(text)
		}
	}()
	return client
}

func (s *lifeServer) forget(p *lifePeer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.peers, p)
}

func (s *lifeServer) welcome(p *lifePeer, mode lifeAction) bool {
	s.mu.Lock()
	up := s.up
	s.mu.Unlock()
	if _, ok := p.shake(plainInfo); !ok {
		return false
	}
	switch mode {
	case actRefuse:
		p.say("-ERR 'Authorization Violation'\r\n")
		return false
	case actMute:
		gone := make(chan struct{})
		go func() { // ends with the connection, or with the first byte that a client sends
			_, _ = p.in.Peek(1)
			close(gone)
		}()
		select {
		case <-up:
		case <-gone:
			return false
		}
		ok := p.say("PONG\r\n")
		<-gone // the reader is ours again
		return ok
	}
	return p.say("PONG\r\n")
}

// serve reads what the client says.
func (s *lifeServer) serve(p *lifePeer) {
	for {
		line, err := p.in.ReadString('\n')
		if err != nil {
			return
		}
		f := strings.Fields(line)
		payload := ""
		if f[0] == "PUB" {
			n, _ := strconv.Atoi(f[len(f)-1])
			b := make([]byte, n+2)
			if _, err := io.ReadFull(p.in, b); err != nil {
				return
			}
			payload = string(b[:n])
		}
		s.take(p, f, payload)
	}
}

func (s *lifeServer) take(p *lifePeer, f []string, payload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch f[0] {
	case "PUB":
		s.got = append(s.got, payload)
		if len(f) == 4 {
			s.replyLocked(p, f[2])
		}
	case "SUB":
		p.subs[f[2]] = f[1]
	case "UNSUB":
		delete(p.subs, f[1])
	case "PING":
		p.held = append(p.held, "PONG\r\n")
	}
	s.speakLocked(p)
}

// replyLocked answers a request if the subscription for that is there.
func (s *lifeServer) replyLocked(p *lifePeer, subject string) {
	for sid, wildcard := range p.subs {
		if prefix, ok := strings.CutSuffix(wildcard, "*"); ok && strings.HasPrefix(subject, prefix) {
			p.held = append(p.held, "MSG "+subject+" "+sid+" 2\r\nok\r\n")
		}
	}
}

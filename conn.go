package nats

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Goroutines: the lifecycle goroutine (run), which is the read loop while there
// is a session and looks for the next one otherwise; the session's writer. Both
// end with Close. Handlers run on goroutines that exist only while there is
// something to run.
//
// Lock order, outermost first: Conn.mu, registry.mu, Subscription.mu, pings.mu,
// outbox.mu; session.mu goes before requests.mu, and both before outbox.mu;
// dispatcher.mu is a leaf as outbox.mu is.
// None is held across a system call, a look-up or a function of the program.

// Conn is a connection to a NATS system: a handle that a program keeps over all
// the sessions with all the servers that it may have. [Connect] makes one, and
// [Conn.Close], [Conn.Drain] or [Conn.Shutdown] ends it. Its methods may be called
// from any goroutine, handlers included, and never wait for a dial, a handshake
// or a replay.
type Conn struct {
	// Statistics are to be read with Stats, which is safe at any time.
	Statistics // OutMsgs and OutBytes are the outbox's, Reconnects is under mu, the rest atomic

	// Opts is the copy of the options in use, to look at.
	Opts Options // handlers in it are read under mu

	// Made before the first goroutine starts, then never replaced.
	out      *outbox
	pings    *pings
	subs     *registry
	crew     crew
	requests *requests
	events   dispatcher
	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	done     chan struct{} // closed when the lifecycle goroutine has ended
	over     chan struct{} // closed when the connection is closed and all is given back

	log           *connLog // nil: there is no logger
	onUndelivered UndeliveredCB
	ids           *msgIDs // nil: messages get no id
	watermarks    watermarkTeller
	timers        timers
	waiters       sync.Pool // of *nextWaiter; a connection's own: see timers

	maxPayload atomic.Int64  // of the last INFO
	headers    atomic.Bool   // of the last INFO
	met        atomic.Bool   // there has been a server
	dropped    atomic.Uint64 // messages, at the limits of all subscriptions

	mu sync.Mutex
	// Under mu.
	state    statusMachine
	session  *session // nil while there is none
	info     serverInfo
	pool     *serverPool
	lastErr  error
	greeted  bool      // the ConnectHandler's event has been
	lostAt   time.Time // when the outage began; zero: there is none
	lostTo   error     // and why
	draining drainMode
	pause    chan struct{} // closed to end a pause of the reconnect loop; nil: there is none
	closeErr error         // why the library closed the connection
	left     []*Msg        // what a Shutdown left unsent
}

// Connect makes a connection to one of the given servers, separated by commas:
//
//	nats://127.0.0.1:4222, nats://user:password@example.com
//
// The scheme (nats, tls, or ws and wss for WebSocket) may be left out, as may be the
// port (4222; 80 for ws, 443 for wss). An empty url means DefaultURL. Options are
// applied in order; nil ones are skipped.
//
// Errors: what an Option refused, a URL that makes no sense, [ErrNoServers] if
// nobody listens, or why the last server that was tried could not be used.
func Connect(url string, options ...Option) (*Conn, error) {
	o := GetDefaultOptions()
	o.Servers = splitURLs(url)
	for _, set := range options {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	return o.Connect()
}

// Connect makes a connection with these options. See the function Connect.
func (o Options) Connect() (*Conn, error) {
	o = o.withDefaults()
	if err := o.checkKeys(); err != nil {
		return nil, err
	}
	if o.AtLeastOnce && o.ReconnectBufSize < 0 {
		return nil, fmt.Errorf("%w: AtLeastOnce keeps messages in the reconnect buffer, and ReconnectBufSize turns that off", ErrInvalidArg)
	}
	pool, err := newServerPool(&o)
	if err != nil {
		return nil, err
	}
	o.secureBy(pool)
	nc := newConn(o, pool)
	s, err := nc.firstSession()
	if err == nil && !nc.swapIn(s) {
		err = ErrConnectionClosed
	}
	if err != nil {
		if !o.RetryOnFailedConnect || nc.IsClosed() {
			nc.abandon()
			return nil, err
		}
		s = nil
		nc.startOutage(err)
	}
	// Owned by the connection: ends with Close, or when no server is left.
	go nc.run(s)
	return nc, nil
}

func newConn(o Options, pool *serverPool) *Conn {
	nc := &Conn{Opts: o, pool: pool, done: make(chan struct{}), over: make(chan struct{})}
	nc.ctx, nc.cancel = context.WithCancel(context.Background())
	nc.out = newOutbox(boxLimits{
		bytes: int64(o.ReconnectBufSize), msgs: int64(o.ReconnectBufMsgs),
		overflow: o.ReconnectBufOverflow, filter: o.ReconnectBufFilter, maxAge: o.ReconnectBufMaxAge,
	}, &nc.Statistics)
	if o.AtLeastOnce {
		nc.out.keepAll()
	}
	if o.MsgIDHeader {
		nc.ids = newMsgIDs()
	}
	nc.crew.run = nc.crew.work
	nc.log = newConnLog(nc)
	nc.onUndelivered = o.UndeliveredCB
	switch {
	case nc.onUndelivered != nil:
		nc.out.listen(nc.callUndelivered)
	case nc.log != nil:
		nc.out.listenForCounts(nc.callUndelivered)
	}
	nc.out.pace.rate = float64(max(0, o.ReconnectReplayRate))
	if high, low := o.marks(); high > 0 && o.ReconnectBufSize > 0 {
		nc.out.watch(high, low, nc.markCrossed)
	}
	nc.pings = &pings{box: nc.out}
	nc.subs = newRegistry(nc.out)
	nc.requests = newRequests()
	return nc
}

// maxFirstTries is how many servers that others tell of a first connect tries, so
// that it ends also where each tells of one more.
const maxFirstTries = 256

// firstSession tries every server of the pool once, those included that a
// server tells of meanwhile. A refused dial alone is no reason to report: then
// the error is ErrNoServers.
func (nc *Conn) firstSession() (*session, error) {
	most := len(nc.pool.list) + maxFirstTries
	var last error
	tried := make(map[*server]bool)
	for {
		nc.mu.Lock()
		srv := nc.pool.firstNot(tried)
		nc.mu.Unlock()
		if len(tried) >= most {
			break
		}
		if srv == nil {
			break
		}
		tried[srv] = true
		s, err := nc.attempt(srv, DISCONNECTED)
		if err == nil {
			return s, nil
		}
		if nc.ctx.Err() != nil {
			return nil, ErrConnectionClosed
		}
		nc.noteRefusal(srv, err)
		nc.logFailed(srv, err)
		last = err
		if isDialError(err) && strings.Contains(err.Error(), "connection refused") {
			last = nil
		}
	}
	if last == nil {
		last = ErrNoServers
	}
	return nil, last
}

// attempt tries to make a session with a server. If it fails once the socket
// existed, the status goes back to what it was.
func (nc *Conn) attempt(srv *server, back Status) (*session, error) {
	nc.mu.Lock()
	c := connector{opts: nc.Opts, tlsName: srv.tlsName}
	nc.mu.Unlock()
	reached := false
	c.onSocket = func() bool {
		reached = nc.reached(back)
		return reached
	}
	c.onInfo = func(info *serverInfo) { nc.learn(info, back != DISCONNECTED) }
	s, err := c.connect(nc.ctx, srv.url)
	if err != nil && reached {
		nc.move(back)
	}
	return s, err
}

// reached notes that an attempt has got a socket.
func (nc *Conn) reached(from Status) bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if from == RECONNECTING {
		nc.Reconnects++
	}
	return nc.state.move(CONNECTING)
}

func (nc *Conn) move(to Status) bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.state.move(to)
}

// learn takes over an INFO. Its servers join the pool; tell says whether that is
// an event for the program.
func (nc *Conn) learn(info *serverInfo, tell bool) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.info = *info
	nc.maxPayload.Store(info.MaxPayload)
	nc.headers.Store(info.Headers)
	nc.out.serverTakes(info.limits())
	if nc.state.now == CLOSED {
		return
	}
	fresh := !nc.Opts.IgnoreDiscoveredServers && nc.pool.discover(info.ConnectURLs)
	if !tell || !nc.met.Load() {
		return
	}
	if fresh {
		nc.postManyLocked(nc.log.discoveredLocked(), nc.call(nc.Opts.DiscoveredServersCB))
	}
	if info.LameDuckMode {
		nc.postManyLocked(nc.log.lameDuckLocked(), nc.call(nc.Opts.LameDuckModeHandler))
	}
}

// swapIn makes a session the connection's own: the outbox is attached with the
// replay of the subscriptions in front, the writer starts. False: the connection
// was closed meanwhile, and so is the session now.
func (nc *Conn) swapIn(s *session) bool {
	replayed := func() { nc.announce(s) }
	nc.met.Store(true)
	nothing := nc.subs.attach(s.info.limits(), replayed)
	nc.mu.Lock()
	ok := nc.state.move(CONNECTED)
	if ok {
		nc.session = s
		nc.pool.current.reconnects = 0
		nc.pool.current.lastAuthErr = nil
		nc.resumeDrainLocked()
	}
	o := nc.Opts
	nc.mu.Unlock()
	if !ok {
		nc.out.detach()
		nc.out.rewind(0)
		s.conn.Close()
		return false
	}
	if nothing {
		replayed()
	}
	s.writer = startWriter(nc.out, s.conn, o.FlusherTimeout, func(err error) {
		nc.writeFailed(s, err)
	})
	nc.pings.resume()
	s.startPings(o.PingInterval, o.MaxPingsOut, nc.pings)
	return true
}

// announce tells the program of a session.
func (nc *Conn) announce(s *session) {
	s.announced.Store(true)
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.log.announcedLocked(s)
	nc.lostAt, nc.lostTo = time.Time{}, nil
	if nc.greeted {
		nc.postConnLocked(nc.Opts.ReconnectedCB)
		return
	}
	nc.greeted = true
	nc.postConnLocked(nc.Opts.ConnectedCB)
}

// writeFailed ends a session whose socket takes nothing any more, and tells the
// program unless the end of the session was the reason.
func (nc *Conn) writeFailed(s *session, err error) {
	nc.mu.Lock()
	hurry := nc.Opts.ReconnectOnFlusherError
	nc.mu.Unlock()
	if !s.end(loss{err: err, hurry: hurry}) {
		return
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if nc.session == s {
		nc.lastErr = err
	}
	nc.postErrorLocked(nil, err)
}

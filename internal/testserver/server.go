package testserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ErrRunning is returned by Start when the server is running already.
var ErrRunning = errors.New("testserver: already running")

// ErrClosed is returned by Start and Restart after Close.
var ErrClosed = errors.New("testserver: closed")

// Server is a nats-server in this process which can be stopped, killed and
// started again on the same ports with the same options. Its methods may be
// called from any goroutine; those that change its state wait for each other.
type Server struct {
	// Written by prepare (and by NewCluster before it returns), then only read.
	opts  *server.Options // each start runs on a clone
	host  string          // what clients dial, without the port
	limit time.Duration   // for one start
	ports *ports
	dir   *tempDir
	out   *logWriter

	// turn has room for one: whoever has put a value in may change the fields
	// below. The accessors do not take it, so they answer during a start too.
	turn   chan struct{}
	closed bool
	log    *runLog // of the run in srv

	srv atomic.Pointer[server.Server] // nil while stopped
}

// prepare makes a server that has its ports and its files, but does not run.
func prepare(cfg Config) (*Server, error) {
	s := &Server{
		limit: cfg.StartTimeout,
		ports: new(ports),
		dir:   new(tempDir),
		out:   newLogWriter(cfg.Log),
		turn:  make(chan struct{}, 1),
	}
	if s.limit <= 0 {
		s.limit = defaultStartTimeout
	}
	opts, err := buildOptions(cfg, s.ports, s.dir)
	if err != nil {
		_ = s.Close() // the first error is the one that matters
		return nil, fmt.Errorf("testserver: %w", err)
	}
	s.opts = opts
	s.host = dialHost(opts.Host)
	return s, nil
}

// Start starts a stopped or killed server again, on the same ports, with the
// same options and the same JetStream directory. It returns when clients can
// connect. A port that somebody else listens on is tried again until
// [Config.StartTimeout] has passed.
func (s *Server) Start() error {
	s.turn <- struct{}{}
	defer s.yield()
	return s.start()
}

// Stop shuts the server down in order and waits until it is gone. Clients see
// their connections close. Stopping a stopped server does nothing.
func (s *Server) Stop() {
	s.turn <- struct{}{}
	defer s.yield()
	s.stop()
}

// Restart is Stop and Start with nothing in between.
func (s *Server) Restart() error {
	s.turn <- struct{}{}
	defer s.yield()
	s.stop()
	return s.start()
}

// Kill lets the server die as the kernel lets a killed process die, as far as
// a client can see: it stops listening, then every accepted connection is cut
// below the protocol, with no line sent and nothing flushed, so a client reads
// EOF or a reset. Only then is the server itself shut down, in order: JetStream
// data is not torn, and bytes that had reached the socket may still be
// processed (their answers are not sent).
//
// Only Linux can stop the listener first; elsewhere a client that is back at
// once may be cut a second time. On systems other than Linux, macOS and FreeBSD
// the server closes the connections itself, also without a protocol line, but
// it may flush what it has pending.
func (s *Server) Kill() {
	s.turn <- struct{}{}
	defer s.yield()
	if s.srv.Load() == nil {
		return
	}
	// The accept loop complains about its listener until it is told to stop.
	s.log.mute()
	cutSockets(s.ports.listening(), true)
	s.stop()
}

// CutClients cuts the connection of every client as Kill does, but the server
// goes on and clients may come back at once. It returns how many it cut.
func (s *Server) CutClients() int {
	s.turn <- struct{}{}
	defer s.yield()
	srv := s.srv.Load()
	if srv == nil {
		return 0
	}
	if n, ok := cutSockets(s.clientPorts(), false); ok {
		return n
	}
	return disconnectAll(srv)
}

// LameDuck runs the server's lame duck mode to its end: clients are told,
// then disconnected one by one, then the server stops. It takes about
// server.Options.LameDuckDuration: half a second unless an option sets it, but
// the server's own default of two minutes after a start from a text.
func (s *Server) LameDuck() {
	s.turn <- struct{}{}
	defer s.yield()
	if srv := s.srv.Load(); srv != nil {
		srv.LameDuckShutdown()
		s.stop()
	}
}

// Close stops the server for good, gives its ports back and removes its
// temporary directory. Closing twice does nothing.
func (s *Server) Close() error {
	s.turn <- struct{}{}
	defer s.yield()
	if s.closed {
		return nil
	}
	s.closed = true
	s.stop()
	s.ports.release()
	return s.dir.remove()
}

// yield ends a caller's turn.
func (s *Server) yield() { <-s.turn }

// stop needs the turn.
func (s *Server) stop() {
	if srv := s.srv.Load(); srv != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		s.srv.Store(nil)
	}
}

// start needs the turn.
func (s *Server) start() error {
	if s.closed {
		return ErrClosed
	}
	if s.Running() {
		return ErrRunning
	}
	s.stop() // it may have been shut down through Server
	deadline := time.Now().Add(s.limit)
	for {
		err := s.launch(deadline)
		if err == nil {
			return nil
		}
		if !addrInUse(err) || !s.ports.waitFree(deadline) {
			return fmt.Errorf("testserver: start on %s: %w", s.Addr(), err)
		}
	}
}

// launch makes one attempt to start. It needs the turn.
func (s *Server) launch(deadline time.Time) error {
	s.ports.makeWay()
	srv, err := server.NewServer(s.opts.Clone())
	if err != nil {
		return err
	}
	log := &runLog{out: s.out}
	srv.SetLoggerV2(log, s.opts.Debug, s.opts.Trace, false)
	srv.Start()
	if err := awaitReady(srv, log, deadline); err != nil {
		srv.Shutdown()
		srv.WaitForShutdown()
		return err
	}
	s.log = log
	s.srv.Store(srv)
	return nil
}

// awaitReady waits until srv accepts connections or has said why it never will.
func awaitReady(srv *server.Server, log *runLog, deadline time.Time) error {
	const look = 50 * time.Millisecond // how often a fatal error is looked for
	for {
		if err := log.fatal(); err != nil {
			return err
		}
		if srv.ReadyForConnections(look) {
			return nil
		}
		if !srv.Running() {
			return errors.New("the server stopped during its start")
		}
		if time.Now().After(deadline) {
			return errors.New("the server does not accept connections in time")
		}
	}
}

// disconnectAll asks the server to close its clients, where cutSockets cannot.
func disconnectAll(srv *server.Server) (n int) {
	conns, err := srv.Connz(&server.ConnzOptions{Limit: srv.NumClients() + 1024})
	if err != nil {
		return 0
	}
	for _, c := range conns.Conns {
		if srv.DisconnectClientByID(c.Cid) == nil {
			n++
		}
	}
	return n
}

// Running tells whether the server runs. It is false from the moment a
// shutdown begins, whoever began it.
func (s *Server) Running() bool {
	srv := s.srv.Load()
	return srv != nil && srv.Running()
}

// Server is the running server, to look into it. It is nil while the server
// is stopped, and another one after each start.
func (s *Server) Server() *server.Server { return s.srv.Load() }

// NumClients is how many clients are connected, 0 while stopped.
func (s *Server) NumClients() int {
	if srv := s.srv.Load(); srv != nil {
		return srv.NumClients()
	}
	return 0
}

// Port is the client port. It stays the same for the server's life.
func (s *Server) Port() int { return s.opts.Port }

// Addr is "host:port" for client connections, also while stopped.
func (s *Server) Addr() string { return net.JoinHostPort(s.host, strconv.Itoa(s.Port())) }

// URL is "nats://host:port", also while stopped and with TLS.
func (s *Server) URL() string { return "nats://" + s.Addr() }

// WebsocketURL is "ws://host:port", or "wss://host:port" with TLS. It is empty
// when the server has no websocket port.
func (s *Server) WebsocketURL() string {
	ws := &s.opts.Websocket
	if ws.Port == 0 {
		return ""
	}
	scheme := "ws://"
	if ws.TLSConfig != nil {
		scheme = "wss://"
	}
	return scheme + net.JoinHostPort(dialHost(ws.Host), strconv.Itoa(ws.Port))
}

// ConfigFile is the path of the file that [Config.Text] was written to, with
// the chosen host and port added. Rewrite it and call Server().Reload() to
// test a configuration change. It is empty without a text.
func (s *Server) ConfigFile() string { return s.opts.ConfigFile }

func (s *Server) clientPorts() []int {
	if ws := s.opts.Websocket.Port; ws != 0 {
		return []int{s.Port(), ws}
	}
	return []int{s.Port()}
}

// dialHost is the address to dial for a server that listens on host.
func dialHost(host string) string {
	ip := net.ParseIP(host)
	switch {
	case host == "", ip != nil && ip.IsUnspecified():
		return loopback
	default:
		return host
	}
}

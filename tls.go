package nats

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// withTLSDefaults gives the options about TLS their meaning, as far as it does not
// depend on the servers.
func (o Options) withTLSDefaults() Options {
	o.Secure = o.Secure || o.TLSHandshakeFirst
	o.TLSConfig = o.TLSConfig.Clone()
	return o
}

// secureBy makes one server's "tls" count for all: a connection that asks for TLS
// somewhere never does without.
func (o *Options) secureBy(pool *serverPool) {
	for _, s := range pool.list {
		if s.url.Scheme == "tls" || s.url.Scheme == "wss" {
			o.askTLS()
			pool.scheme = s.url.Scheme
		}
	}
}

func (o *Options) askTLS() {
	o.Secure = true
	if o.TLSConfig == nil {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
}

// jitter is the one for this kind of connection.
func (o *Options) jitter() time.Duration {
	if o.Secure || o.TLSConfig != nil {
		return o.ReconnectJitterTLS
	}
	return o.ReconnectJitter
}

// tlsSkipper is the optional part of a CustomDialer that brings TLS itself.
type tlsSkipper interface{ SkipTLSHandshake() bool }

// secure does the TLS handshake.
func (c *connector) secure(s *session, u *url.URL) error {
	if d, ok := c.opts.CustomDialer.(tlsSkipper); ok && d.SkipTLSHandshake() {
		s.secured = true
		return nil
	}
	cfg, err := c.tlsConfig(u.Hostname())
	if err != nil {
		return &connectError{s.name, stepTLS, err}
	}
	socket := &tlsSocket{Conn: s.conn, resume: resumable(s.conn)}
	conn := tls.Client(socket, cfg)
	if err := conn.Handshake(); err != nil {
		if cfg.ServerName != u.Hostname() {
			err = fmt.Errorf("as %s: %w", cfg.ServerName, err)
		}
		return &connectError{s.name, stepTLS, fmt.Errorf("%w: %w", ErrTLS, err)}
	}
	state := conn.ConnectionState()
	s.conn, s.secured, s.tls = &secureConn{Conn: conn, socket: socket}, true, &state
	s.rest = nil
	return nil
}

// tlsConfig is the configuration for one attempt. Handlers are asked each time, so
// that a new certificate takes effect with the next connection.
func (c *connector) tlsConfig(host string) (*tls.Config, error) {
	cfg := c.opts.TLSConfig.Clone()
	if cfg == nil {
		cfg = &tls.Config{}
	}
	cfg.MinVersion = max(cfg.MinVersion, tls.VersionTLS12)
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = strings.Cut(host, "%") // an IPv6 zone is no part of a name
		if c.tlsName != "" {
			cfg.ServerName = c.tlsName
		}
	}
	if c.opts.RootCAsCB != nil {
		pool, err := c.opts.RootCAsCB()
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = pool
	}
	if c.opts.TLSCertCB != nil {
		cert, err := c.opts.TLSCertCB()
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// tlsCause marks what a server says against us by TLS behind the handshake: with
// TLS 1.3 it looks at our certificate only then.
func (s *session) tlsCause(err error) error {
	var op *net.OpError
	switch {
	case s.tls == nil:
		return err
	case errors.Is(err, io.EOF) || isBreak(err):
		return fmt.Errorf("%w: connection closed by remote after TLS handshake: %w", ErrTLS, err)
	case errors.As(err, &op) && strings.HasSuffix(op.Op, " error"): // "remote error", "local error"
		return fmt.Errorf("%w: %w", ErrTLS, err)
	}
	return err
}

// secureConn is a TLS connection with its socket.
type secureConn struct {
	*tls.Conn
	socket *tlsSocket
}

// Close says goodbye, but does not wait for a socket that takes nothing.
func (c *secureConn) Close() error {
	c.socket.closing.Store(true)
	return c.Conn.Close()
}

// goodbye is how long a close waits for the socket to take the last record.
const goodbye = 100 * time.Millisecond

// tlsSocket is the socket under a TLS connection, or under WebSocket frames. TLS
// cannot go on behind a write that took a part of a record, so what the writer does for
// a plain socket is done here, below the records: a write that makes progress gets its
// time anew.
//
// What a failed write of the TLS connection says it took is what went out in whole
// records. Of a record that the kernel took in part the server can read nothing.
type tlsSocket struct {
	net.Conn
	resume bool
	// stall is how long the kernel may take nothing. Written once, when the
	// handshake is over; 0 or less: the deadline is somebody else's.
	stall   time.Duration
	closing atomic.Bool
}

// NetConn is the plain socket.
func (c *tlsSocket) NetConn() net.Conn { return c.Conn }

func (c *tlsSocket) Write(b []byte) (int, error) {
	done := 0
	for {
		closing := c.closing.Load()
		stall := c.stall
		if closing {
			stall = goodbye
		}
		if stall > 0 {
			if err := c.SetWriteDeadline(time.Now().Add(stall)); err != nil {
				return done, err
			}
		}
		n, err := c.Conn.Write(b[done:])
		done += n
		slow := n > 0 && errors.Is(err, os.ErrDeadlineExceeded)
		if !slow || !c.resume || stall <= 0 || closing {
			return done, err
		}
	}
}

// established ends the handshake's deadline. From now on writes have the writer's.
func (s *session) established(stall time.Duration) error {
	switch c := s.conn.(type) {
	case *secureConn:
		c.socket.stall = stall
	case *wsConn:
		c.steady.stall = stall
	}
	return setDeadline(s.conn, time.Time{})
}

// TLSConnectionState returns what was agreed with the server.
//
// Errors: [ErrDisconnected] while there is no server, [ErrConnectionNotTLS].
func (nc *Conn) TLSConnectionState() (tls.ConnectionState, error) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	switch {
	case nc.session == nil:
		return tls.ConnectionState{}, ErrDisconnected
	case nc.session.tls == nil:
		return tls.ConnectionState{}, ErrConnectionNotTLS
	}
	return *nc.session.tls, nil
}

package nats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"time"
)

// limits is what the server takes of publishes.
func (i *serverInfo) limits() *serverLimits {
	return &serverLimits{maxPayload: i.MaxPayload, headers: i.Headers}
}

// connectLine is the argument of CONNECT.
// Source: https://docs.nats.io/reference/reference-protocols/nats-protocol#connect
type connectLine struct {
	Verbose      bool   `json:"verbose"`
	Pedantic     bool   `json:"pedantic"`
	JWT          string `json:"jwt,omitempty"`
	Nkey         string `json:"nkey,omitempty"`
	Signature    string `json:"sig,omitempty"`
	User         string `json:"user,omitempty"`
	Password     string `json:"pass,omitempty"`
	Token        string `json:"auth_token,omitempty"`
	TLSRequired  bool   `json:"tls_required"`
	Name         string `json:"name"`
	Lang         string `json:"lang"`
	Version      string `json:"version"`
	Protocol     int    `json:"protocol"`
	Echo         bool   `json:"echo"`
	Headers      bool   `json:"headers"`
	NoResponders bool   `json:"no_responders"`
}

// Steps of making a session, as they stand in errors.
const (
	stepDial    = "dialling"
	stepInfo    = "waiting for INFO from"
	stepTLS     = "TLS handshake with"
	stepUpgrade = "WebSocket upgrade with"
	stepConnect = "connecting to"
	stepAnswer  = "waiting for the answer to CONNECT from"
	stepRead    = "reading from"
)

// connector makes sessions. It works on its own copy of the options and outside
// every lock; what the connection has to know meanwhile it is told by the hooks.
type connector struct {
	opts Options
	// tlsName is the server's name for TLS if that is not the URL's host.
	tlsName string
	// onSocket is called once the socket exists; false gives the attempt up.
	onSocket func() bool
	// onInfo is called with the server's INFO, also if the server refuses us.
	onInfo func(*serverInfo)
}

// connect dials a server and shakes hands. The result is a finished session, or
// an error that names the server and the step, or what the server said against
// us (a *refusal). The context ends it early.
func (c *connector) connect(ctx context.Context, u *url.URL) (*session, error) {
	name := urlName(u)
	conn, err := dial(ctx, &c.opts, u.Hostname(), u.Port())
	if err != nil {
		return nil, &connectError{name, stepDial, err}
	}
	if !c.onSocket() {
		conn.Close()
		return nil, ErrConnectionClosed
	}
	s := &session{conn: conn, name: name}
	if err := c.handshake(ctx, s, u); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// handshake takes INFO, secures the socket if one side wants that, sends CONNECT
// and PING and waits for PONG. One deadline covers it all.
func (c *connector) handshake(ctx context.Context, s *session, u *url.URL) error {
	if err := setDeadline(s.conn, time.Now().Add(c.opts.Timeout)); err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	socket := s.conn // s.conn changes with TLS
	stop := context.AfterFunc(ctx, func() { socket.Close() })
	defer stop()
	if err := c.meet(s, u); err != nil {
		return err
	}
	cred, err := credentialsFor(&c.opts, u, s.info.Nonce)
	if err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	s.cred = cred
	if err := c.introduce(s); err != nil {
		return err
	}
	if !stop() {
		return ErrConnectionClosed
	}
	if err := s.established(c.opts.FlusherTimeout); err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	return nil
}

// meet takes INFO, before or behind the TLS handshake if there is one. What a
// server, or somebody else, says in clear behind INFO is not looked at.
func (c *connector) meet(s *session, u *url.URL) error {
	begin := func(*session, *url.URL) error { return nil }
	switch {
	case isWebSocket(u):
		begin = c.upgrade
	case c.opts.TLSHandshakeFirst:
		begin = c.secure
	}
	if err := begin(s, u); err != nil {
		return err
	}
	in := lineReader{conn: s.conn}
	if err := s.readInfo(&in); err != nil {
		return &connectError{s.name, stepInfo, s.tlsCause(err)}
	}
	c.onInfo(&s.info)
	if c.opts.Nkey != "" && s.info.Nonce == "" {
		return &connectError{s.name, stepConnect, ErrNkeysNotSupported}
	}
	s.rest = in.buf
	if isWebSocket(u) {
		return nil
	}
	if c.opts.Secure && !s.info.TLSRequired && !s.info.TLSAvailable {
		return &connectError{s.name, stepConnect, ErrSecureConnWanted}
	}
	if s.secured || !c.opts.Secure && !s.info.TLSRequired {
		return nil
	}
	return c.secure(s, u)
}

// introduce sends CONNECT and PING and waits for the answer.
func (c *connector) introduce(s *session) error {
	line, err := c.connectLine(&s.info, &s.cred)
	if err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	// If the write fails the server may still have said why.
	_, writeErr := s.conn.Write(line)
	clear(line)
	in := lineReader{conn: s.conn, buf: s.rest}
	if err := c.readAnswer(&in, &s.cred); err != nil {
		var r *refusal
		if errors.As(err, &r) {
			return err
		}
		err = s.tlsCause(err)
		if writeErr != nil {
			return &connectError{s.name, stepConnect, errors.Join(writeErr, err)}
		}
		return &connectError{s.name, stepAnswer, err}
	}
	s.rest = in.buf
	return nil
}

// setDeadline does not mind that a pipe's other end is closed already: the next
// read says so better.
func setDeadline(conn net.Conn, t time.Time) error {
	if err := conn.SetDeadline(t); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}

func (s *session) readInfo(in *lineReader) error {
	line, err := in.line(maxInfo)
	if err != nil {
		return err
	}
	op, arg := cutOp(line)
	if string(op) != "INFO" {
		return fmt.Errorf("%w: got '%s'", ErrNoInfoReceived, clip(line))
	}
	if len(arg) == 0 {
		return nil
	}
	if err := json.Unmarshal(arg, &s.info); err != nil {
		return fmt.Errorf("INFO is not valid JSON: %w", shortError{err})
	}
	return nil
}

// connectLine encodes CONNECT and the PING behind it.
func (c *connector) connectLine(info *serverInfo, cred *credentials) ([]byte, error) {
	if c.opts.NoEcho && info.Proto < 1 {
		return nil, ErrNoEchoNotSupported
	}
	arg, err := json.Marshal(connectLine{
		Verbose: c.opts.Verbose, Pedantic: c.opts.Pedantic,
		JWT: cred.jwt, Nkey: cred.nkey, Signature: cred.sig,
		User: cred.user, Password: cred.password, Token: cred.token, TLSRequired: c.opts.Secure,
		Name: c.opts.Name, Lang: LangString, Version: Version, Protocol: 1, Echo: !c.opts.NoEcho,
		Headers: info.Headers, NoResponders: info.Headers,
	})
	if err != nil {
		return nil, ErrJsonParse
	}
	defer clear(arg) // there are credentials in it
	return fmt.Appendf(nil, "CONNECT %s\r\nPING\r\n", arg), nil
}

// readAnswer waits for the PONG. What the server says instead is shown without
// the credentials that it may be repeating.
func (c *connector) readAnswer(in *lineReader, cred *credentials) error {
	line, err := in.line(maxLine)
	if err == nil && c.opts.Verbose && string(line) == "+OK" {
		line, err = in.line(maxLine)
	}
	if err != nil {
		return err
	}
	op, arg := cutOp(line)
	switch {
	case string(line) == "PONG":
		return nil
	case string(op) == "-ERR":
		return &refusal{text: cred.hide(errText(arg))}
	}
	return fmt.Errorf("nats: expected 'PONG', got '%s'", clip([]byte(cred.hide(string(line)))))
}

// lineReader reads lines during the handshake. What came behind the last one is
// left in buf.
type lineReader struct {
	conn net.Conn
	buf  []byte
}

// lineRead is how much is read at once.
const lineRead = 4 << 10

// line returns the next line without its end. One that is longer than limit is
// an error before more than that is kept. Memory grows with what has come, also if
// it comes byte by byte.
func (r *lineReader) line(limit int) ([]byte, error) {
	for seen := 0; ; {
		if i := bytes.IndexByte(r.buf[seen:], '\n'); i >= 0 && seen+i <= limit {
			line := bytes.TrimSuffix(r.buf[:seen+i], []byte("\r"))
			r.buf = r.buf[seen+i+1:]
			return line, nil
		}
		if seen = len(r.buf); seen > limit {
			return nil, fmt.Errorf("line of more than %d bytes, beginning '%s'", limit, clip(r.buf))
		}
		if cap(r.buf)-seen < lineRead/4 {
			r.buf = slices.Grow(r.buf, lineRead)
		}
		n, err := r.conn.Read(r.buf[seen:min(cap(r.buf), seen+lineRead)])
		r.buf = r.buf[:seen+n]
		if err != nil && n == 0 {
			return nil, err
		}
	}
}

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
	stepConnect = "connecting to"
	stepAnswer  = "waiting for the answer to CONNECT from"
	stepRead    = "reading from"
)

// connector makes sessions. It works on its own copy of the options and outside
// every lock; what the connection has to know meanwhile it is told by the hooks.
type connector struct {
	opts Options
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

// handshake takes INFO, sends CONNECT and PING and waits for PONG. One deadline
// covers it all.
func (c *connector) handshake(ctx context.Context, s *session, u *url.URL) error {
	if err := setDeadline(s.conn, time.Now().Add(c.opts.Timeout)); err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	defer stop()
	in := lineReader{conn: s.conn}
	if err := s.readInfo(&in); err != nil {
		return &connectError{s.name, stepInfo, err}
	}
	c.onInfo(&s.info)
	cred, err := credentialsFor(&c.opts, u)
	if err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	line, err := c.connectLine(&s.info, &cred)
	if err != nil {
		return &connectError{s.name, stepConnect, err}
	}
	// If the write fails the server may still have said why.
	_, writeErr := s.conn.Write(line)
	if err := c.readAnswer(&in, &cred); err != nil {
		var r *refusal
		if errors.As(err, &r) {
			return err
		}
		if writeErr != nil {
			return &connectError{s.name, stepConnect, errors.Join(writeErr, err)}
		}
		return &connectError{s.name, stepAnswer, err}
	}
	if !stop() {
		return ErrConnectionClosed
	}
	s.rest = in.buf
	if err := setDeadline(s.conn, time.Time{}); err != nil {
		return &connectError{s.name, stepConnect, err}
	}
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
	if info.TLSRequired {
		return nil, ErrSecureConnRequired
	}
	if c.opts.NoEcho && info.Proto < 1 {
		return nil, ErrNoEchoNotSupported
	}
	arg, err := json.Marshal(connectLine{
		Verbose: c.opts.Verbose, Pedantic: c.opts.Pedantic,
		User: cred.user, Password: cred.password, Token: cred.token,
		Name: c.opts.Name, Lang: LangString, Version: Version, Protocol: 1, Echo: !c.opts.NoEcho,
		Headers: info.Headers, NoResponders: info.Headers,
	})
	if err != nil {
		return nil, ErrJsonParse
	}
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

// line returns the next line without its end. One that is longer than limit is
// an error before more than that is kept.
func (r *lineReader) line(limit int) ([]byte, error) {
	for {
		if i := bytes.IndexByte(r.buf, '\n'); i >= 0 && i <= limit {
			line := bytes.TrimSuffix(r.buf[:i], []byte("\r"))
			r.buf = r.buf[i+1:]
			return line, nil
		}
		if len(r.buf) > limit {
			return nil, fmt.Errorf("line of more than %d bytes, beginning '%s'", limit, clip(r.buf))
		}
		piece := make([]byte, 4<<10)
		n, err := r.conn.Read(piece)
		r.buf = append(r.buf, piece[:n]...)
		if err != nil && n == 0 {
			return nil, err
		}
	}
}

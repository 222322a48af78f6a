package nats

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"
)

// errNotWebSocket means that the answer to the upgrade was none.
var errNotWebSocket = errors.New("invalid websocket connection")

// maxUpgrade bounds the head of the answer to the upgrade, in bytes.
const maxUpgrade = 64 << 10

// isWebSocket says whether a server is spoken to by WebSocket.
func isWebSocket(u *url.URL) bool { return u.Scheme == "ws" || u.Scheme == "wss" }

// upgrade makes a WebSocket of the socket: first TLS if it is asked for, then the
// request over HTTP/1.1. What the server's INFO says of TLS means nothing then.
func (c *connector) upgrade(s *session, u *url.URL) error {
	o := &c.opts
	if u.Scheme == "wss" || o.Secure || o.TLSConfig != nil || o.TLSCertCB != nil || o.RootCAsCB != nil {
		if err := c.secure(s, u); err != nil {
			return err
		}
	}
	steady := &tlsSocket{Conn: s.conn, resume: resumable(s.conn)}
	var below net.Conn = steady
	if t, ok := s.conn.(*secureConn); ok {
		below, steady = t, t.socket
	}
	socket := newWSSocket(below)
	ws, err := c.requestUpgrade(socket, u)
	if err != nil {
		return &connectError{s.name, stepUpgrade, s.tlsCause(err)}
	}
	socket.framed = true
	ws.SetReadLimit(-1) // messages are not kept: see wsConn.Read
	s.conn = &wsConn{wsSocket: socket, ws: ws, steady: steady}
	return nil
}

// requestUpgrade sends the request and checks the answer. The handshake's deadline
// bounds the time, maxUpgrade the memory. A redirection is not followed.
func (c *connector) requestUpgrade(socket *wsSocket, u *url.URL) (*websocket.Conn, error) {
	header, err := c.upgradeHeader()
	if err != nil {
		return nil, err
	}
	once := socket
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			if once == nil {
				return nil, net.ErrClosed
			}
			conn := once
			once = nil
			return conn, nil
		},
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxUpgrade,
	}
	defer transport.CloseIdleConnections()
	options := &websocket.DialOptions{
		HTTPClient: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		HTTPHeader: header,
		Host:       header.Get("Host"),
		OnPingReceived: func(_ context.Context, payload []byte) bool {
			socket.pong(payload)
			return false // that was the answer
		},
	}
	if c.opts.Compression {
		options.CompressionMode = websocket.CompressionNoContextTakeover
	}
	ws, answer, err := websocket.Dial(context.Background(), c.upgradeURL(u), options)
	if err != nil {
		return nil, upgradeError(err, answer, socket)
	}
	return ws, nil
}

// upgradeURL is what is asked for. TLS, if any, is there already, and credentials are
// for the server behind.
func (c *connector) upgradeURL(u *url.URL) string {
	target := url.URL{Scheme: "http", Host: u.Host, Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	if p := c.opts.ProxyPath; p != "" {
		target.Path, target.RawPath = "/"+strings.TrimPrefix(p, "/"), ""
	}
	return target.String()
}

// upgradeHeader is what the program adds to the request, asked anew for each attempt.
func (c *connector) upgradeHeader() (http.Header, error) {
	if c.opts.WebSocketConnectionHeadersHandler == nil {
		return c.opts.WebSocketConnectionHeaders.Clone(), nil
	}
	h, err := c.opts.WebSocketConnectionHeadersHandler()
	return h.Clone(), err
}

// upgradeError says what was wrong, without the request, which may carry secrets.
func upgradeError(err error, answer *http.Response, socket *wsSocket) error {
	cause := socket.cause(&socket.readErr)
	var request *url.Error
	switch {
	case answer != nil && answer.StatusCode != http.StatusSwitchingProtocols:
		return fmt.Errorf("%w: the server answered %d %s", errNotWebSocket, answer.StatusCode, http.StatusText(answer.StatusCode))
	case answer != nil: // what is wrong with it is in err
	case cause != nil && !errors.Is(cause, net.ErrClosed):
		return cause
	case errors.As(err, &request):
		err = request.Err
	}
	return fmt.Errorf("%w: %w", errNotWebSocket, shortError{err})
}

package nats

import (
	"errors"
	"net/http"
)

// WebSocketHeadersHandler returns the headers of the HTTP request with which a
// WebSocket connection begins.
type WebSocketHeadersHandler func() (http.Header, error)

// Errors of options and URLs for WebSocket.
var (
	// ErrWebSocketHeadersAlreadySet is returned by Connect for headers and a handler for them at once.
	ErrWebSocketHeadersAlreadySet = errors.New("nats: websocket connection headers already set")
	// ErrMixingWebsocketSchemes is returned by Connect and SetServerPool for a list
	// in which some servers are spoken to by WebSocket and others are not.
	ErrMixingWebsocketSchemes = errors.New("nats: mixing of websocket and non websocket URLs is not allowed")
)

// Compression offers a WebSocket server to compress (permessage-deflate, each message
// by itself); without this option, and where the server does not take it up, nothing
// is. Writes of less than 512 bytes are sent as they are. A connection that
// compresses needs about 1.2 MB while it does. It changes nothing for other connections.
func Compression(enabled bool) Option {
	return set(func(o *Options) { o.Compression = enabled })
}

// ProxyPath is the path that is asked for on every WebSocket server, those included
// that a server tells of, instead of that of its URL: for a proxy that tells by the
// path what is behind it. A "/" in front may be left out. It changes nothing for other
// connections.
func ProxyPath(path string) Option {
	return set(func(o *Options) { o.ProxyPath = path })
}

// WebSocketConnectionHeaders adds headers to the HTTP request with which a WebSocket
// connection begins; "Host" replaces that of the URL.
//
// Error of Connect: ErrWebSocketHeadersAlreadySet if there is a handler for them.
func WebSocketConnectionHeaders(headers http.Header) Option {
	return func(o *Options) error {
		if o.WebSocketConnectionHeadersHandler != nil {
			return ErrWebSocketHeadersAlreadySet
		}
		o.WebSocketConnectionHeaders = headers
		return nil
	}
}

// WebSocketConnectionHeadersHandler asks cb for the headers for each attempt to
// connect, on the goroutine that connects and under no lock. Its error fails the
// attempt.
//
// Error of Connect: ErrWebSocketHeadersAlreadySet if there are fixed headers.
func WebSocketConnectionHeadersHandler(cb WebSocketHeadersHandler) Option {
	return func(o *Options) error {
		if len(o.WebSocketConnectionHeaders) != 0 {
			return ErrWebSocketHeadersAlreadySet
		}
		o.WebSocketConnectionHeadersHandler = cb
		return nil
	}
}

package nats

import (
	"sync/atomic"
	"time"
)

// Statistics counts what went through a connection.
type Statistics struct {
	// InMsgs is the number of messages received, dropped ones included.
	InMsgs uint64
	// OutMsgs is the number of messages taken by Publish, buffered ones included.
	OutMsgs uint64
	// InBytes counts header and data bytes of InMsgs.
	InBytes uint64
	// OutBytes counts header and data bytes of OutMsgs.
	OutBytes uint64
	// Reconnects is how many attempts to reconnect have reached a server.
	Reconnects uint64
}

// Stats returns a copy of the connection's statistics. It answers at once in
// every state.
func (nc *Conn) Stats() Statistics {
	st := Statistics{
		InMsgs:  atomic.LoadUint64(&nc.InMsgs),
		InBytes: atomic.LoadUint64(&nc.InBytes),
	}
	st.OutMsgs, st.OutBytes = nc.out.accepted()
	nc.mu.Lock()
	defer nc.mu.Unlock()
	st.Reconnects = nc.Reconnects
	return st
}

// LastError returns the last error that was not returned by a call: why the
// connection was lost or closed, what the server complained of, a failed write.
// It is cleared when a reconnect begins.
func (nc *Conn) LastError() error {
	if nc == nil {
		return ErrInvalidConnection
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.lastErr
}

func (nc *Conn) setLastError(err error) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.lastErr = err
}

// ifConnected returns what f reads, or the zero value if there is no session.
func ifConnected[T any](nc *Conn, f func() T) (v T) {
	if nc == nil {
		return v
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if nc.state.now != CONNECTED || nc.session == nil {
		return v
	}
	return f()
}

// ConnectedUrl returns the URL of the server, credentials included; "" while
// there is none.
func (nc *Conn) ConnectedUrl() string {
	return ifConnected(nc, func() string { return nc.pool.current.url.String() })
}

// ConnectedUrlRedacted is ConnectedUrl with the password, or the token, replaced
// by "xxxxx".
func (nc *Conn) ConnectedUrlRedacted() string {
	return ifConnected(nc, func() string { return redacted(nc.pool.current.url) })
}

// ConnectedAddr returns the server's address as the socket has it; "" while
// there is none.
func (nc *Conn) ConnectedAddr() string {
	return ifConnected(nc, func() string { return nc.session.conn.RemoteAddr().String() })
}

// ConnectedServerId returns the server's id; "" while there is none.
func (nc *Conn) ConnectedServerId() string {
	return ifConnected(nc, func() string { return nc.info.ID })
}

// ConnectedServerName returns the server's name; "" while there is none.
func (nc *Conn) ConnectedServerName() string {
	return ifConnected(nc, func() string { return nc.info.Name })
}

// ConnectedServerVersion returns the server's version; "" while there is none.
func (nc *Conn) ConnectedServerVersion() string {
	return ifConnected(nc, func() string { return nc.info.Version })
}

// ConnectedClusterName returns the name of the server's cluster; "" while there
// is no server.
func (nc *Conn) ConnectedClusterName() string {
	return ifConnected(nc, func() string { return nc.info.Cluster })
}

// MaxPayload is the largest message, header and data, that the last server
// said it takes, in bytes; 0 before there was one.
func (nc *Conn) MaxPayload() int64 { return nc.maxPayload.Load() }

// HeadersSupported reports whether the last server takes headers.
func (nc *Conn) HeadersSupported() bool { return nc.headers.Load() }

// AuthRequired reports whether the last server asks for credentials.
func (nc *Conn) AuthRequired() bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.info.AuthRequired
}

// TLSRequired reports whether the last server insists on TLS.
func (nc *Conn) TLSRequired() bool {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.info.TLSRequired
}

// RTT returns how long the server takes to answer a PING, with the errors of
// Flush, or [ErrDisconnected] while there is no server.
func (nc *Conn) RTT() (time.Duration, error) {
	switch nc.Status() {
	case CLOSED:
		return 0, ErrConnectionClosed
	case RECONNECTING:
		return 0, ErrDisconnected
	}
	start := time.Now()
	if err := nc.Flush(); err != nil {
		return 0, err
	}
	return time.Since(start), nil
}

package nats

import (
	"errors"
	"net"
)

// ServerInfo is what a server tells of itself in an INFO line. Each line replaces
// all of the last.
// Source: https://docs.nats.io/reference/reference-protocols/nats-protocol#info
type ServerInfo struct {
	// ID of the server.
	ID string `json:"server_id"`
	// Name of the server.
	Name string `json:"server_name"`
	// Proto is the version of the client protocol.
	Proto int `json:"proto"`
	// Version of the server.
	Version string `json:"version"`
	// Host it listens on, as it sees it.
	Host string `json:"host"`
	// Port it listens on, as it sees it.
	Port int `json:"port"`
	// Headers: it takes messages with headers.
	Headers bool `json:"headers"`
	// AuthRequired: it asks for credentials.
	AuthRequired bool `json:"auth_required,omitempty"`
	// TLSRequired: it insists on TLS.
	TLSRequired bool `json:"tls_required,omitempty"`
	// TLSAvailable: it can speak TLS.
	TLSAvailable bool `json:"tls_available,omitempty"`
	// MaxPayload is the largest message that it takes, in bytes.
	MaxPayload int64 `json:"max_payload"`
	// CID is its number for this connection.
	CID uint64 `json:"client_id,omitempty"`
	// ClientIP is this connection's address as the server sees it.
	ClientIP string `json:"client_ip,omitempty"`
	// Nonce is to be signed by a client with a key.
	Nonce string `json:"nonce,omitempty"`
	// Cluster is the name of its cluster.
	Cluster string `json:"cluster,omitempty"`
	// Domain is its JetStream domain.
	Domain string `json:"domain,omitempty"`
	// ConnectURLs are the addresses of all servers of the cluster.
	ConnectURLs []string `json:"connect_urls,omitempty"`
	// LameDuckMode: it is about to shut down and will drop its clients.
	LameDuckMode bool `json:"ldm,omitempty"`
	// JetStream: it has JetStream.
	JetStream bool `json:"jetstream,omitempty"`
	// IsSystemAccount: this connection is in the system account.
	IsSystemAccount bool `json:"acc_is_sys,omitempty"`
	// JSApiLevel is the level of its JetStream API.
	JSApiLevel int `json:"api_lvl,omitempty"`
	// RemoteAccount is the account of this connection.
	RemoteAccount string `json:"remote_account,omitempty"`
}

// serverInfo is the name of it inside.
type serverInfo = ServerInfo

// Errors of accessors for what an old server does not tell.
var (
	// ErrClientIDNotSupported is returned by GetClientID if the server gave no number.
	ErrClientIDNotSupported = errors.New("nats: client ID not supported by this server")
	// ErrClientIPNotSupported is returned by GetClientIP if the server told no address.
	ErrClientIPNotSupported = errors.New("nats: client IP not supported by this server")
)

// GetClientID returns the server's number for this connection. It changes with
// each server.
//
// Errors: ErrConnectionClosed, ErrClientIDNotSupported.
func (nc *Conn) GetClientID() (uint64, error) {
	if nc == nil {
		return 0, ErrInvalidConnection
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	switch {
	case nc.state.now == CLOSED:
		return 0, ErrConnectionClosed
	case nc.info.CID == 0:
		return 0, ErrClientIDNotSupported
	}
	return nc.info.CID, nil
}

// GetClientIP returns the address of this connection as the server sees it.
//
// Errors: ErrConnectionClosed, ErrClientIPNotSupported.
func (nc *Conn) GetClientIP() (net.IP, error) {
	if nc == nil {
		return nil, ErrInvalidConnection
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	switch {
	case nc.state.now == CLOSED:
		return nil, ErrConnectionClosed
	case nc.info.ClientIP == "":
		return nil, ErrClientIPNotSupported
	}
	return net.ParseIP(nc.info.ClientIP), nil
}

// LocalAddr returns this end's address of the connection, as "host:port"; ""
// while there is no server.
func (nc *Conn) LocalAddr() string {
	return ifConnected(nc, func() string { return nc.session.conn.LocalAddr().String() })
}

// ConnectedDomain returns the server's JetStream domain; "" while there is no
// server.
func (nc *Conn) ConnectedDomain() string {
	return ifConnected(nc, func() string { return nc.info.Domain })
}

// RemoteAccount returns the account of this connection, where the server tells
// it; "" while there is no server.
func (nc *Conn) RemoteAccount() string {
	return ifConnected(nc, func() string { return nc.info.RemoteAccount })
}

// ConnectedServerJetStream reports whether the server has JetStream, and the level
// of its API; false and 0 while there is no server.
func (nc *Conn) ConnectedServerJetStream() (bool, int) {
	info := ifConnected(nc, func() ServerInfo { return nc.info })
	return info.JetStream, info.JSApiLevel
}

// IsSystemAccount reports whether the connection is in the system account; false
// while there is no server.
func (nc *Conn) IsSystemAccount() bool {
	return ifConnected(nc, func() bool { return nc.info.IsSystemAccount })
}

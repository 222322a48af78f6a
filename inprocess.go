package nats

import (
	"fmt"
	"net"
)

// InProcessConnProvider is a server in the same process, such as the type Server of
// nats-server.
type InProcessConnProvider interface {
	// InProcessConn makes a connection to it.
	InProcessConn() (net.Conn, error)
}

// InProcessServer connects to a server in the same process instead of dialling.
// The URL is still checked, and is what ConnectedUrl returns.
func InProcessServer(server InProcessConnProvider) Option {
	return set(func(o *Options) { o.InProcessServer = server })
}

func dialInProcess(p InProcessConnProvider) (net.Conn, error) {
	conn, err := p.InProcessConn()
	if err != nil {
		return nil, fmt.Errorf("failed to get in-process connection: %w", err)
	}
	return conn, nil
}

// MultipathTCP turns multipath TCP on or off for connections that a net.Dialer
// makes; without this option it is as Go has it. Where the system does not have it
// the connection is plain TCP. A CustomDialer decides for itself.
func MultipathTCP(enabled bool) Option {
	return set(func(o *Options) { o.AllowMultipathTCP = &enabled })
}

//go:build !linux

package testserver

import (
	"net"
	"strconv"
)

// holdSharesPort says that a held port must be released before a server can
// listen on it. From then on it is only likely, not certain, that it stays
// free while the server is stopped.
const holdSharesPort = false

// portHold keeps a port until the first start by listening on it.
type portHold struct {
	port int
	l    net.Listener
}

// holdPort holds port, or a free one if it is 0.
func holdPort(host string, port int) (portHold, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return portHold{}, err
	}
	return portHold{port: l.Addr().(*net.TCPAddr).Port, l: l}, nil
}

func (h portHold) release() { _ = h.l.Close() }

package testserver

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ports are the ports one server listens on, fixed before its first start.
type ports struct {
	addrs []listenAddr
	holds []portHold
}

type listenAddr struct {
	host string
	port int
}

// pin gives every listener of o a host and a fixed port. A port of -1 stands
// for a free one; so does 0 for clients, while 0 means no such listener for
// all others.
func (p *ports) pin(o *server.Options) error {
	if o.Port == 0 {
		o.Port = server.RANDOM_PORT
	}
	for _, l := range []struct {
		host *string
		port *int
	}{
		{&o.Host, &o.Port},
		{&o.Cluster.Host, &o.Cluster.Port},
		{&o.Gateway.Host, &o.Gateway.Port},
		{&o.LeafNode.Host, &o.LeafNode.Port},
		{&o.Websocket.Host, &o.Websocket.Port},
		{&o.MQTT.Host, &o.MQTT.Port},
		{&o.HTTPHost, &o.HTTPPort},
		{&o.HTTPHost, &o.HTTPSPort},
	} {
		if *l.port == 0 {
			continue
		}
		if *l.host == "" {
			*l.host = loopback
		}
		if err := p.take(*l.host, l.port); err != nil {
			return err
		}
	}
	return nil
}

// take holds *port, which it chooses first if it is -1.
func (p *ports) take(host string, port *int) error {
	if *port == server.RANDOM_PORT {
		hold, err := holdPort(host, 0)
		if err != nil {
			return fmt.Errorf("no free port on %s: %w", host, err)
		}
		p.holds = append(p.holds, hold)
		*port = hold.port
	} else if hold, err := holdPort(host, *port); err == nil {
		p.holds = append(p.holds, hold) // otherwise the start will wait for it
	}
	p.addrs = append(p.addrs, listenAddr{host, *port})
	return nil
}

// listening is every port the server listens on.
func (p *ports) listening() []int {
	all := make([]int, len(p.addrs))
	for i, a := range p.addrs {
		all[i] = a.port
	}
	return all
}

// makeWay is called before each start.
func (p *ports) makeWay() {
	if !holdSharesPort {
		p.release()
	}
}

// release gives up the holds.
func (p *ports) release() {
	for _, h := range p.holds {
		h.release()
	}
	p.holds = nil
}

// waitFree waits until nobody listens on any of the ports, false after the
// deadline.
func (p *ports) waitFree(deadline time.Time) bool {
	for _, a := range p.addrs {
		for !a.free() {
			if time.Now().After(deadline) {
				return false
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return !time.Now().After(deadline)
}

// free tells whether one could listen on a just now.
func (a listenAddr) free() bool {
	l, err := net.Listen("tcp", net.JoinHostPort(a.host, strconv.Itoa(a.port)))
	if err != nil {
		return !addrInUse(err)
	}
	_ = l.Close()
	return true
}

// addrInUse tells whether err is about a port that is taken.
func addrInUse(err error) bool {
	const wsaAddrInUse = syscall.Errno(10048) // Windows; no other system has it
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, wsaAddrInUse)
}

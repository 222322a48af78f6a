package demo

import (
	"errors"
	"net/url"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// Unsteady is a server that can be down for a while. What goes down is the way to
// it, a proxy in this process, so that a server of the user's can be used too: a
// single one, for a cluster would tell clients of ways around the proxy.
type Unsteady struct {
	*Server
	// Link is the proxy, for faults other than Down.
	Link *faultproxy.Proxy
	url  string
}

// StartUnsteady is Start, with outages.
func StartUnsteady(opts ...testserver.Option) (*Unsteady, error) {
	s, err := Start(opts...)
	if err != nil {
		return nil, err
	}
	u, err := s.behindProxy()
	if err != nil {
		s.Close()
	}
	return u, err
}

func (s *Server) behindProxy() (*Unsteady, error) {
	to, err := url.Parse(s.url)
	if err != nil {
		return nil, err
	}
	if to.Scheme != "nats" || to.Port() == "" {
		return nil, errors.New("-url must be like nats://host:4222 here: this page interrupts the connection to it")
	}
	link, err := faultproxy.New(to.Host)
	if err != nil {
		return nil, err
	}
	to.Host = link.Addr()
	return &Unsteady{Server: s, Link: link, url: to.String()}, nil
}

// URL leads to the server while it is up. [Server.URL] always does.
func (u *Unsteady) URL() string { return u.url }

// Down ends all connections, behind what is under way on them, and refuses new ones.
// It waits until those that it is given have noticed.
func (u *Unsteady) Down(watch ...*nats.Conn) {
	var noticed []chan nats.Status
	for _, nc := range watch {
		noticed = append(noticed, nc.StatusChanged(nats.RECONNECTING, nats.CLOSED))
	}
	_ = u.Link.SetAccept(faultproxy.Refuse) // fails only if the proxy is closed
	u.Link.Live().Cut(faultproxy.FIN)
	for i, nc := range watch {
		<-noticed[i]
		nc.RemoveStatusListener(noticed[i])
	}
}

// Up lets clients connect again.
func (u *Unsteady) Up() error { return u.Link.SetAccept(faultproxy.Relay) }

// Close ends the proxy and the server.
func (u *Unsteady) Close() {
	u.Link.Close()
	u.Server.Close()
}

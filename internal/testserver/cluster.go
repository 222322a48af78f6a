package testserver

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// ClusterName is the name of the cluster that NewCluster makes.
const ClusterName = "testcluster"

// Cluster is a number of servers with routes between each two of them. Each
// can be stopped, killed and started by itself; WaitFormed then waits for the
// routes.
type Cluster struct {
	// Servers do not change their order or their ports. They are named
	// "s0", "s1" and so on.
	Servers []*Server

	limit time.Duration // for WaitFormed
}

// NewCluster starts n servers with the same configuration and returns when
// [Cluster.WaitFormed] is satisfied. Config.Port must be 0, and with JetStream
// StoreDir must not be set: each server gets its own.
func NewCluster(n int, cfg Config) (*Cluster, error) {
	if n < 1 || cfg.Port != 0 {
		return nil, errors.New("testserver: a cluster needs one server or more, on free ports")
	}
	c := new(Cluster)
	if err := c.start(n, cfg); err != nil {
		_ = c.Close() // the first error is the one that matters
		return nil, err
	}
	return c, nil
}

// RunCluster starts a cluster for a test and closes it when the test ends.
func RunCluster(t TB, n int, opts ...Option) *Cluster {
	t.Helper()
	c, err := NewCluster(n, Config{Options: opts})
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	closeWith(t, c)
	return c
}

func (c *Cluster) start(n int, cfg Config) error {
	for i := range n {
		cfg := cfg
		cfg.Options = slices.Concat([]Option{clusterMember(i)}, cfg.Options)
		s, err := prepare(cfg)
		if err != nil {
			return err
		}
		c.Servers = append(c.Servers, s)
		c.limit = s.limit
	}
	// The first of two servers to start fails to call the other and would try
	// again a second later, but the other calls it before that.
	for i, s := range c.Servers {
		s.opts.Routes = routesTo(slices.Concat(c.Servers[:i], c.Servers[i+1:]))
	}
	for _, s := range c.Servers {
		if err := s.Start(); err != nil {
			return err
		}
	}
	return c.WaitFormed()
}

// clusterMember makes a server the i-th of a cluster.
func clusterMember(i int) Option {
	return func(o *server.Options) {
		o.ServerName = "s" + strconv.Itoa(i)
		o.Cluster.Name = ClusterName
		o.Cluster.Host = loopback
		o.Cluster.Port = server.RANDOM_PORT
	}
}

func routesTo(servers []*Server) []*url.URL {
	var routes []*url.URL
	for _, s := range servers {
		addr := net.JoinHostPort(s.opts.Cluster.Host, strconv.Itoa(s.opts.Cluster.Port))
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: addr})
	}
	return routes
}

// URLs are the client URLs of all servers, running or not.
func (c *Cluster) URLs() []string {
	urls := make([]string, len(c.Servers))
	for i, s := range c.Servers {
		urls[i] = s.URL()
	}
	return urls
}

// URL is URLs joined with commas.
func (c *Cluster) URL() string { return strings.Join(c.URLs(), ",") }

// WaitFormed waits until each running server has routes to all other running
// ones and tells its clients their addresses, and with JetStream until there
// is a leader that all of them follow, which takes a majority of all servers.
// It waits for at most [Config.StartTimeout]; the error says what was missing.
func (c *Cluster) WaitFormed() error {
	deadline := time.Now().Add(c.limit)
	for {
		missing := c.missing()
		if missing == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("testserver: cluster not formed: %w", missing)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// missing says what WaitFormed has to wait for, nil if nothing.
func (c *Cluster) missing() error {
	var up []*Server
	for _, s := range c.Servers {
		if s.Running() {
			up = append(up, s)
		}
	}
	for _, s := range up {
		srv := s.Server()
		if srv == nil {
			return errors.New("a server stopped meanwhile")
		}
		if n := srv.NumRemotes(); n != len(up)-1 {
			return fmt.Errorf("%s sees %d of %d others", srv.Name(), n, len(up)-1)
		}
		if err := knows(srv, up); err != nil {
			return err
		}
	}
	return leaderless(up)
}

// knows checks that srv tells its clients the addresses of all of up.
func knows(srv *server.Server, up []*Server) error {
	vars, err := srv.Varz(nil)
	if err != nil {
		return err
	}
	for _, s := range up {
		if !slices.Contains(vars.ClientConnectURLs, s.Addr()) {
			return fmt.Errorf("%s does not announce %s to its clients", srv.Name(), s.Addr())
		}
	}
	return nil
}

// leaderless says what keeps JetStream, if it is on, from placing a stream on
// any of up: the leader has to have heard of each server itself and to see it
// follow.
func leaderless(up []*Server) error {
	var leader *server.Server
	for _, s := range up {
		srv := s.Server()
		switch {
		case srv == nil:
			return errors.New("a server stopped meanwhile")
		case !srv.JetStreamEnabled():
			return nil
		case !srv.JetStreamIsCurrent():
			return fmt.Errorf("%s does not follow a JetStream leader", srv.Name())
		case srv.JetStreamIsLeader():
			leader = srv
		}
	}
	if len(up) == 0 {
		return nil
	}
	if leader == nil {
		return errors.New("no JetStream leader")
	}
	for _, s := range up {
		if name := s.opts.ServerName; name != leader.Name() && !follows(leader, name) {
			return fmt.Errorf("the JetStream leader misses %s", name)
		}
	}
	if n := leader.TrackedRemoteServers(); n < len(up)-1 {
		return fmt.Errorf("the JetStream leader has heard of %d others", n)
	}
	return nil
}

// follows tells whether leader sees the named server follow it.
func follows(leader *server.Server, name string) bool {
	info, err := leader.Jsz(nil)
	if err != nil || info.Meta == nil {
		return false
	}
	return slices.ContainsFunc(info.Meta.Replicas, func(p *server.PeerInfo) bool {
		return p.Name == name && p.Current && !p.Offline
	})
}

// Stop stops all servers in order; each can be started again.
func (c *Cluster) Stop() {
	for _, s := range c.Servers {
		s.Stop()
	}
}

// Close closes all servers; see [Server.Close].
func (c *Cluster) Close() error {
	var errs []error
	for _, s := range c.Servers {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

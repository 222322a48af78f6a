package nats

import (
	"net/url"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// A client that was given one server of a cluster knows all of them, and goes from one
// to the next while one is left; its subscriptions go with it.
func TestClusterRotation(t *testing.T) {
	t.Parallel()
	c := testserver.RunCluster(t, 3)
	nc := connectTo(t, c.Servers[0].URL(), append(fast(), quiet())...)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.ElementsMatch(t, c.URLs(), nc.Servers())
	require.ElementsMatch(t, c.URLs()[1:], nc.DiscoveredServers())
	for alive := 3; alive > 1; alive-- {
		from := nc.ConnectedUrl()
		for _, s := range c.Servers {
			if s.URL() == from {
				s.Kill()
			}
		}
		require.NoError(t, nc.Publish("foo", []byte(from)))
		soon(t, func() bool { return nc.IsConnected() && nc.ConnectedUrl() != from }, "no other server")
		wantOnly(t, sub, from)
	}
	require.EqualValues(t, 0, nc.BufferStats().Msgs)
}

// Servers join and leave: the pool follows, and the program is told of new ones only.
func TestClusterMembersJoinAndLeave(t *testing.T) {
	t.Parallel()
	c := testserver.RunCluster(t, 3)
	third := c.Servers[2]
	third.Stop()
	require.NoError(t, c.WaitFormed())
	told, onTold := connEvents()
	nc := connectTo(t, c.Servers[0].URL(), DiscoveredServersHandler(onTold))
	soon(t, func() bool { return len(nc.Servers()) == 2 }, "the pool is not that of two")
	require.Empty(t, told)
	require.NoError(t, third.Start())
	require.Same(t, nc, got(t, told, "event of the new server"))
	soon(t, func() bool { return len(nc.DiscoveredServers()) == 2 }, "the new server is not in the pool")
	third.Stop()
	soon(t, func() bool { return len(nc.DiscoveredServers()) == 1 }, "the server that left is in the pool")
	require.NoError(t, third.Start())
	soon(t, func() bool { return len(nc.DiscoveredServers()) == 2 }, "the server that came back is not in the pool")
	third.LameDuck()
	soon(t, func() bool { return len(nc.DiscoveredServers()) == 1 }, "the lame duck is in the pool")
	require.Empty(t, told, "it had been there before")
	require.Equal(t, c.Servers[0].URL(), nc.ConnectedUrl())
	require.Zero(t, nc.Stats().Reconnects)
}

// The route between the two halves of a cluster is cut: the clients stay where they are
// and are told nothing but that the other half is no server to go to; a flush says no
// more than that the own server has everything. When the route is back so is the rest,
// without a reconnect.
func TestClusterRouteIsCut(t *testing.T) {
	t.Parallel()
	member := func(name string, routes ...*url.URL) *testserver.Server {
		return testserver.Run(t, func(o *natsd.Options) {
			o.ServerName, o.Cluster.Name, o.Cluster.Host, o.Cluster.Port = name, "halves", "127.0.0.1", natsd.RANDOM_PORT
			o.Routes = routes
		})
	}
	right := member("right")
	route := faultproxy.Run(t, right.Server().ClusterAddr().String())
	left := member("left", &url.URL{Scheme: "nats-route", Host: route.Addr()})

	lost, onLost := lossEvents()
	told, onTold := connEvents()
	at := func(s *testserver.Server) (*Conn, *Subscription) {
		nc := connectTo(t, s.URL(), onLost, DiscoveredServersHandler(onTold))
		sub, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		require.NoError(t, nc.Flush())
		return nc, sub
	}
	a, subA := at(left)
	b, subB := at(right)
	whole := func() bool { return len(a.Servers()) == 2 && len(b.Servers()) == 2 }
	soon(t, whole, "no cluster")
	reaches(t, a, subB)
	reaches(t, b, subA)

	require.NoError(t, route.SetAccept(faultproxy.Refuse))
	route.Live().Cut(faultproxy.RST)
	soon(t, func() bool { return len(a.Servers()) == 1 && len(b.Servers()) == 1 }, "the other half is still in the pool")
	require.NoError(t, a.Publish("foo", []byte("left")))
	require.NoError(t, b.Publish("foo", []byte("right")))
	require.NoError(t, a.Flush())
	require.NoError(t, b.Flush())
	for half, sub := range map[string]*Subscription{"left": subA, "right": subB} {
		m, err := nextBut(sub, patience)
		require.NoError(t, err)
		require.Equal(t, half, string(m.Data))
		_, err = nextBut(sub, 50*time.Millisecond)
		require.ErrorIs(t, err, ErrTimeout)
	}

	for len(told) > 0 {
		<-told
	}
	require.NoError(t, route.SetAccept(faultproxy.Relay))
	soon(t, whole, "the cluster is not whole again")
	reaches(t, a, subB)
	reaches(t, b, subA)
	for _, nc := range []*Conn{a, b} {
		require.True(t, nc.IsConnected())
		require.Zero(t, nc.Stats().Reconnects)
		require.Zero(t, nc.BufferStats().InDoubt)
	}
	require.Empty(t, lost)
	require.Empty(t, told, "the servers were known")
}

// In order all clients are at the first server, and after it at the second; else they
// are everywhere.
func TestClusterPoolOrder(t *testing.T) {
	t.Parallel()
	const clients = 60
	c := testserver.RunCluster(t, 3)
	var conns []*Conn
	for range clients {
		connectTo(t, c.URL())
		conns = append(conns, connectTo(t, c.URL(), append(fast(), quiet(), DontRandomize())...))
	}
	for _, s := range c.Servers[1:] {
		assert.Positive(t, s.NumClients(), "nobody chose %s", s.URL())
	}
	assert.Greater(t, c.Servers[0].NumClients(), clients, "nobody chose the first")
	for _, nc := range conns {
		require.Equal(t, c.Servers[0].URL(), nc.ConnectedUrl())
	}
	c.Servers[0].Kill()
	for _, nc := range conns {
		soon(t, func() bool { return nc.IsConnected() && nc.ConnectedUrl() == c.Servers[1].URL() }, "not at the second")
	}
}

// Each server has a count of its own, which a success sets back: one that does not
// answer leaves the pool after MaxReconnects attempts, however many outages they were in.
func TestServersLeaveThePoolAfterTheirAttempts(t *testing.T) {
	t.Parallel()
	up, down, away := testserver.Run(t), testserver.Run(t), testserver.Run(t)
	down.Stop()
	away.Stop()
	back, onBack := connEvents()
	nc := connectTo(t, up.URL()+","+down.URL()+","+away.URL(),
		append(fast(), DontRandomize(), MaxReconnects(2), ReconnectHandler(onBack))...)
	counts := func() map[string]int {
		m := make(map[string]int)
		for _, s := range nc.ServerPool() {
			m[s.URL.String()] = s.Reconnects
		}
		return m
	}
	require.Equal(t, map[string]int{up.URL(): 0, down.URL(): 0, away.URL(): 0}, counts())
	up.CutClients()
	got(t, back, "reconnect")
	require.Equal(t, map[string]int{up.URL(): 0, down.URL(): 1, away.URL(): 1}, counts())
	up.CutClients()
	got(t, back, "reconnect")
	require.Equal(t, map[string]int{up.URL(): 0}, counts())
	for range 5 {
		up.CutClients()
		got(t, back, "reconnect")
	}
	require.Equal(t, map[string]int{up.URL(): 0}, counts())
}

// One server of the pool does not know the user: the client goes on to the next, and is
// closed when that server, and no other one, has refused it in the same way twice.
func TestServersThatKnowOtherUsers(t *testing.T) {
	t.Parallel()
	knows := func(password string) *testserver.Server {
		return testserver.Run(t, func(o *natsd.Options) { o.Username, o.Password = "joe", password })
	}
	first, stranger, third := knows("S3CRET"), knows("other"), knows("S3CRET")
	errs, onErr := errEvents()
	back, onBack := connEvents()
	closed, onClosed := connEvents()
	nc := connectTo(t, first.URL()+","+stranger.URL()+","+third.URL(), append(fast(), DontRandomize(), UserInfo("joe", "S3CRET"),
		onErr, ReconnectHandler(onBack), ClosedHandler(onClosed))...)
	first.Kill()
	got(t, back, "reconnect")
	require.Equal(t, third.URL(), nc.ConnectedUrl())
	require.ErrorIs(t, got(t, errs, "refusal"), ErrAuthorization)
	require.Empty(t, errs)
	require.NoError(t, nc.Publish("foo", nil))
	require.NoError(t, nc.Flush())

	third.Kill()
	require.Same(t, nc, got(t, closed, "close"))
	require.ErrorIs(t, nc.LastError(), ErrAuthorization)
}

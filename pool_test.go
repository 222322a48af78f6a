package nats

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

func poolURLs(pool []Server) []string {
	var list []string
	for _, s := range pool {
		list = append(list, s.URL.String())
	}
	return list
}

// What ServerPool returns is the program's own.
func TestServerPoolIsACopy(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	withUser := strings.Replace(s.URL(), "//", "//u:p@", 1)
	nc := connectTo(t, withUser+",nats://127.0.0.1:1", DontRandomize())
	pool := nc.ServerPool()
	require.Equal(t, []string{withUser, "nats://127.0.0.1:1"}, poolURLs(pool))
	require.Equal(t, []int{0, 0}, []int{pool[0].Reconnects, pool[1].Reconnects})
	pool[0].URL.Host = "changed"
	*pool[0].URL.User = *url.User("changed")
	pool[1].Reconnects = 99
	require.Equal(t, []string{withUser, "nats://127.0.0.1:1"}, poolURLs(nc.ServerPool()))
	require.Zero(t, nc.ServerPool()[1].Reconnects)
}

// A new pool holds from the next attempt on; what was in the old one keeps its history.
func TestSetServerPool(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	first, second := testserver.Run(t), testserver.Run(t)
	nc := connectTo(t, first.URL()+",nats://127.0.0.1:1",
		append(fast(), DontRandomize(), onLost, ReconnectHandler(onBack))...)
	nc.mu.Lock()
	nc.pool.list[1].reconnects = 7
	nc.pool.list[1].lastAuthErr = ErrAuthorization
	nc.mu.Unlock()
	require.Error(t, nc.SetServerPool([]string{second.URL(), "nats://[bad"}))
	require.Len(t, nc.Servers(), 2, "a pool with an error changes nothing")
	require.NoError(t, nc.SetServerPool([]string{second.URL(), "nats://127.0.0.1:1"}))
	require.Equal(t, []string{second.URL(), "nats://127.0.0.1:1"}, poolURLs(nc.ServerPool()))
	require.Equal(t, 7, nc.ServerPool()[1].Reconnects)
	nc.mu.Lock()
	require.Equal(t, ErrAuthorization, nc.pool.list[1].lastAuthErr)
	nc.mu.Unlock()
	require.Empty(t, nc.DiscoveredServers())
	require.Equal(t, first.URL(), nc.ConnectedUrl(), "the connection stays")
	require.NoError(t, nc.FlushTimeout(patience))
	first.Stop()
	got(t, lost, "loss")
	got(t, back, "reconnect")
	require.Equal(t, second.URL(), nc.ConnectedUrl())
	nc.Close()
	require.ErrorIs(t, nc.SetServerPool(nil), ErrConnectionClosed)
}

// A server that is in both pools stays the current one.
func TestSetServerPoolKeepsTheCurrentServer(t *testing.T) {
	t.Parallel()
	back, onBack := connEvents()
	first, second := testserver.Run(t), testserver.Run(t)
	nc := connectTo(t, first.URL(), append(fast(), ReconnectHandler(onBack))...)
	require.NoError(t, nc.SetServerPool([]string{first.URL(), second.URL()}))
	require.NoError(t, nc.ForceReconnect())
	got(t, back, "reconnect")
	require.Equal(t, second.URL(), nc.ConnectedUrl(), "the current one is the last to be tried")
}

func TestEmptyServerPoolEndsTheConnection(t *testing.T) {
	t.Parallel()
	closed, onClosed := connEvents()
	s, nc := connect(t, append(fast(), ClosedHandler(onClosed))...)
	require.NoError(t, nc.SetServerPool(nil))
	require.Empty(t, nc.ServerPool())
	require.NoError(t, nc.FlushTimeout(patience))
	s.Stop()
	got(t, closed, "close")
	require.Equal(t, ErrNoServers, nc.LastError())
}

// The handler is asked once for each attempt, with copies of the pool; its delay is the
// only one.
func TestReconnectToServerChooses(t *testing.T) {
	t.Parallel()
	first, second := testserver.Run(t), testserver.Run(t)
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	failed := make(chan error, 100)
	asked := make(chan []Server, 100)
	infos := make(chan ServerInfo, 100)
	nc := connectTo(t, strings.Join([]string{first.URL(), second.URL(), "nats://127.0.0.1:1"}, ","),
		DontRandomize(), onLost, ReconnectHandler(onBack), ReconnectWait(time.Hour), MaxReconnects(10),
		ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }),
		ReconnectToServer(func(pool []Server, info ServerInfo) (*Server, time.Duration) {
			asked <- pool
			infos <- info
			if len(asked) <= 2 {
				return &pool[2], time.Millisecond // nobody is there
			}
			pool[1].Reconnects = 1000
			return &pool[1], 0
		}))
	id := nc.ConnectedServerId()
	first.Stop()
	got(t, lost, "loss")
	got(t, back, "reconnect")
	require.Equal(t, second.URL(), nc.ConnectedUrl())
	require.Len(t, asked, 3)
	require.Len(t, failed, 2)
	require.Equal(t, id, got(t, infos, "info").ID)
	for want := range 3 {
		pool := got(t, asked, "pool")
		require.Len(t, pool, 3)
		require.Equal(t, want, pool[2].Reconnects)
	}
	require.Zero(t, nc.ServerPool()[1].Reconnects)
}

// A server that is not in the pool is reported; nil is not. Both leave it to the library.
func TestReconnectToServerWithoutAChoice(t *testing.T) {
	t.Parallel()
	elsewhere, err := url.Parse("nats://127.0.0.1:2")
	require.NoError(t, err)
	for name, choice := range map[string]*Server{
		"not in the pool": {URL: elsewhere}, "nil": nil, "no URL": {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			back, onBack := connEvents()
			failed := make(chan error, 10)
			s, nc := connect(t, append(fast(), ReconnectHandler(onBack),
				ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }),
				ReconnectToServer(func([]Server, ServerInfo) (*Server, time.Duration) {
					return choice, time.Hour
				}))...)
			require.Equal(t, 1, s.CutClients())
			got(t, back, "reconnect")
			require.NoError(t, nc.FlushTimeout(patience))
			if name != "not in the pool" {
				require.Empty(t, failed)
				return
			}
			require.Equal(t, ErrServerNotInPool, got(t, failed, "error"))
			require.Empty(t, failed)
		})
	}
}

// The handler may call the connection: no lock is held.
func TestReconnectToServerMayCallTheConnection(t *testing.T) {
	t.Parallel()
	back, onBack := connEvents()
	seen := make(chan int, 10)
	conn := make(chan *Conn, 1)
	s, nc := connect(t, append(fast(), ReconnectHandler(onBack),
		ReconnectToServer(func([]Server, ServerInfo) (*Server, time.Duration) {
			nc := <-conn
			defer func() { conn <- nc }()
			seen <- len(nc.ServerPool()) + len(nc.Servers())
			if err := nc.SetServerPool(poolURLs(nc.ServerPool())); err != nil {
				t.Error(err)
			}
			return nil, 0
		}))...)
	conn <- nc
	require.Equal(t, 1, s.CutClients())
	got(t, back, "reconnect")
	require.Equal(t, 2, got(t, seen, "call"))
}

// Servers that were tried as often as they may are not shown; without any left the
// connection is closed.
func TestReconnectToServerEndsWithThePool(t *testing.T) {
	t.Parallel()
	closed, onClosed := connEvents()
	asked := make(chan []Server, 100)
	s, nc := connect(t, ClosedHandler(onClosed), MaxReconnects(2),
		ReconnectToServer(func(pool []Server, _ ServerInfo) (*Server, time.Duration) {
			asked <- pool
			return &pool[0], 0
		}))
	s.Stop()
	got(t, closed, "close")
	require.Equal(t, ErrNoServers, nc.LastError())
	require.Len(t, asked, 2)
}

// ForceReconnect cuts the handler's delay short.
func TestReconnectToServerDelayCanBeCut(t *testing.T) {
	t.Parallel()
	back, onBack := connEvents()
	s, nc := connect(t, ReconnectHandler(onBack),
		ReconnectToServer(func(pool []Server, _ ServerInfo) (*Server, time.Duration) {
			return &pool[0], time.Hour
		}))
	require.Equal(t, 1, s.CutClients())
	soon(t, func() bool { nc.mu.Lock(); defer nc.mu.Unlock(); return nc.pause != nil }, "pause")
	require.NoError(t, nc.ForceReconnect())
	got(t, back, "reconnect")
}

package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

func connect(t *testing.T, url string, opts ...nats.Option) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(url, append(opts, nats.Timeout(20*time.Second))...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

func TestStart(t *testing.T) {
	t.Parallel()
	s, err := Start()
	require.NoError(t, err)
	require.NoError(t, connect(t, s.URL()).Flush())
	s.Close()
	_, err = nats.Connect(s.URL())
	require.ErrorIs(t, err, nats.ErrNoServers, "it is closed")

	s, err = Start(testserver.Websocket())
	require.NoError(t, err)
	defer s.Close()
	assert.Contains(t, s.URL(), "ws://")
	require.NoError(t, connect(t, s.URL()).Flush())
}

// A server of the user's keeps its credentials, and goes on when the page is over.
func TestUsersServer(t *testing.T) {
	t.Parallel()
	own := testserver.RunConfig(t, `authorization { user: me, password: secret }`)
	s := &Server{url: "nats://me:secret@" + own.Addr()}
	u, err := s.behindProxy()
	require.NoError(t, err)
	assert.NotEqual(t, s.URL(), u.URL())
	require.NoError(t, connect(t, u.URL()).Flush())
	u.Close()
	require.NoError(t, connect(t, s.URL()).Flush())
}

func TestUsersServerThatCannotBeInterrupted(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"tls://a:4222", "ws://a:80", "nats://a", "a:4222", "nats://a:x"} {
		_, err := (&Server{url: url}).behindProxy()
		require.Error(t, err, url)
	}
}

func TestUnsteady(t *testing.T) {
	t.Parallel()
	u, err := StartUnsteady()
	require.NoError(t, err)
	defer u.Close()
	direct := connect(t, u.Server.URL())
	nc := connect(t, u.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	for range 2 {
		u.Down(nc)
		assert.True(t, nc.IsReconnecting())
		_, err = nats.Connect(u.URL())
		require.ErrorIs(t, err, nats.ErrNoServers)
		require.NoError(t, u.Up())
		require.NoError(t, nc.FlushTimeout(20*time.Second))
	}
	require.NoError(t, direct.Flush())
	assert.Zero(t, direct.Stats().Reconnects, "only the way through the proxy was down")
}

func TestStartConfigured(t *testing.T) {
	t.Parallel()
	s, err := StartConfigured(`authorization { token: t }`)
	require.NoError(t, err)
	defer s.Close()
	_, err = nats.Connect(s.URL())
	require.ErrorIs(t, err, nats.ErrAuthorization)
	require.NoError(t, connect(t, s.URL(), nats.Token("t")).Flush())
}

func TestStartAt(t *testing.T) {
	t.Parallel()
	s, err := StartAt(0) // a free port
	require.NoError(t, err)
	defer s.Close()
	require.NoError(t, connect(t, s.URL()).Flush())
	_, err = StartAt(s.Port())
	require.Error(t, err, "it is in use")
}

func TestLeave(t *testing.T) {
	t.Parallel()
	c, err := StartCluster(2)
	require.NoError(t, err)
	defer c.Close()
	assert.Len(t, connect(t, c.Servers[0].URL()).Servers(), 2)
	require.NoError(t, Leave(c, c.Servers[1]))
	assert.Len(t, connect(t, c.Servers[0].URL()).Servers(), 1)
}

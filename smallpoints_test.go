package nats

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// Compatibility 6.7: what the server says against subscriptions or publishes, or a
// consumer that is slow, is no publisher's error.
func TestPublishDoesNotFailForWhatTheServerSays(t *testing.T) {
	t.Parallel()
	s := testserver.RunConfig(t, `
		authorization { users: [ { user: u, password: p, permissions: { publish: { deny: not }, subscribe: { deny: not } } } ] }
	`)
	errs, onErr := errEvents()
	nc := connectTo(t, s.URL(), UserInfo("u", "p"), onErr)
	require.NoError(t, nc.Publish("not", nil))
	require.ErrorIs(t, got(t, errs, "refusal of a publish"), ErrPermissionViolation)
	_, err := nc.SubscribeSync("not")
	require.NoError(t, err)
	require.ErrorIs(t, got(t, errs, "refusal of a subscription"), ErrPermissionViolation)
	slow, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, slow.SetPendingLimits(1, -1))
	for range 3 {
		require.NoError(t, nc.Publish("foo", nil))
	}
	require.ErrorIs(t, got(t, errs, "slow consumer"), ErrSlowConsumer)
	require.NoError(t, nc.Publish("foo", nil))
	require.NoError(t, nc.Publish("not", nil))
}

// Compatibility 6.17: a PublishRequest subscribes to nothing.
func TestPublishRequestOnlyNamesTheReply(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.PublishRequest("foo", "bar", []byte("x")))
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "bar", m.Reply)
	require.Equal(t, 1, nc.NumSubscriptions())
}

// Compatibility 15.8: every method may be called from any goroutine.
func TestConnectionIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()
	s, nc := connect(t, fast()...)
	var callers sync.WaitGroup
	for _, call := range []func(){
		func() { _ = nc.Publish("foo", []byte("x")) },
		func() { _ = nc.FlushTimeout(patience) },
		func() { _ = nc.Status(); _ = nc.Stats(); _ = nc.BufferStats() },
		func() { _, _ = nc.Buffered(); _ = nc.LastError(); _ = nc.ConnectedUrl() },
		func() {
			if sub, err := nc.Subscribe("foo", func(*Msg) {}); err == nil {
				_ = sub.AutoUnsubscribe(2)
				_ = sub.Unsubscribe()
			}
		},
		func() { _ = nc.Servers(); _ = nc.DiscoveredServers(); _ = nc.NumSubscriptions() },
		func() { nc.SetErrorHandler(nil); nc.PurgeBuffer() },
	} {
		callers.Go(func() { // ends with its calls
			for range 50 {
				call()
			}
		})
	}
	require.NoError(t, s.Restart())
	callers.Wait()
	nc.Close()
}

package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSubscriptionStats(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	require.Zero(t, nc.SubscriptionStats())
	a, err := nc.SubscribeSync("a")
	require.NoError(t, err)
	require.NoError(t, a.SetPendingLimits(3, -1))
	ch := make(chan *Msg, 1)
	b, err := nc.ChanQueueSubscribe("a", "q", ch)
	require.NoError(t, err)
	_, err = nc.Subscribe("echo", func(m *Msg) { _ = m.Respond(nil) })
	require.NoError(t, err)
	_, err = nc.Request("echo", nil, patience)
	require.NoError(t, err)
	require.Equal(t, 4, nc.NumSubscriptions(), "that of requests is there")
	list := nc.Subscriptions()
	require.Equal(t, []string{"a", "a", "echo"}, []string{list[0].Subject, list[1].Subject, list[2].Subject})
	require.Same(t, a, list[0])
	require.Same(t, b, list[1])

	for range 5 {
		require.NoError(t, nc.Publish("a", []byte("12")))
	}
	require.NoError(t, nc.Flush())
	require.Equal(t, SubscriptionStats{Subscriptions: 3, PendingMsgs: 3, PendingBytes: 6, Dropped: 2 + 4}, nc.SubscriptionStats())
	require.NoError(t, a.Unsubscribe())
	require.Equal(t, SubscriptionStats{Subscriptions: 2, Dropped: 6}, nc.SubscriptionStats(), "what was dropped stays counted")
	nc.Close()
	require.Equal(t, SubscriptionStats{Dropped: 6}, nc.SubscriptionStats())
	require.Empty(t, nc.Subscriptions())

	var none *Conn
	require.Empty(t, none.Subscriptions())
	require.Zero(t, none.SubscriptionStats())
}

package nats

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

func TestWSBasic(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t, testserver.Websocket())
	nc := connectTo(t, s.WebsocketURL())
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", make([]byte, 300000)))
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Len(t, m.Data, 300000)
	nc.Close()
}

package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublishSubscribeRequest(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	_, err := nc.Subscribe("greet.*", func(m *Msg) { _ = m.Respond(append([]byte("hello "), m.Data...)) })
	require.NoError(t, err)
	m, err := nc.Request("greet.joe", []byte("joe"), patience)
	require.NoError(t, err)
	require.Equal(t, "hello joe", string(m.Data))
	_, err = nc.Request("nobody.home", nil, patience)
	require.ErrorIs(t, err, ErrNoResponders)
	require.Equal(t, CONNECTED, nc.Status())
}

func TestServerDiesAndComesBack(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	s, nc := connect(t, append(fast(), onLost, ReconnectHandler(onBack))...)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", []byte("1")))
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "1", string(m.Data))

	s.Kill()
	got(t, lost, "loss")
	require.Equal(t, RECONNECTING, nc.Status())
	require.NoError(t, nc.Publish("foo", []byte("2")))
	n, err := nc.Buffered()
	require.NoError(t, err)
	require.Equal(t, len("PUB foo 1\r\n2\r\n"), n)
	require.NoError(t, s.Start())
	got(t, back, "reconnect")
	m, err = sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "2", string(m.Data))
	require.NoError(t, nc.FlushTimeout(patience))
	n, err = nc.Buffered()
	require.NoError(t, err)
	require.Zero(t, n)
	st := nc.Stats()
	require.EqualValues(t, 2, st.OutMsgs)
	require.EqualValues(t, 2, st.InMsgs)
	require.GreaterOrEqual(t, st.Reconnects, uint64(1))
}

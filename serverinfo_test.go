package nats

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

func TestWhatTheServerTellsOfTheConnection(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t, testserver.JetStream())
	nc := connectTo(t, s.URL())
	id, err := nc.GetClientID()
	require.NoError(t, err)
	require.NotZero(t, id)
	ip, err := nc.GetClientIP()
	require.NoError(t, err)
	require.True(t, ip.Equal(net.IPv4(127, 0, 0, 1)), ip)
	host, port, err := net.SplitHostPort(nc.LocalAddr())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", host)
	require.NotEqual(t, "0", port)
	js, level := nc.ConnectedServerJetStream()
	require.True(t, js)
	require.Equal(t, nc.info.JSApiLevel, level)
	require.False(t, nc.IsSystemAccount())
	nc.Close()
	_, err = nc.GetClientID()
	require.ErrorIs(t, err, ErrConnectionClosed)
	_, err = nc.GetClientIP()
	require.ErrorIs(t, err, ErrConnectionClosed)
	require.Empty(t, nc.LocalAddr())
	js, level = nc.ConnectedServerJetStream()
	require.False(t, js)
	require.Zero(t, level)
}

// Each INFO replaces what the last one said.
func TestLaterInfoReplacesTheLast(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	_, err := nc.GetClientID()
	require.ErrorIs(t, err, ErrClientIDNotSupported)
	_, err = nc.GetClientIP()
	require.ErrorIs(t, err, ErrClientIPNotSupported)
	p.say("INFO %s\r\n", `{"server_id":"S","max_payload":1,"client_id":7,"client_ip":"10.1.2.3",`+
		`"domain":"D","remote_account":"A","acc_is_sys":true,"jetstream":true,"api_lvl":3,"cluster":"C"}`)
	soon(t, func() bool { return nc.ConnectedDomain() == "D" }, "the INFO")
	id, err := nc.GetClientID()
	require.NoError(t, err)
	require.EqualValues(t, 7, id)
	ip, err := nc.GetClientIP()
	require.NoError(t, err)
	require.Equal(t, "10.1.2.3", ip.String())
	require.Equal(t, "A", nc.RemoteAccount())
	require.True(t, nc.IsSystemAccount())
	js, level := nc.ConnectedServerJetStream()
	require.True(t, js)
	require.Equal(t, 3, level)
	p.say("INFO %s\r\n", `{"server_id":"S"}`)
	soon(t, func() bool { return nc.ConnectedDomain() == "" }, "the INFO")
	require.Empty(t, nc.RemoteAccount())
	require.Zero(t, nc.MaxPayload())
	require.ErrorIs(t, nc.Publish("foo", []byte("x")), ErrMaxPayload)
}

// The accessors have an answer for a nil connection.
func TestAccessorsOfANilConnection(t *testing.T) {
	t.Parallel()
	var nc *Conn
	for name, s := range map[string]string{
		"url": nc.ConnectedUrl(), "redacted": nc.ConnectedUrlRedacted(), "addr": nc.ConnectedAddr(),
		"local": nc.LocalAddr(), "id": nc.ConnectedServerId(), "name": nc.ConnectedServerName(),
		"version": nc.ConnectedServerVersion(), "cluster": nc.ConnectedClusterName(),
		"domain": nc.ConnectedDomain(), "account": nc.RemoteAccount(),
	} {
		require.Empty(t, s, name)
	}
	js, level := nc.ConnectedServerJetStream()
	require.False(t, js)
	require.Zero(t, level)
	require.False(t, nc.IsSystemAccount())
	require.Nil(t, nc.ErrorHandler())
	require.Nil(t, nc.ClosedHandler())
	require.Nil(t, nc.ReconnectHandler())
	require.Nil(t, nc.DiscoveredServersHandler())
	require.Nil(t, nc.DisconnectErrHandler())
	require.Nil(t, nc.ServerPool())
	for _, err := range []error{
		nc.SetServerPool(nil), nc.ForceReconnect(), nc.Drain(), nc.Barrier(nil), nc.LastError(),
	} {
		require.ErrorIs(t, err, ErrInvalidConnection)
	}
	_, err := nc.GetClientID()
	require.ErrorIs(t, err, ErrInvalidConnection)
	_, err = nc.GetClientIP()
	require.ErrorIs(t, err, ErrInvalidConnection)
	_, err = nc.QueueSubscribeSyncWithChan("foo", "", nil)
	require.ErrorIs(t, err, ErrInvalidConnection)
}

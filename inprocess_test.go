package nats

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// inProcess is a provider whose answers a test decides.
type inProcess func() (net.Conn, error)

func (f inProcess) InProcessConn() (net.Conn, error) { return f() }

// A server in the same process is connected to without a socket, also again.
func TestInProcessServer(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	nc := connectTo(t, "nats://nowhere.invalid", append(fast(), InProcessServer(s.Server()),
		onLost, ReconnectHandler(onBack))...)
	require.Equal(t, "nats://nowhere.invalid:4222", nc.ConnectedUrl())
	require.Equal(t, "pipe", nc.ConnectedAddr())
	require.Equal(t, s.Server().ID(), nc.ConnectedServerId())
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 100)
	for range 100 {
		_, err := sub.NextMsg(patience)
		require.NoError(t, err)
	}
	require.NoError(t, nc.ForceReconnect())
	got(t, lost, "loss")
	got(t, back, "reconnect")
	publishNumbers(t, nc, "foo", 0, 1)
	_, err = sub.NextMsg(patience)
	require.NoError(t, err)
}

func TestInProcessServerThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("out of order")
	_, err := Connect("", InProcessServer(inProcess(func() (net.Conn, error) { return nil, broken })))
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "failed to get in-process connection: out of order")
	_, err = Connect("nats://[bad", InProcessServer(inProcess(func() (net.Conn, error) {
		t.Error("asked")
		return nil, broken
	})))
	require.Error(t, err, "the URL is checked all the same")
}

// The program's dialer is copied, and the copy told of multipath TCP.
func TestMultipathTCP(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	for _, on := range []bool{true, false} {
		d := &net.Dialer{Timeout: patience}
		before := d.MultipathTCP()
		nc := connectTo(t, s.URL(), Dialer(d), MultipathTCP(on))
		require.Equal(t, on, *nc.Opts.AllowMultipathTCP)
		require.Equal(t, before, d.MultipathTCP(), "the program's own dialer is changed")
		require.NoError(t, nc.FlushTimeout(patience))
		conn := nc.session.conn.(*net.TCPConn)
		used, err := conn.MultipathTCP()
		require.NoError(t, err)
		require.False(t, used && !on, "multipath TCP against the option")
	}
}

package nats

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// smallBuffers is a dialer whose sockets take little, so that a slow link is felt.
type smallBuffers struct{}

func (smallBuffers) Dial(network, addr string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, addr, patience)
	if c, ok := conn.(*net.TCPConn); ok {
		err = c.SetWriteBuffer(8 << 10)
	}
	return conn, err
}

// overSlowLink connects to a server over a link of 500 kB/s, and subscribes beside it.
func overSlowLink(t *testing.T, opts ...Option) (nc *Conn, sub *Subscription) {
	t.Helper()
	s := testserver.Run(t)
	p := faultproxy.Run(t, s.Addr(), faultproxy.SocketBuffers(8<<10))
	p.All().Throttle(faultproxy.Up, 500_000)
	sub, err := connectTo(t, s.URL()).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())
	return connectTo(t, p.URL(), append(opts, SetCustomDialer(smallBuffers{}))...), sub
}

// Close goes on as long as the link does, though one write may last longer than its
// patience.
func TestCloseOnASlowLinkSendsEverything(t *testing.T) {
	t.Parallel()
	nc, sub := overSlowLink(t)
	nc.setHandler(func(o *Options) { o.Timeout = 900 * time.Millisecond }) // what Close goes by
	for i := range 120 {
		require.NoError(t, nc.Publish("foo", payloadOf(i, 10_000)))
	}
	nc.Close()
	for i := range 120 {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err, i)
		require.Equal(t, payloadOf(i, 10_000), m.Data)
	}
}

// A link is not stale while it takes bytes, though one write may last for several
// ticks of the ping timer. It takes 3 s, and a tick that adds a PING each time would end
// it after 1.8; what the link itself holds takes less than one.
func TestSlowLinkIsNotStale(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	nc, _ := overSlowLink(t, PingInterval(300*time.Millisecond), MaxPingsOutstanding(5), onLost)
	for i := range 150 {
		require.NoError(t, nc.Publish("foo", payloadOf(i, 10_000)))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	require.Empty(t, lost)
	require.Zero(t, nc.Stats().Reconnects)
}

package nats

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// road is one way to a server: what differs between transports, and all that does.
type road struct {
	s     *testserver.Server
	proxy *faultproxy.Proxy // on the way; nil in process
	url   string            // through the proxy
	past  string            // past it
	opts  []Option
}

// connect goes by the road, with a proxy if there is one.
func (r *road) connect(t testing.TB, opts ...Option) *Conn {
	t.Helper()
	return connectTo(t, r.url, r.with(opts...)...)
}

// direct goes past the proxy.
func (r *road) direct(t testing.TB) *Conn {
	t.Helper()
	return connectTo(t, r.past, r.opts...)
}

func (r *road) with(opts ...Option) []Option {
	return append(r.opts[:len(r.opts):len(r.opts)], opts...)
}

// roadKinds make a road each.
var roadKinds = map[string]func(testing.TB, ...testserver.Option) *road{
	"tcp": func(t testing.TB, so ...testserver.Option) *road {
		s := testserver.Run(t, so...)
		return behindProxy(t, s, s.URL())
	},
	"tls": func(t testing.TB, so ...testserver.Option) *road {
		certs := testserver.RunCerts(t)
		s := testserver.Run(t, append(so, testserver.TLS(certs))...)
		return behindProxy(t, s, s.URL(), RootCAs(certs.CAFile))
	},
	"ws": func(t testing.TB, so ...testserver.Option) *road {
		s := testserver.Run(t, append(so, testserver.Websocket())...)
		return behindProxy(t, s, s.WebsocketURL())
	},
	"wss": func(t testing.TB, so ...testserver.Option) *road {
		certs := testserver.RunCerts(t)
		s := testserver.Run(t, append(so, testserver.WebsocketTLS(certs))...)
		return behindProxy(t, s, s.WebsocketURL(), RootCAs(certs.CAFile))
	},
	"ws compressed": func(t testing.TB, so ...testserver.Option) *road {
		s := testserver.Run(t, append(so, testserver.WebsocketCompression())...)
		return behindProxy(t, s, s.WebsocketURL(), Compression(true))
	},
	"in-process": func(t testing.TB, so ...testserver.Option) *road {
		s := testserver.Run(t, so...)
		return &road{s: s, url: s.URL(), past: s.URL(), opts: []Option{InProcessServer(inProcess(func() (net.Conn, error) {
			if srv := s.Server(); srv != nil && srv.Running() {
				return srv.InProcessConn()
			}
			return nil, net.ErrClosed
		}))}}
	},
}

func behindProxy(t testing.TB, s *testserver.Server, url string, opts ...Option) *road {
	scheme, addr, _ := strings.Cut(url, "://")
	proxy := faultproxy.Run(t, addr, faultproxy.SocketBuffers(64<<10))
	return &road{s: s, proxy: proxy, past: url, url: scheme + "://" + proxy.Addr(), opts: opts}
}

// onRoads runs a test over each transport that is named; none: over all of them.
func onRoads(t *testing.T, names []string, test func(*testing.T, *road), so ...testserver.Option) {
	t.Helper()
	if len(names) == 0 {
		for name := range roadKinds {
			names = append(names, name)
		}
	}
	for _, name := range names {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			test(t, roadKinds[name](t, so...))
		})
	}
}

// wired are the transports with a wire that can be cut, and not TLS alone, which has
// tests of its own.
var wired = []string{"tcp", "tls", "ws", "wss", "ws compressed"}

func TestEveryTransportTalks(t *testing.T) {
	t.Parallel()
	onRoads(t, nil, func(t *testing.T, r *road) {
		nc := r.connect(t)
		speaks(t, nc)
		sub, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		_, err = nc.Subscribe("service", func(m *Msg) {
			reply := NewMsg(m.Reply)
			reply.Header.Set("Asked", m.Header.Get("Ask"))
			reply.Data = m.Data
			_ = m.RespondMsg(reply)
		})
		require.NoError(t, err)
		for _, size := range []int{0, 1, 125, 126, 4096, 65_535, 65_536, 200_000, 1 << 20} {
			data := numbered(size, size+7)[:size]
			kept := strings.Clone(string(data))
			require.NoError(t, nc.Publish("foo", data))
			m, err := sub.NextMsg(patience)
			require.NoError(t, err)
			require.True(t, kept == string(m.Data), "%d bytes", size)
			require.True(t, kept == string(data), "the program's bytes are its own")
		}
		ask := NewMsg("service")
		ask.Header.Set("Ask", "me")
		ask.Data = numbered(1, 100_000)
		reply, err := nc.RequestMsg(ask, patience)
		require.NoError(t, err)
		require.Equal(t, "me", reply.Header.Get("Asked"))
		require.Equal(t, ask.Data, reply.Data)
		_, err = nc.Request("nobody", nil, patience)
		require.ErrorIs(t, err, ErrNoResponders)
		publishNumbers(t, nc, "foo", 0, 1000)
		require.NoError(t, nc.FlushTimeout(patience))
		require.NoError(t, nc.Drain())
		for range 1000 {
			_, err := sub.NextMsg(patience)
			require.NoError(t, err)
		}
		soon(t, nc.IsClosed, "drained")
	})
}

// What was published without a server is there when it is back, in order and once.
func TestEveryTransportOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	onRoads(t, nil, func(t *testing.T, r *road) {
		lost, onLost := lossEvents()
		back, onBack := connEvents()
		nc := r.connect(t, append(fast(), onLost, quiet(), ReconnectHandler(onBack), ReconnectJitter(0, 0))...)
		sub, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		require.NoError(t, nc.FlushTimeout(patience))
		r.s.Kill()
		got(t, lost, "loss")
		for i := range 5000 {
			require.NoError(t, nc.Publish("foo", fmt.Append(nil, i)))
		}
		require.NoError(t, r.s.Start())
		got(t, back, "reconnect")
		for i := range 5000 {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprint(i), string(m.Data))
		}
	})
}

func TestEveryTransportTellsRefusedCredentials(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t-pa55"
	locked := func(o *natsserver.Options) { o.Username, o.Password = "me", "other" }
	onRoads(t, nil, func(t *testing.T, r *road) {
		_, err := Connect(strings.Replace(r.url, "://", "://me:"+secret+"@", 1), r.with(Timeout(patience))...)
		require.ErrorIs(t, err, ErrAuthorization)
		require.NotContains(t, err.Error(), secret)
		nc := connectTo(t, strings.Replace(r.url, "://", "://me:other@", 1), r.opts...)
		speaks(t, nc)
	}, locked)
}

func TestEveryTransportDropsForASlowConsumer(t *testing.T) {
	t.Parallel()
	onRoads(t, nil, func(t *testing.T, r *road) {
		slow := make(chan error, 1)
		nc := r.connect(t, ErrorHandler(func(_ *Conn, _ *Subscription, err error) {
			select {
			case slow <- err:
			default:
			}
		}))
		sub, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		require.NoError(t, sub.SetPendingLimits(10, -1))
		publishNumbers(t, nc, "foo", 0, 100)
		require.NoError(t, nc.FlushTimeout(patience))
		require.ErrorIs(t, got(t, slow, "report"), ErrSlowConsumer)
		wantDropped(t, sub, 90)
		speaks(t, nc)
	})
}

// All that was published before Close arrives, though nobody flushed.
func TestEveryTransportSendsWhatIsUnsentAtClose(t *testing.T) {
	t.Parallel()
	onRoads(t, nil, func(t *testing.T, r *road) {
		const messages, size = 20, 1000
		sub, err := r.direct(t).SubscribeSync("foo")
		require.NoError(t, err)
		require.NoError(t, sub.conn.Flush())
		nc := r.connect(t)
		for i := range messages {
			require.NoError(t, nc.Publish("foo", numbered(i, size)))
		}
		nc.Close()
		require.Zero(t, receiveNumbered(t, sub, messages))
	})
}

// A transport that goes on after a cut in its replay, however often: cutReplay lets a
// client buffer numbered messages of 1 kB, and cuts the replay again and again, at bytes
// that have nothing to do with records or frames. It returns once all has been sent.
func cutReplay(t *testing.T, r *road, messages int, opts ...Option) (nc *Conn, sub *Subscription, sockets *takenDialer) {
	t.Helper()
	sub, err := r.direct(t).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())

	lost, onLost := lossEvents()
	back, onBack := connEvents()
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	sockets = &takenDialer{dialer: &net.Dialer{Timeout: patience, Control: smallSendBuffer}}
	nc = r.connect(t, append(opts, onLost, quiet(), MaxReconnects(-1), ReconnectHandler(onBack), SetCustomDialer(sockets),
		CustomReconnectDelay(func(int) time.Duration { <-gate; return 0 }))...)
	r.proxy.Live().Cut(faultproxy.RST)
	got(t, lost, "loss")
	noise := rand.NewChaCha8([32]byte{}) // or a kernel takes all of it at once, compressed
	for i := range messages {
		data := numbered(i, 1000)
		_, _ = noise.Read(data[7:])
		require.NoError(t, nc.Publish("foo", data))
	}
	cuts := []int64{150_000, 400_001, 777_777, 17_000, 1_000_003}
	for i, at := range cuts {
		r.proxy.Next().CutAfter(faultproxy.Up, at, faultproxy.RSTClient)
		gate <- struct{}{}
		soon(t, func() bool { return r.proxy.Stats().Accepted == i+2 && r.proxy.Last().Stats().Ended }, "cut")
		// A server may still be busy with what an old connection brought when the
		// next one is there already; then the order of the two is not ours to keep.
		soon(t, func() bool { return r.s.NumClients() == 1 }, "the server is done with it")
	}
	open()
	got(t, back, "reconnect")
	require.Empty(t, lost, "cuts in the replay are the same outage")
	require.NoError(t, nc.FlushTimeout(patience))
	require.EqualValues(t, len(cuts)+1, nc.Stats().Reconnects)
	return nc, sub, sockets
}

func (r *road) compressed() bool {
	var o Options
	for _, set := range r.opts {
		_ = set(&o)
	}
	return o.Compression
}

// In the end all is there, in order and once, but for what the kernel had taken when
// the connection broke.
func TestReplayThatIsCutLosesNothingUnsentOnAnyTransport(t *testing.T) {
	t.Parallel()
	onRoads(t, wired, func(t *testing.T, r *road) {
		const messages = 6000
		nc, sub, sockets := cutReplay(t, r, messages)
		missing := receiveNumbered(t, sub, messages)
		doubt := nc.BufferStats().InDoubt
		t.Logf("%d of %d messages were with the kernel when a connection was cut, and never read; %d in doubt", missing, messages, doubt)
		require.LessOrEqual(t, uint64(missing), doubt, "more is missing than what is said to be in doubt")
		if r.compressed() {
			return
		}
		var wire int64
		for _, c := range sockets.conns {
			wire += c.taken.Load()
		}
		require.LessOrEqual(t, int64(nc.out.taken()), wire, "counted as taken, and not with the kernel")
	})
}

// With AtLeastOnce all of it is there.
func TestReplayThatIsCutLosesNothingWithAtLeastOnceOnAnyTransport(t *testing.T) {
	t.Parallel()
	onRoads(t, wired, func(t *testing.T, r *road) {
		const messages = 3000
		_, sub, _ := cutReplay(t, r, messages, AtLeastOnce())
		seen := make(map[int]bool)
		for len(seen) < messages {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err, "after %d messages", len(seen))
			seen[numberOf(t, string(m.Data[:7]))] = true
		}
	})
}

// A server stops reading. Behind a torn record or frame nothing can go on, so a new
// connection does; nothing is lost but what the kernel had taken.
func TestServerThatStopsReadingLosesNothingUnsentOnAnyTransport(t *testing.T) {
	t.Parallel()
	onRoads(t, []string{"tls", "ws", "wss"}, func(t *testing.T, r *road) {
		const size, messages = 10_000, 1500
		sub, err := r.direct(t).SubscribeSync("foo")
		require.NoError(t, err)
		require.NoError(t, sub.conn.Flush())
		lost, onLost := lossEvents()
		back, onBack := connEvents()
		nc := r.connect(t, append(fast(), onLost, quiet(), ReconnectHandler(onBack), ReconnectJitter(0, 0),
			ReconnectBufSize(64<<20), FlusherTimeout(300*time.Millisecond))...)
		r.proxy.Live().StopReading(faultproxy.Up)
		for i := range messages {
			require.NoError(t, nc.Publish("foo", numbered(i, size)))
		}
		require.ErrorContains(t, got(t, lost, "loss"), "i/o timeout")
		inKernel := int(nc.out.taken())
		got(t, back, "reconnect")
		require.NoError(t, nc.FlushTimeout(patience))
		missing := receiveNumbered(t, sub, messages)
		require.LessOrEqual(t, missing, inKernel/(size+len(fmt.Sprintf("PUB foo %d\r\n\r\n", size))))
		require.LessOrEqual(t, uint64(missing), nc.BufferStats().InDoubt)
	})
}

// A slow link is not a broken one: a batch that takes longer than FlusherTimeout goes on
// as long as something of it is taken.
func TestSlowLinkIsNotLostOnAnyTransport(t *testing.T) {
	t.Parallel()
	onRoads(t, []string{"tls", "ws", "wss"}, func(t *testing.T, r *road) {
		const messages, size = 120, 10_000
		sub, err := r.direct(t).SubscribeSync("foo")
		require.NoError(t, err)
		require.NoError(t, sub.conn.Flush())
		lost, onLost := lossEvents()
		nc := r.connect(t, append(fast(), onLost, quiet(), FlusherTimeout(500*time.Millisecond),
			Dialer(&net.Dialer{Timeout: patience, Control: smallSendBuffer}))...)
		r.proxy.Live().Throttle(faultproxy.Up, 800_000)
		for i := range messages {
			require.NoError(t, nc.Publish("foo", numbered(i, size)))
		}
		require.Zero(t, receiveNumbered(t, sub, messages))
		require.Empty(t, lost)
	})
}

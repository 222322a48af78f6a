package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

func TestCloseEndsWaitingRequests(t *testing.T) {
	t.Parallel()
	eachRequestForm(t, func(t *testing.T, _ bool, call func(*Conn, *Msg, time.Duration) (*Msg, error)) {
		p, nc := requestPeer(t)
		const n = 3
		results := make(chan error, n)
		for range n {
			go func() {
				_, err := call(nc, &Msg{Subject: "foo"}, patience)
				results <- err
			}()
		}
		soon(t, func() bool { return len(p.publishes()) == n }, "the requests")
		nc.Close()
		for range n {
			require.Equal(t, ErrConnectionClosed, got(t, results, "end of a request"))
		}
		_, err := call(nc, &Msg{Subject: "foo"}, patience)
		require.Equal(t, ErrConnectionClosed, err)
		wantNoRequests(t, nc)
	})
}

// A lost server does not end a request: its reply may come over the next.
func TestRequestOutlastsDisconnect(t *testing.T) {
	t.Parallel()
	srv, responder := connect(t, unhurried())
	proxy := faultproxy.Run(t, srv.Addr())
	back, onBack := connEvents()
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), unhurried(), ReconnectHandler(onBack))...)
	requests, err := responder.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, responder.FlushTimeout(patience))
	result := ask(nc, "a")
	m, err := requests.NextMsg(patience)
	require.NoError(t, err)
	proxy.Live().Cut(faultproxy.RST)
	got(t, back, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, 1, waitingRequests(nc))
	require.NoError(t, m.Respond([]byte("answer")))
	require.Equal(t, "answer", got(t, result, "reply"))
	n, err := requests.QueuedMsgs()
	require.NoError(t, err)
	require.Zero(t, n, "the request is not made again")
}

func TestRequestDuringOutage(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	responder := connectTo(t, srv.URL(), unhurried())
	serveEcho(t, responder, "foo")
	proxy := faultproxy.Run(t, srv.Addr())
	lost, onLost := lossEvents()
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), unhurried(), onLost)...)
	require.NoError(t, proxy.SetAccept(faultproxy.Refuse))
	proxy.Live().Cut(faultproxy.RST)
	got(t, lost, "loss")
	a, b := ask(nc, "a"), ask(nc, "b")
	soon(t, func() bool { return waitingRequests(nc) == 2 && nc.Stats().OutMsgs == 2 }, "buffered requests")
	require.NoError(t, proxy.SetAccept(faultproxy.Relay))
	require.Equal(t, "a", got(t, a, "reply"))
	require.Equal(t, "b", got(t, b, "reply"))
	require.Equal(t, 1, nc.NumSubscriptions())
}

// Where nothing is buffered a request fails at once, and leaves nothing behind.
func TestRequestWithoutBuffer(t *testing.T) {
	t.Parallel()
	hold := newGate(t)
	lost, onLost := lossEvents()
	_, p, nc := connectPeer(t, onLost, quiet(), ReconnectBufSize(-1),
		CustomReconnectDelay(func(int) time.Duration { hold.wait(); return 0 }))
	t.Cleanup(hold.open)
	p.cut()
	got(t, lost, "loss")
	_, err := nc.Request("foo", nil, patience)
	require.Equal(t, ErrReconnectBufExceeded, err)
	_, err = nc.RequestWithContext(t.Context(), "foo", nil)
	require.Equal(t, ErrReconnectBufExceeded, err)
	wantNoRequests(t, nc)
}

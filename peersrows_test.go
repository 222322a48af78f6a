package nats

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// What other clients lose, block on, hide or lie about in an outage, over real
// sockets: the network between the client and the server goes, the server does
// not.

// outageRig is a connection through a proxy, and a subscription to everything
// that is not cut with it.
type outageRig struct {
	t     *testing.T
	s     *testserver.Server
	proxy *faultproxy.Proxy
	nc    *Conn
	sub   *Subscription
	lost  chan error
	back  chan *Conn
	given chan Undelivered
}

func newOutageRig(t *testing.T, opts ...Option) *outageRig {
	t.Helper()
	r := &outageRig{t: t, s: testserver.Run(t)}
	r.proxy = faultproxy.Run(t, r.s.Addr())
	r.sub = subscribedTo(t, r.s)
	var onLost, onGiven Option
	var onBack ConnHandler
	r.lost, onLost = lossEvents()
	r.back, onBack = connEvents()
	r.given, onGiven = undeliveredEvents()
	r.nc = connectTo(t, r.proxy.URL(), append(append(fast(), quiet(), onLost, onGiven, ReconnectHandler(onBack)), opts...)...)
	return r
}

// subscribedTo subscribes to everything, straight at the server.
func subscribedTo(t *testing.T, s *testserver.Server) *Subscription {
	t.Helper()
	sub, err := connectTo(t, s.URL()).SubscribeSync(">")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, sub.conn.FlushTimeout(patience))
	return sub
}

// down begins an outage with nothing under way.
func (r *outageRig) down() {
	r.t.Helper()
	require.NoError(r.t, r.nc.FlushTimeout(patience))
	require.NoError(r.t, r.proxy.SetAccept(faultproxy.Refuse))
	r.proxy.Live().Cut(faultproxy.RST)
	got(r.t, r.lost, "loss")
}

// up ends it, once all that was buffered has been sent.
func (r *outageRig) up() {
	r.t.Helper()
	require.NoError(r.t, r.proxy.SetAccept(faultproxy.Relay))
	got(r.t, r.back, "reconnect")
	require.NoError(r.t, r.nc.FlushTimeout(patience))
}

func (r *outageRig) publish(data ...string) {
	r.t.Helper()
	for _, d := range data {
		require.NoError(r.t, r.nc.Publish("foo", []byte(d)))
	}
}

// wantDelivered wants these messages, in order, and no other.
func (r *outageRig) wantDelivered(data ...string) {
	r.t.Helper()
	wantOnly(r.t, r.sub, data...)
	require.Zero(r.t, r.nc.BufferStats().InDoubt)
	soon(r.t, func() bool { return r.nc.BufferStats().Msgs == 0 }, "the writer has not accounted for all")
}

func wantOnly(t *testing.T, sub *Subscription, data ...string) {
	t.Helper()
	for _, want := range data {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err, "waiting for %s", want)
		require.Equal(t, want, string(m.Data))
	}
	require.NoError(t, sub.conn.FlushTimeout(patience))
	n, err := sub.QueuedMsgs()
	require.NoError(t, err)
	require.Zero(t, n, "more than that was delivered")
}

// Each overflow policy in an outage of the network, with a message before it and
// one behind it.
func TestOutageOverflowPolicies(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name      string
		policy    OverflowPolicy
		refused   int
		dropped   []string
		delivered string
	}{
		{"reject", OverflowReject, 2, nil, "before 0 1 2 after"},
		{"drop oldest", OverflowDropOldest, 0, []string{"0", "1"}, "before 2 3 4 after"},
		{"drop newest", OverflowDropNewest, 0, []string{"3", "4"}, "before 0 1 2 after"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newOutageRig(t, ReconnectBufMsgs(3), ReconnectBufOverflow(tc.policy))
			r.publish("before")
			r.down()
			refused := 0
			for i := range 5 {
				if err := r.nc.Publish("foo", fmt.Append(nil, i)); err != nil {
					require.ErrorIs(t, err, ErrReconnectBufExceeded)
					refused++
				}
			}
			require.Equal(t, tc.refused, refused)
			wantUndelivered(t, r.given, ErrDropped, tc.dropped...)
			r.up()
			r.publish("after")
			r.wantDelivered(strings.Fields(tc.delivered)...)
			require.Empty(t, r.given)
			st := r.nc.BufferStats()
			require.EqualValues(t, tc.refused, st.Rejected)
			require.EqualValues(t, len(tc.dropped), st.Dropped)
			require.EqualValues(t, 3, st.Replayed)
		})
	}
}

// A publisher that waits for room waits alone: everything else answers at once,
// and another publisher's wait ends when its own context does.
func TestPublisherThatWaitsHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t, ReconnectBufMsgs(1), ReconnectBufOverflow(OverflowBlock))
	r.down()
	r.publish("0")
	waited := make(chan error, 1)
	go func() { waited <- r.nc.Publish("foo", []byte("1")) }() // ends with the outage
	soon(t, waitingForRoom(r.nc), "it does not wait")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.Equal(t, RECONNECTING, r.nc.Status())
	require.Equal(t, 1, r.nc.BufferStats().Msgs)
	require.EqualValues(t, 1, r.nc.Stats().OutMsgs)
	_, err := r.nc.SubscribeSync("bar")
	require.NoError(t, err)
	require.ErrorIs(t, r.nc.PublishWithContext(ctx, "foo", []byte("never")), context.DeadlineExceeded)
	require.Less(t, time.Since(start), patience/2, "something waited, too")
	require.Empty(t, waited)
	r.up()
	require.NoError(t, got(t, waited, "end of the wait"))
	require.NoError(t, r.nc.FlushTimeout(patience))
	r.wantDelivered("0", "1")
}

// Attempts that fail in any way empty no buffer and break no order.
func TestFailedAttemptsLeaveTheBufferAlone(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t)
	r.nc.setHandler(func(o *Options) { o.Timeout = 30 * time.Millisecond })
	r.down()
	want := []string{}
	for i, mode := range []faultproxy.AcceptMode{faultproxy.CloseAtOnce, faultproxy.ResetAtOnce, faultproxy.Silent, faultproxy.Refuse} {
		require.NoError(t, r.proxy.SetAccept(mode))
		for j := range 100 {
			want = append(want, fmt.Sprint(i, j))
			r.publish(want[len(want)-1])
		}
		if mode != faultproxy.Refuse {
			require.NoError(t, r.proxy.WaitAccepted(t.Context(), r.proxy.Stats().Accepted+2))
		}
		require.Equal(t, len(want), r.nc.BufferStats().Msgs)
	}
	require.NoError(t, r.proxy.SetAccept(faultproxy.Refuse))
	r.proxy.Live().Cut(faultproxy.RST)
	r.nc.setHandler(func(o *Options) { o.Timeout = patience })
	r.up()
	r.wantDelivered(want...)
	require.EqualValues(t, 400, r.nc.BufferStats().Replayed)
}

// A server that accepts and says nothing keeps only the reconnect waiting.
func TestNothingWaitsForASilentServer(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t)
	r.down()
	require.NoError(t, r.proxy.SetAccept(faultproxy.Silent))
	require.NoError(t, r.proxy.WaitOpen(t.Context(), 1)) // the handshake waits, for as long as patience
	start := time.Now()
	for range 1000 {
		r.publish("x")
		_, _, _ = r.nc.Status(), r.nc.Stats(), r.nc.BufferStats()
		_, err := r.nc.Buffered()
		require.NoError(t, err)
	}
	require.Less(t, time.Since(start), patience/2)
	require.Equal(t, 1000, r.nc.BufferStats().Msgs)
	require.NoError(t, r.proxy.SetAccept(faultproxy.Relay))
	r.proxy.Live().Cut(faultproxy.RST)
	r.up()
	require.EqualValues(t, 1000, r.nc.BufferStats().Replayed)
}

// A large frame that is torn on one connection after the other arrives whole,
// once, and so does what is behind it.
func TestFrameTornOverAndOver(t *testing.T) {
	t.Parallel()
	const size, tears = 8_000_000, 4
	s := testserver.Run(t, func(o *natsd.Options) { o.MaxPayload = 2 * size })
	proxy := faultproxy.Run(t, s.Addr(), faultproxy.SocketBuffers(32<<10))
	sub := subscribedTo(t, s)
	back, onBack := connEvents()
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), ReconnectHandler(onBack), ReconnectBufSize(4*size))...)
	require.NoError(t, nc.FlushTimeout(patience))
	proxy.All().CutFrame(faultproxy.Up, faultproxy.FrameCut{Byte: size / 20})
	big := string(numbered(7, size))
	require.NoError(t, nc.Publish("foo", []byte(big)))
	require.NoError(t, nc.Publish("foo", []byte("behind it")))
	require.NoError(t, proxy.WaitAccepted(t.Context(), 1+tears))
	proxy.All().Clear()
	got(t, back, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	wantOnly(t, sub, big, "behind it")
	require.Zero(t, nc.BufferStats().InDoubt, "the frame was never with the kernel whole")
}

// What is too old at the end of the outage is not sent, whether the limit is the
// connection's or the message's own.
func TestOutageMaxAge(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t, ReconnectBufMaxAge(time.Hour))
	r.down()
	own := func(data string, d time.Duration) {
		require.NoError(t, r.nc.PublishMsgWithContext(t.Context(), &Msg{Subject: "foo", Data: []byte(data)}, MaxAge(d)))
	}
	own("old", 20*time.Millisecond)
	r.publish("keeps")
	own("old too", 30*time.Millisecond)
	own("young", time.Hour)
	soon(t, func() bool {
		return r.nc.BufferStats().OldestAge >= 40*time.Millisecond || r.nc.BufferStats().Expired == 2
	}, "no time passes")
	r.up()
	r.wantDelivered("keeps", "young")
	told := map[string]bool{}
	for range 2 {
		u := got(t, r.given, "report")
		require.ErrorIs(t, u.Err, ErrExpired)
		told[string(u.Msg.Data)] = true
	}
	require.Equal(t, map[string]bool{"old": true, "old too": true}, told)
	require.EqualValues(t, 2, r.nc.BufferStats().Expired)
}

// What is not to be buffered is refused at once, and not sent later.
func TestOutageFilterAndNoBuffer(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t, ReconnectBufFilter(func(subject string) bool { return subject != "live" }))
	require.NoError(t, r.nc.Publish("live", []byte("with a server")))
	r.down()
	require.ErrorIs(t, r.nc.Publish("live", []byte("stale")), ErrDisconnected)
	require.ErrorIs(t, r.nc.PublishMsgWithContext(t.Context(), &Msg{Subject: "foo", Data: []byte("stale")}, NoBuffer()), ErrDisconnected)
	r.publish("kept")
	r.up()
	r.wantDelivered("with a server", "kept")
	require.EqualValues(t, 2, r.nc.BufferStats().Rejected)
}

// What is purged is the program's again: it is handed back, in order, and only
// what comes later is sent.
func TestOutagePurge(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t)
	r.publish("sent before")
	r.down()
	r.publish("0", "1", "2")
	for i, m := range r.nc.PurgeBuffer() {
		require.Equal(t, fmt.Sprint(i), string(m.Data))
	}
	require.EqualValues(t, 3, r.nc.BufferStats().Purged)
	r.publish("later")
	r.up()
	r.wantDelivered("sent before", "later")
	require.Empty(t, r.given, "purged is not undelivered")
}

// A request that its caller has given up is not sent when the network is back;
// one whose caller still waits is, and is answered.
func TestOutageRequests(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t)
	serveEcho(t, r.sub.conn, "svc")
	require.NoError(t, r.sub.conn.FlushTimeout(patience))
	r.down()
	_, err := r.nc.Request("svc", []byte("given up"), 10*time.Millisecond)
	require.ErrorIs(t, err, ErrTimeout)
	answer := make(chan string, 1)
	go func() { // ends with the answer
		if m, err := r.nc.Request("svc", []byte("wanted"), patience); err == nil {
			answer <- string(m.Data)
		}
	}()
	soon(t, func() bool { return r.nc.BufferStats().Msgs == 1 }, "the request is not buffered")
	require.EqualValues(t, 1, r.nc.BufferStats().Withdrawn)
	r.up()
	require.Equal(t, "wanted", got(t, answer, "answer"))
	m, err := r.sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "wanted", string(m.Data), "the first that the server saw")
}

// The network comes back with another server at its end, which takes less: what
// it would not take is reported, the rest arrives, and the connection is not lost
// over it.
func TestOutageEndsAtASmallerServer(t *testing.T) {
	t.Parallel()
	r := newOutageRig(t)
	small := testserver.Run(t, func(o *natsd.Options) { o.MaxPayload, o.NoHeaderSupport = 10, true })
	sub := subscribedTo(t, small)
	r.down()
	r.publish("fits")
	require.NoError(t, r.nc.PublishMsg(&Msg{Subject: "foo", Header: Header{"k": nil}, Data: []byte("h")}))
	r.publish("does not fit", "fits, too")
	r.proxy.SetUpstream(small.Addr())
	r.up()
	wantOnly(t, sub, "fits", "fits, too")
	u := got(t, r.given, "report")
	require.Equal(t, "h", string(u.Msg.Data))
	require.Error(t, u.Err)
	wantUndelivered(t, r.given, ErrMaxPayload, "does not fit")
	require.Empty(t, r.lost)
	require.Empty(t, r.given)
	require.EqualValues(t, 2, r.nc.BufferStats().Undelivered)
	r.wantDelivered()
}

// Before the first connection everything is taken, messages with headers
// included, and keeps its order.
func TestBufferedBeforeTheFirstConnection(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	proxy := faultproxy.Run(t, s.Addr())
	require.NoError(t, proxy.SetAccept(faultproxy.Refuse))
	sub := subscribedTo(t, s)
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), RetryOnFailedConnect(true))...)
	want := []string{}
	for i := range 100 {
		want = append(want, fmt.Sprint(i))
		require.NoError(t, nc.PublishMsg(&Msg{Subject: "foo", Header: Header{"n": {want[i]}}, Data: []byte(want[i])}))
	}
	require.NoError(t, proxy.SetAccept(faultproxy.Relay))
	require.NoError(t, nc.FlushTimeout(patience))
	wantOnly(t, sub, want...)
}

// Close in an outage hands back to the handler what was never sent, before it
// says that the connection is closed.
func TestOutageEndsWithClose(t *testing.T) {
	t.Parallel()
	closed := make(chan int, 1)
	var r *outageRig
	r = newOutageRig(t, ClosedHandler(func(*Conn) { closed <- len(r.given) }))
	r.down()
	r.publish("0", "1", "2")
	flushed := make(chan error, 1)
	go func() { flushed <- r.nc.FlushTimeout(patience) }() // ends with Close
	soon(t, oneFlushParked(r.nc), "the flush does not wait")
	r.nc.Close()
	require.ErrorIs(t, got(t, flushed, "flush"), ErrConnectionClosed)
	require.Equal(t, 3, got(t, closed, "close"))
	wantUndelivered(t, r.given, ErrConnectionClosed, "0", "1", "2")
}

package nats

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// Everything that a draining subscription has got is handled before it ends, and
// what comes later is not its business.
func TestSubscriptionDrainHandsOverWhatItHas(t *testing.T) {
	t.Parallel()
	eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
		_, nc := connect(t)
		hold := newGate(t)
		var r *subRig
		if kind == AsyncSubscription {
			r = &subRig{ch: make(chan *Msg, 1000)}
			var err error
			r.sub, err = nc.Subscribe("foo", func(m *Msg) { hold.wait(); r.ch <- m })
			require.NoError(t, err)
		} else {
			r = newSubRig(t, nc, kind, "foo", "")
		}
		publishNumbers(t, nc, "foo", 0, 100)
		require.NoError(t, r.sub.Drain())
		require.NoError(t, r.sub.Drain(), "a second drain is no error")
		if kind != ChanSubscription {
			require.True(t, r.sub.IsDraining())
			require.True(t, r.sub.IsValid())
		}
		publishNumbers(t, nc, "foo", 100, 10)
		hold.open()
		r.wants(t, 0, 100)
		soon(t, func() bool { return !r.sub.IsDraining() && !r.sub.IsValid() }, "the end")
		require.Empty(t, r.ch, "a message that was published behind the drain")
		require.Zero(t, nc.NumSubscriptions())
		require.NoError(t, r.sub.Drain(), "an ended subscription is no error")
		if kind == SyncSubscription {
			_, err := r.sub.NextMsg(0)
			require.ErrorIs(t, err, ErrBadSubscription)
		}
	})
}

func TestSubscriptionDrainReleasesNextMsg(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	waited := make(chan error, 1)
	go func() { // ends with the drain
		_, err := s.NextMsg(patience)
		waited <- err
	}()
	require.NoError(t, s.Drain())
	require.ErrorIs(t, got(t, waited, "NextMsg"), ErrBadSubscription)
}

func TestSubscriptionDrainErrors(t *testing.T) {
	t.Parallel()
	var none *Subscription
	require.ErrorIs(t, none.Drain(), ErrBadSubscription)
	require.False(t, none.IsDraining())
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	nc.Close()
	require.ErrorIs(t, s.Drain(), ErrConnectionClosed)
	require.False(t, s.IsDraining())
}

// The server is told once, and a later server is not told of the subscription.
func TestDrainingSubscriptionIsNotReplayed(t *testing.T) {
	t.Parallel()
	peer, first, nc := connectPeer(t, fast()...)
	hold := newGate(t)
	handled := make(chan *Msg, 10)
	s, err := nc.Subscribe("foo", func(m *Msg) { hold.wait(); handled <- m })
	require.NoError(t, err)
	first.deliver(t, s, 0, 1)
	require.NoError(t, s.Drain())
	require.NoError(t, s.Drain())
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, []string{"SUB foo  1", "UNSUB 1 "}, first.subLines())
	first.cut()
	second := got(t, peer.sessions, "second session")
	require.NoError(t, nc.FlushTimeout(patience))
	require.Empty(t, second.subLines())
	require.True(t, s.IsDraining())
	hold.open()
	got(t, handled, "the message that it had")
	soon(t, func() bool { return !s.IsValid() }, "the end")
}

// Without a server there is nothing more to come: what is there is handled.
func TestSubscriptionDrainInAnOutage(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	s, nc := connect(t, append(fast(), onLost)...)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 2)
	s.Stop()
	got(t, lost, "loss")
	require.NoError(t, sub.Drain())
	for i := range 2 {
		require.True(t, sub.IsDraining())
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
	}
	soon(t, func() bool { return !sub.IsValid() }, "the end")
}

// A connection drains in order: what subscriptions have is handled, and their
// handlers may publish; then what was published is flushed, then it is closed.
func TestDrainInOrder(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	answers, err := connectTo(t, srv.URL()).SubscribeSync("answers")
	require.NoError(t, err)
	require.NoError(t, answers.conn.FlushTimeout(patience))
	closed, onClosed := connEvents()
	lost, onLost := lossEvents()
	nc := connectTo(t, srv.URL(), ClosedHandler(onClosed), onLost)
	states := nc.StatusChanged(DRAINING_SUBS, DRAINING_PUBS, CLOSED)
	hold := newGate(t)
	_, err = nc.Subscribe("questions", func(m *Msg) {
		hold.wait()
		if err := nc.Publish("answers", m.Data); err != nil {
			t.Errorf("publish in a handler: %v", err)
		}
	})
	require.NoError(t, err)
	publishNumbers(t, nc, "questions", 0, 500)
	require.NoError(t, nc.Drain())
	require.NoError(t, nc.Drain(), "a second drain is no error")
	require.True(t, nc.IsDraining())
	require.True(t, nc.IsConnected())
	require.Equal(t, DRAINING_SUBS, nc.Status())
	require.Empty(t, nc.ConnectedUrl())
	require.NoError(t, nc.Publish("elsewhere", nil))
	hold.open()
	got(t, closed, "close")
	require.NoError(t, got(t, lost, "disconnect event"))
	require.NoError(t, nc.LastError())
	require.False(t, nc.IsDraining())
	for _, want := range []Status{DRAINING_SUBS, DRAINING_PUBS, CLOSED} {
		require.Equal(t, want, got(t, states, "status"))
	}
	for i := range 500 {
		m, err := answers.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
	}
	require.ErrorIs(t, nc.Drain(), ErrConnectionClosed)
	require.ErrorIs(t, nc.Publish("answers", nil), ErrConnectionClosed)
}

// While it drains, a connection takes no new subscriptions, and ends none but by
// draining; requests that share the inbox of earlier ones work.
func TestDrainingConnectionRefuses(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	other := connectTo(t, srv.URL())
	_, err := other.Subscribe("echo", func(m *Msg) { _ = m.Respond(m.Data) })
	require.NoError(t, err)
	require.NoError(t, other.FlushTimeout(patience))
	for _, withMux := range []bool{true, false} {
		closed, onClosed := connEvents()
		nc := connectTo(t, srv.URL(), ClosedHandler(onClosed))
		if withMux {
			_, err := nc.Request("echo", nil, patience)
			require.NoError(t, err)
		}
		s, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		publishNumbers(t, nc, "foo", 0, 2)
		require.NoError(t, nc.Drain())
		_, err = nc.SubscribeSync("bar")
		require.ErrorIs(t, err, ErrConnectionDraining)
		_, err = nc.Subscribe("bar", nil)
		require.ErrorIs(t, err, ErrConnectionDraining, "checked before the handler")
		_, err = nc.Subscribe("", func(*Msg) {})
		require.ErrorIs(t, err, ErrBadSubject, "checked before")
		require.ErrorIs(t, s.Unsubscribe(), ErrConnectionDraining)
		m, err := nc.Request("echo", []byte("x"), patience)
		if withMux {
			require.NoError(t, err)
			require.Equal(t, "x", string(m.Data))
		} else {
			require.ErrorIs(t, err, ErrConnectionDraining)
		}
		require.NoError(t, s.AutoUnsubscribe(1))
		_, err = s.NextMsg(patience)
		require.NoError(t, err)
		got(t, closed, "close")
	}
}

// The last flush refuses publishes.
func TestPublishIsRefusedInTheLastFlush(t *testing.T) {
	t.Parallel()
	errs, onErr := errEvents()
	closed, onClosed := connEvents()
	pings, pong := make(chan struct{}, 10), make(chan struct{})
	t.Cleanup(func() { close(pong) })
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		for {
			if f, ok := p.frame(); !ok {
				return
			} else if f.op != "PING" {
				continue
			}
			pings <- struct{}{}
			<-pong
			p.say("PONG\r\n")
		}
	})
	nc := connectTo(t, s.url(), onErr, ClosedHandler(onClosed))
	require.NoError(t, nc.Drain())
	got(t, pings, "PING")
	require.Equal(t, DRAINING_PUBS, nc.Status())
	require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionDraining)
	require.ErrorIs(t, nc.Publish("foo", make([]byte, 2<<20)), ErrConnectionDraining, "checked before the size")
	require.ErrorIs(t, nc.Publish("", nil), ErrBadSubject, "checked before")
	_, err := nc.Request("foo", nil, patience)
	require.ErrorIs(t, err, ErrConnectionDraining)
	pong <- struct{}{}
	got(t, closed, "close")
	require.Empty(t, errs)
	require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionClosed)
}

// Subscriptions that are not read in time are reported, and the connection closed.
func TestDrainTimeoutIsReported(t *testing.T) {
	t.Parallel()
	for _, patient := range []time.Duration{0, 20 * time.Millisecond} {
		errs, onErr := errEvents()
		last := make(chan error, 1)
		_, nc := connect(t, DrainTimeout(patient), onErr, ClosedHandler(func(nc *Conn) { last <- nc.LastError() }))
		s, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		publishNumbers(t, nc, "foo", 0, 1)
		require.NoError(t, nc.Drain())
		require.Equal(t, ErrDrainTimeout, got(t, errs, "error event"))
		require.Equal(t, ErrDrainTimeout, got(t, last, "close"))
		require.False(t, s.IsValid())
	}
}

func TestDrainWithoutAServerCloses(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	closed, onClosed := connEvents()
	undelivered := make(chan Undelivered, 10)
	s, nc := connect(t, append(fast(), onLost, ClosedHandler(onClosed),
		UndeliveredHandler(func(_ *Conn, u Undelivered) { undelivered <- u }))...)
	s.Stop()
	got(t, lost, "loss")
	require.NoError(t, nc.Publish("foo", []byte("kept")))
	require.ErrorIs(t, nc.Drain(), ErrConnectionReconnecting)
	got(t, closed, "close")
	require.True(t, nc.IsClosed())
	u := got(t, undelivered, "what was buffered")
	require.Equal(t, "kept", string(u.Msg.Data))
	require.ErrorIs(t, u.Err, ErrConnectionClosed)
	require.Empty(t, lost, "there was nothing to lose")
}

// A server that is lost in a drain ends the connection.
func TestLossInADrainCloses(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	closed, onClosed := connEvents()
	s, nc := connect(t, append(fast(), quiet(), onLost, ClosedHandler(onClosed))...)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 1)
	require.NoError(t, nc.Drain())
	s.Stop()
	got(t, closed, "close")
	require.NoError(t, got(t, lost, "disconnect event"))
	require.Error(t, nc.LastError())
	require.NotErrorIs(t, nc.LastError(), ErrDrainTimeout)
	require.Equal(t, CLOSED, nc.Status())
	require.False(t, sub.IsValid())
}

// What keeps a Close by the program quiet keeps the end of a drain quiet too.
func TestDrainWithoutCallbacks(t *testing.T) {
	t.Parallel()
	fail := func(*Conn) { t.Error("a handler was called") }
	_, nc := connect(t, NoCallbacksAfterClientClose(), ClosedHandler(fail), DisconnectHandler(fail))
	require.NoError(t, nc.Drain())
	soon(t, nc.IsClosed, "close")
	soon(t, func() bool {
		nc.events.mu.Lock()
		defer nc.events.mu.Unlock()
		return nc.events.closed
	}, "the end of events")
	nc.events.mu.Lock()
	defer nc.events.mu.Unlock()
	require.Empty(t, nc.events.queue)
}

func TestCloseInADrain(t *testing.T) {
	t.Parallel()
	closed, onClosed := connEvents()
	errs, onErr := errEvents()
	_, nc := connect(t, onErr, ClosedHandler(onClosed))
	_, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 1)
	require.NoError(t, nc.Drain())
	nc.Close()
	got(t, closed, "close")
	require.Empty(t, errs)
	require.NoError(t, nc.LastError())
}

// Drain works in every handler.
func TestDrainInAHandler(t *testing.T) {
	t.Parallel()
	closed, onClosed := connEvents()
	_, nc := connect(t, ClosedHandler(onClosed))
	_, err := nc.Subscribe("foo", func(m *Msg) {
		if err := m.Sub.conn.Drain(); err != nil {
			t.Error(err)
		}
	})
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", nil))
	got(t, closed, "close")
}

// The inner part of a drain that outlasts an outage: the subscriptions end, and
// what was published waits for the next server.
func TestDrainThatOutlastsAnOutage(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]string{"begun in an outage": "before", "lost meanwhile": "during"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lost, onLost := lossEvents()
			srv, nc := connect(t, append(fast(), onLost)...)
			sub, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			publishNumbers(t, nc, "foo", 0, 1)
			begin := func() {
				first, err := nc.startDrain(drainOutlasts)
				require.NoError(t, err)
				require.True(t, first)
			}
			if lose == "during" {
				begin()
			}
			srv.Stop()
			got(t, lost, "loss")
			if lose == "before" {
				begin()
			}
			require.True(t, nc.IsReconnecting())
			require.NoError(t, nc.Publish("kept", []byte("kept")))
			_, err = nc.SubscribeSync("bar")
			require.ErrorIs(t, err, ErrConnectionDraining)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err = sub.NextMsg(patience)
			require.NoError(t, err)
			require.NoError(t, nc.drainSubs(ctx))
			require.Zero(t, nc.NumSubscriptions())
			flushed := make(chan error, 1)
			go func() { flushed <- nc.drainPubs(ctx) }() // ends with ctx
			require.NoError(t, srv.Start())
			require.NoError(t, got(t, flushed, "flush"))
			require.Equal(t, DRAINING_PUBS, nc.Status())
			require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionDraining)
			n, err := nc.Buffered()
			require.NoError(t, err)
			require.Zero(t, n)
		})
	}
}

func TestDrainSubsEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	_, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 1)
	_, err = nc.startDrain(drainOutlasts)
	require.NoError(t, err)
	stop := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 1)
	go func() { done <- nc.drainSubs(ctx) }() // ends with ctx
	cancel(stop)
	require.ErrorIs(t, got(t, done, "the end"), context.Canceled)
}

// Also with AtLeastOnce, where flushes outlive sessions, a subscription that drains
// takes what the server had under way for it.
func TestDrainWithAtLeastOnceTakesWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), make(chan struct{})
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		p.serve(func(f wireFrame) {
			if f.op == "UNSUB" {
				close(asked)
				<-release
				p.say("MSG foo 1 1\r\nx\r\n")
			}
		})
	})
	nc := connectTo(t, srv.url(), AtLeastOnce())
	handled := make(chan string, 1)
	sub, err := nc.Subscribe("foo", func(m *Msg) { handled <- string(m.Data) })
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	require.NoError(t, sub.Drain())
	got(t, asked, "UNSUB")
	require.True(t, sub.IsValid(), "the server has not answered yet")
	close(release)
	require.Equal(t, "x", got(t, handled, "the message that was under way"))
	soon(t, func() bool { return !sub.IsValid() }, "the end")
}

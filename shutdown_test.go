package nats

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func withPatience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func publishAll(t *testing.T, nc *Conn, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, nc.Publish("foo", fmt.Append(nil, i)))
	}
}

func wantAll(t *testing.T, sub *Subscription, n int) {
	t.Helper()
	for i := range n {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err, i)
		require.Equal(t, fmt.Sprint(i), string(m.Data))
	}
}

// Handlers finish what has come, what they publish goes out, and then the
// connection is closed.
func TestShutdownFinishesWhatHasBegun(t *testing.T) {
	t.Parallel()
	s, nc := connect(t)
	closed, onClosed := connEvents()
	nc.SetClosedHandler(onClosed)
	other := connectTo(t, s.URL())
	sub, err := other.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, other.Flush())
	began := make(chan struct{}, 100)
	hold := make(chan struct{})
	_, err = nc.Subscribe("work", func(m *Msg) {
		began <- struct{}{}
		<-hold
		_ = nc.Publish("foo", m.Data)
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	for i := range 10 {
		require.NoError(t, other.Publish("work", fmt.Append(nil, i)))
	}
	got(t, began, "first message")
	done := make(chan error, 1)
	require.NoError(t, other.Flush())
	require.NoError(t, nc.Flush(), "all has come")
	go func() { done <- nc.Shutdown(withPatience(t)) }() // ends with the shutdown
	soon(t, nc.IsDraining, "not draining")
	_, err = nc.SubscribeSync("x")
	require.ErrorIs(t, err, ErrConnectionDraining)
	close(hold)
	require.NoError(t, got(t, done, "shutdown"))
	wantAll(t, sub, 10)
	require.True(t, nc.IsClosed())
	got(t, closed, "closed handler")
	require.ErrorIs(t, nc.Shutdown(withPatience(t)), ErrConnectionClosed)
	require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionClosed)
}

// Without a server it waits for one, and then sends what is buffered.
func TestShutdownWaitsForAServer(t *testing.T) {
	t.Parallel()
	var seen frameLog
	gone, up := make(chan struct{}), make(chan struct{})
	srv := scripted(t, func(p *peerConn) {
		if p.n > 0 {
			<-up
		}
		if _, ok := p.welcome(); !ok {
			return
		}
		if p.n > 0 {
			p.serve(seen.add)
		}
		<-gone
	})
	lost, onLost := lossEvents()
	_, silent := errEvents()
	nc := connectTo(t, srv.url(), append(fast(), onLost, silent)...)
	close(gone)
	got(t, lost, "loss")
	publishAll(t, nc, 100)
	done := make(chan error, 1)
	go func() { done <- nc.Shutdown(withPatience(t)) }() // ends with the shutdown
	soon(t, nc.IsDraining, "not draining")
	require.Empty(t, done)
	close(up)
	require.NoError(t, got(t, done, "shutdown"))
	require.True(t, nc.IsClosed())
	require.Len(t, seen.publishes(), 100)
	st := nc.BufferStats()
	require.Zero(t, st.Undelivered)
	require.EqualValues(t, 100, st.Replayed)
}

// When the context ends first the error has what was not sent.
func TestShutdownHandsBackWhatIsLeft(t *testing.T) {
	t.Parallel()
	undelivered, onUndelivered := undeliveredEvents()
	_, nc := inOutage(t, onUndelivered)
	publishAll(t, nc, 5)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- nc.Shutdown(ctx) }() // ends with the context
	soon(t, func() bool { return errors.Is(nc.Publish("foo", nil), ErrConnectionDraining) }, "publishes are taken")
	extra := nc.BufferStats().Msgs - 5 // of the line above
	cancel()
	err := got(t, done, "shutdown")
	require.ErrorIs(t, err, context.Canceled)
	var e *ShutdownError
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Left, 5+extra)
	for i := range 5 {
		require.Equal(t, fmt.Sprint(i), string(e.Left[i].Data))
		require.Equal(t, "foo", e.Left[i].Subject)
	}
	wantUndelivered(t, undelivered, ErrConnectionClosed, "0", "1", "2", "3", "4")
	require.Zero(t, e.InDoubt)
	require.Zero(t, e.GivenUp)
	require.Contains(t, err.Error(), fmt.Sprintf("%d messages not sent", 5+extra))
	require.True(t, nc.IsClosed())
}

func TestShutdownWhenNoServerIsLeft(t *testing.T) {
	t.Parallel()
	s, nc := connect(t, ReconnectWait(50*time.Millisecond), ReconnectJitter(0, 0), MaxReconnects(3))
	lost, onLost := lossEvents()
	nc.setHandler(func(o *Options) { _ = onLost(o) })
	s.Stop()
	got(t, lost, "loss")
	require.NoError(t, nc.Publish("foo", []byte("x")))
	err := nc.Shutdown(withPatience(t))
	require.ErrorIs(t, err, ErrNoServers)
	var e *ShutdownError
	require.ErrorAs(t, err, &e)
	require.Len(t, e.Left, 1)
}

// A server that is lost during the shutdown with messages on their way leaves
// them in doubt: that is said.
func TestShutdownTellsWhatIsInDoubt(t *testing.T) {
	t.Parallel()
	var published atomic.Int32
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		if p.n > 0 {
			p.serve(nil)
			return
		}
		for {
			f, ok := p.frame()
			if !ok {
				return
			}
			if f.op == "PUB" {
				published.Add(1)
			}
			if f.op == "PING" { // of the shutdown: no answer
				p.cut()
				return
			}
		}
	})
	_, silent := errEvents()
	nc := connectTo(t, srv.url(), append(fast(), silent)...)
	publishAll(t, nc, 7)
	soon(t, func() bool { return published.Load() == 7 }, "not all arrived")
	err := nc.Shutdown(withPatience(t))
	var e *ShutdownError
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, 7, e.InDoubt)
	require.Empty(t, e.Left)
	require.NoError(t, e.Err)
}

// Expired messages are not left, but they did not arrive either.
func TestShutdownTellsWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	s, nc := inOutage(t, ReconnectBufMaxAge(time.Millisecond))
	publishAll(t, nc, 3)
	done := make(chan error, 1)
	go func() { done <- nc.Shutdown(withPatience(t)) }() // ends with the shutdown
	soon(t, func() bool { return nc.BufferStats().Expired == 3 }, "not expired")
	require.NoError(t, s.Start())
	err := got(t, done, "shutdown")
	var e *ShutdownError
	require.ErrorAs(t, err, &e)
	require.EqualValues(t, 3, e.GivenUp)
	require.Empty(t, e.Left)
}

// A server that has stopped reading does not hold a shutdown beyond its context.
func TestShutdownEndsWithItsContext(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			<-over
		}
	})
	t.Cleanup(func() { close(over) })
	nc := connectTo(t, srv.url(), append(fast(), ReconnectBufSize(64<<20))...)
	data := make([]byte, 1<<20)
	for range 30 {
		require.NoError(t, nc.Publish("foo", data))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := nc.Shutdown(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(began), patience/2)
	var e *ShutdownError
	require.ErrorAs(t, err, &e)
	require.NotEmpty(t, e.Left)
	for _, m := range e.Left {
		require.Len(t, m.Data, len(data))
	}
}

// A Drain that loses its server closes the connection, unless a Shutdown has come in.
func TestShutdownOutlastsTheDrainThatItJoins(t *testing.T) {
	t.Parallel()
	draining, joined := make(chan struct{}), make(chan struct{})
	again := make(chan struct{})
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		if p.n > 0 {
			p.serve(nil)
			close(again)
			return
		}
		for f, ok := p.frame(); ok && f.op != "PING"; f, ok = p.frame() {
		}
		close(draining) // its flush is not answered
		<-joined
		p.cut()
	})
	_, silent := errEvents()
	nc := connectTo(t, srv.url(), append(fast(), silent)...)
	publishAll(t, nc, 3)
	require.NoError(t, nc.Drain())
	got(t, draining, "the drain's flush")
	done := make(chan error, 1)
	go func() { done <- nc.Shutdown(withPatience(t)) }() // ends with the shutdown
	soon(t, nc.outlasts, "the shutdown has not joined")
	close(joined)
	var e *ShutdownError
	require.ErrorAs(t, got(t, done, "shutdown"), &e)
	require.NoError(t, e.Err, "it has drained")
	require.EqualValues(t, 3, e.InDoubt)
	got(t, again, "the end of the second session")
}

func TestShutdownJoinsAnother(t *testing.T) {
	t.Parallel()
	s, nc := inOutage(t)
	publishAll(t, nc, 3)
	done := make(chan error, 2)
	for range 2 {
		go func() { done <- nc.Shutdown(withPatience(t)) }() // ends with the shutdown
	}
	soon(t, nc.IsDraining, "not draining")
	require.NoError(t, s.Start())
	first, second := got(t, done, "first"), got(t, done, "second")
	for _, err := range []error{first, second} {
		if !errors.Is(err, ErrConnectionClosed) { // came after the end
			require.NoError(t, err)
		}
	}
}

func TestShutdownBadInput(t *testing.T) {
	t.Parallel()
	var none *Conn
	require.ErrorIs(t, none.Shutdown(context.Background()), ErrInvalidConnection)
	_, nc := connect(t)
	var noContext context.Context
	require.ErrorIs(t, nc.Shutdown(noContext), ErrInvalidContext)
	require.True(t, nc.IsConnected())
}

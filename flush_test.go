package nats

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

func TestFlushArguments(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	var none *Conn
	var noContext context.Context
	done, cancel := context.WithTimeout(t.Context(), patience)
	cancel()
	for _, tc := range []struct {
		name string
		call func() error
		want error
	}{
		{"nil connection", none.Flush, ErrInvalidConnection},
		{"nil connection, context", func() error { return none.FlushWithContext(t.Context()) }, ErrInvalidConnection},
		{"zero timeout", func() error { return nc.FlushTimeout(0) }, ErrBadTimeout},
		{"negative timeout", func() error { return nc.FlushTimeout(-1) }, ErrBadTimeout},
		{"nil context", func() error { return nc.FlushWithContext(noContext) }, ErrInvalidContext},
		{"no deadline", func() error { return nc.FlushWithContext(t.Context()) }, ErrNoDeadlineContext},
		{"cancelled", func() error { return nc.FlushWithContext(done) }, context.Canceled},
		{"good", nc.Flush, nil},
	} {
		require.ErrorIs(t, tc.call(), tc.want, tc.name)
	}
	nc.Close()
	require.ErrorIs(t, nc.Flush(), ErrConnectionClosed)
	n, err := nc.Buffered()
	require.Equal(t, -1, n)
	require.ErrorIs(t, err, ErrConnectionClosed)
}

// PONGs are matched in order: a flush that timed out keeps its place.
func TestFlushTimedOutKeepsItsPlace(t *testing.T) {
	t.Parallel()
	answer := make(chan int, 10)
	s := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		for n := range answer {
			for range n {
				if !p.say("PONG\r\n") {
					return
				}
			}
		}
	})
	t.Cleanup(func() { close(answer) })
	nc := connectTo(t, s.url())
	require.NoError(t, nc.Publish("a", nil))
	require.ErrorIs(t, nc.FlushTimeout(20*time.Millisecond), ErrTimeout)
	require.NoError(t, nc.Publish("a", nil))
	result := make(chan error, 1)
	go func() { result <- nc.FlushTimeout(patience) }() // ends with the second PONG
	soon(t, func() bool { return pingsOut(nc) == 2 }, "no second PING")
	answer <- 1
	soon(t, func() bool { return pingsOut(nc) == 1 }, "first PONG")
	require.Empty(t, result, "the first PONG answers the flush that timed out")
	answer <- 1
	require.NoError(t, got(t, result, "flush"))
}

func pingsOut(nc *Conn) int {
	nc.pings.mu.Lock()
	defer nc.pings.mu.Unlock()
	return len(nc.pings.fifo)
}

// oneFlushParked reports whether a flush waits for the next session.
func oneFlushParked(nc *Conn) func() bool {
	return func() bool {
		nc.pings.mu.Lock()
		defer nc.pings.mu.Unlock()
		return len(nc.pings.parked) == 1
	}
}

// A flush does not count on a PING that went out before it began: the answer to that can
// be on its way already, in front of what the server has sent since.
func TestFlushWaitsForWhatTheServerHasSent(t *testing.T) {
	t.Parallel()
	pinged := make(chan struct{}, 1)
	second := make(chan struct{})
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		p.frame() // SUB
		p.frame() // PING of the first flush
		pinged <- struct{}{}
		<-second
		p.say("PONG\r\n")
		p.frame() // PING of the second
		p.say("MSG foo 1 2\r\nhi\r\nPONG\r\n")
		p.await()
	})
	nc := connectTo(t, s.url())
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	first := make(chan error, 1)
	go func() { first <- nc.FlushTimeout(patience) }() // ends with its PONG
	got(t, pinged, "PING")
	w := nc.pings.flush(true)
	close(second)
	require.NoError(t, got(t, first, "the first flush"))
	require.NoError(t, got(t, w.done, "the second flush"))
	n, _, err := sub.Pending()
	require.NoError(t, err)
	require.Equal(t, 1, n, "the message that came before the answer")
}

// Flushes that time out leave nothing behind, connected or not.
func TestFlushesThatTimeOutDoNotPileUp(t *testing.T) {
	t.Parallel()
	var open atomic.Bool
	open.Store(true)
	s := scripted(t, func(p *peerConn) {
		if !open.Load() {
			return
		}
		if _, ok := p.welcome(); ok {
			p.await()
		}
	})
	lost, onLost := lossEvents()
	nc := connectTo(t, s.url(), append(fast(), onLost)...)
	for range 300 {
		require.ErrorIs(t, nc.FlushTimeout(time.Microsecond), ErrTimeout)
	}
	require.LessOrEqual(t, pingsOut(nc), maxAsked, "then flushes with nothing between them share a PING")
	open.Store(false)
	s.mu.Lock()
	s.conns[0].cut()
	s.mu.Unlock()
	got(t, lost, "loss")
	for range 300 {
		require.ErrorIs(t, nc.FlushTimeout(50*time.Microsecond), ErrTimeout)
	}
	nc.pings.mu.Lock()
	require.Empty(t, nc.pings.parked)
	nc.pings.mu.Unlock()
	n, err := nc.Buffered()
	require.NoError(t, err)
	require.Zero(t, n, "PINGs do not count as buffered")
}

func TestFlushEndsWithTheConnection(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(nc *Conn, p *peerConn)
	}{
		{"closed", func(nc *Conn, _ *peerConn) { nc.Close() }},
		{"lost", func(_ *Conn, p *peerConn) { p.cut() }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			peers := make(chan *peerConn, 10)
			s := scripted(t, func(p *peerConn) {
				if _, ok := p.welcome(); ok {
					peers <- p
					p.await()
				}
			})
			nc := connectTo(t, s.url(), fast()...)
			result := make(chan error, 1)
			go func() { result <- nc.FlushTimeout(patience) }() // ends with the connection
			soon(t, func() bool { return pingsOut(nc) == 1 }, "no PING")
			tc.end(nc, got(t, peers, "connection"))
			require.ErrorIs(t, got(t, result, "flush"), ErrConnectionClosed)
		})
	}
}

// A flush that begins during an outage ends well once the server has what was
// buffered, also if the first attempts to get it there fail before a byte of it
// has left the process.
func TestFlushDuringAnOutage(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	s, nc := connect(t, append(fast(), onLost)...)
	sub, err := connectTo(t, s.URL(), fast()...).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())
	s.Stop()
	got(t, lost, "loss")
	require.NoError(t, nc.Publish("bar", []byte("x")))
	result := make(chan error, 1)
	go func() { result <- nc.FlushTimeout(patience) }() // ends with the reconnect
	soon(t, oneFlushParked(nc), "the flush does not wait")
	require.NoError(t, s.Start())
	require.NoError(t, got(t, result, "flush"))
	n, err := nc.Buffered()
	require.NoError(t, err)
	require.Zero(t, n)
}

// A flush never says that all is well when something of what it covers may be
// gone: here the replay is cut after the kernel took a part of it.
func TestFlushDoesNotLieAboutACutReplay(t *testing.T) {
	t.Parallel()
	var phase atomic.Int32 // 0: serve, 1: hang up, 2: cut in the replay, 3: serve
	s := scripted(t, func(p *peerConn) {
		if phase.Load() == 1 {
			return
		}
		if _, ok := p.welcome(); !ok {
			return
		}
		if phase.Load() != 2 {
			p.serve(nil)
			return
		}
		for range 50 {
			if _, ok := p.frame(); !ok {
				return
			}
		}
		phase.Store(3)
		p.cut()
	})
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	_, silent := errEvents()
	nc := connectTo(t, s.url(), append(fast(), onLost, silent, ReconnectHandler(onBack))...)
	phase.Store(1)
	s.mu.Lock()
	s.conns[0].cut()
	s.mu.Unlock()
	got(t, lost, "loss")
	data := make([]byte, 10_000)
	for range 2000 { // 20 MB, more than sockets take at once
		if nc.Publish("foo", data) != nil {
			break
		}
	}
	result := make(chan error, 1)
	go func() { result <- nc.FlushTimeout(patience) }() // ends with the cut
	soon(t, oneFlushParked(nc), "the flush does not wait")
	phase.Store(2)
	require.ErrorIs(t, got(t, result, "flush"), ErrConnectionClosed)
	got(t, back, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience), "what is left gets there, and a new flush says so")
}

// The rules of pings, without a socket.
func TestPingsLost(t *testing.T) {
	t.Parallel()
	msg := func(box *outbox) { _ = box.publish("s", "", nil, []byte("0123456789"), nil) }
	takeAll := func(box *outbox) {
		var b batch
		box.take(&b)
		box.advance(b.size)
	}
	for _, tc := range []struct {
		name string
		run  func(box *outbox, p *pings) *flushWaiter
		want error // nil: goes on waiting
	}{
		{"begun in the session", func(box *outbox, p *pings) *flushWaiter {
			box.attach(nil, nil, nil)
			p.resume()
			return p.flush(true)
		}, ErrConnectionClosed},
		{"begun before it, nothing sent", func(box *outbox, p *pings) *flushWaiter {
			msg(box)
			w := p.flush(true)
			box.attach(nil, nil, nil)
			p.resume()
			return w
		}, nil},
		{"begun before it, sent and unconfirmed", func(box *outbox, p *pings) *flushWaiter {
			msg(box)
			w := p.flush(true)
			box.attach(nil, nil, nil)
			p.resume()
			takeAll(box)
			return w
		}, ErrConnectionClosed},
		{"begun before it, sent in part and then confirmed so far", func(box *outbox, p *pings) *flushWaiter {
			msg(box)
			box.attach(nil, nil, nil)
			p.resume()
			p.flush(true)
			box.detach()
			p.lost(box.rewind(0), false)
			w := p.flush(true)
			msg(box) // behind the flush, so of no concern to it
			box.attach(nil, nil, nil)
			return w
		}, nil},
		{"nothing was unsent", func(box *outbox, p *pings) *flushWaiter {
			w := p.flush(true)
			box.attach(nil, nil, nil)
			p.resume()
			takeAll(box)
			return w
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
			p := &pings{box: box}
			w := tc.run(box, p)
			box.detach()
			p.lost(box.rewind(0), false)
			if tc.want == nil {
				require.Empty(t, w.done)
				box.attach(nil, nil, nil)
				p.resume()
				takeAll(box)
				require.Equal(t, 1, len(p.fifo))
				p.pong()
			}
			require.ErrorIs(t, got(t, w.done, "result"), tc.want)
		})
	}
}

// A PONG can be here before the writer has accounted for the bytes it answers.
func TestNothingIsBufferedAfterAFlush(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
	p := &pings{box: box}
	box.attach(nil, nil, nil)
	p.resume()
	require.NoError(t, box.publish("s", "", nil, []byte("before"), nil))
	w := p.flush(true)
	require.NoError(t, box.publish("s", "", nil, []byte("behind"), nil))
	var b batch
	require.True(t, box.take(&b))
	p.pong()
	require.NoError(t, got(t, w.done, "result"))
	require.Equal(t, publishSize("s", "", nil, []byte("behind")), box.buffered())
	box.advance(b.size)
	require.Zero(t, box.buffered())
}

func TestUnaskedPongIsIgnored(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
	p := &pings{box: box}
	box.attach(nil, nil, nil)
	p.resume()
	p.pong()
	w := p.flush(true)
	require.Empty(t, w.done)
	p.pong()
	require.NoError(t, got(t, w.done, "result"))
}

// Stale: MaxPingsOut PINGs unanswered end the session at the next tick.
func TestKeepAliveCountsUnansweredPings(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ maxOut, ticks int }{{2, 3}, {1, 2}, {5, 6}, {-1, 1}} {
		box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
		p := &pings{box: box}
		box.attach(nil, nil, nil)
		p.resume()
		ticks := 1
		for !p.keepAlive(tc.maxOut) {
			ticks++
			require.Less(t, ticks, 100)
		}
		require.Equal(t, tc.ticks, ticks, "maximum %d", tc.maxOut)
	}
}

// A slow link is not a dead one: while the last PING waits behind other data and
// the kernel goes on taking bytes, no tick counts.
func TestKeepAliveIsPatientWithASlowLink(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 8 << 20}, &Statistics{})
	p := &pings{box: box}
	box.attach(nil, nil, nil)
	p.resume()
	for range 100 {
		require.NoError(t, box.publish("s", "", nil, make([]byte, 10_000), nil))
	}
	var b batch
	for range 50 {
		require.False(t, p.keepAlive(2))
		require.True(t, box.take(&b))
		box.advance(100)
	}
	require.False(t, p.keepAlive(2))
	require.False(t, p.keepAlive(2))
	require.True(t, p.keepAlive(2), "now nothing moves any more")
}

func TestStaleConnection(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.await()
		}
	})
	lost, onLost := lossEvents()
	nc := connectTo(t, s.url(), append(fast(), onLost, PingInterval(20*time.Millisecond), MaxPingsOutstanding(2))...)
	require.ErrorIs(t, got(t, lost, "loss"), ErrStaleConnection)
	_ = nc
	closed, onClosed := connEvents()
	nc2 := connectTo(t, s.url(), NoReconnect(), ClosedHandler(onClosed), PingInterval(20*time.Millisecond))
	got(t, closed, "close")
	require.ErrorIs(t, nc2.LastError(), ErrStaleConnection)
}

func TestPingTimerKeepsAHealthyConnection(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	lost, onLost := lossEvents()
	const most = 100 // half a second without an answer is a slow machine, not a fault
	nc := connectTo(t, s.URL(), onLost, PingInterval(5*time.Millisecond), MaxPingsOutstanding(most))
	before := nc.out.taken()
	soon(t, func() bool { return nc.out.taken() >= before+uint64((most+5)*len("PING\r\n")) }, "no PINGs")
	require.Empty(t, lost)
	require.Equal(t, CONNECTED, nc.Status())
}

func TestRTT(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	s, nc := connect(t, append(fast(), onLost)...)
	d, err := nc.RTT()
	require.NoError(t, err)
	require.Positive(t, d)
	s.Stop()
	got(t, lost, "loss")
	_, err = nc.RTT()
	require.ErrorIs(t, err, ErrDisconnected)
	nc.Close()
	_, err = nc.RTT()
	require.ErrorIs(t, err, ErrConnectionClosed)
}

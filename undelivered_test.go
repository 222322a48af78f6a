package nats

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// undeliveredEvents returns an option whose channel gets what is given up.
func undeliveredEvents() (chan Undelivered, Option) {
	ch := make(chan Undelivered, 10_000)
	return ch, UndeliveredHandler(func(_ *Conn, u Undelivered) { ch <- u })
}

func wantUndelivered(t *testing.T, ch <-chan Undelivered, reason error, data ...string) {
	t.Helper()
	for _, d := range data {
		u := got(t, ch, "report of "+d)
		require.ErrorIs(t, u.Err, reason)
		require.Equal(t, d, string(u.Msg.Data))
		require.Equal(t, 1, u.Count)
		require.WithinDuration(t, time.Now(), u.Accepted, time.Minute)
	}
}

func TestOverflowDropOldest(t *testing.T) {
	t.Parallel()
	undelivered, onUndelivered := undeliveredEvents()
	s, nc := inOutage(t, ReconnectBufMsgs(3), ReconnectBufOverflow(OverflowDropOldest), onUndelivered)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	for i := range 6 {
		require.NoError(t, nc.Publish("foo", fmt.Append(nil, i)))
	}
	wantUndelivered(t, undelivered, ErrDropped, "0", "1", "2")
	require.NoError(t, s.Start())
	for i := 3; i < 6; i++ {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(m.Data))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	st := nc.BufferStats()
	require.EqualValues(t, 3, st.Dropped)
	require.EqualValues(t, 3, st.Undelivered)
	wantReplayed(t, nc, 3)
	require.Empty(t, undelivered)
}

func TestOverflowDropNewest(t *testing.T) {
	t.Parallel()
	undelivered, onUndelivered := undeliveredEvents()
	s, nc := inOutage(t, ReconnectBufMsgs(2), ReconnectBufOverflow(OverflowDropNewest), onUndelivered)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	hdr := Header{"k": {"v"}}
	for i := range 4 {
		require.NoError(t, nc.PublishMsg(&Msg{Subject: "foo", Header: hdr, Data: fmt.Append(nil, i)}))
	}
	u := got(t, undelivered, "report")
	require.True(t, u.Msg.Equal(&Msg{Subject: "foo", Header: hdr, Data: []byte("2")}))
	wantUndelivered(t, undelivered, ErrDropped, "3")
	require.NoError(t, s.Start())
	for i := range 2 {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i), string(m.Data))
	}
}

// A buffered message that is older than it may be is not sent. Virtual time, the
// outbox alone.
func TestMaxAge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var given []Undelivered
		box := newOutbox(boxLimits{bytes: 1000, maxAge: 10 * time.Second}, &Statistics{})
		box.listen(func() { given = append(given, box.takeGiven()...); box.takeGiven() })
		publish := func(data string, own time.Duration) {
			require.NoError(t, box.publish("s", "", nil, []byte(data), &handling{maxAge: own}))
		}
		start := time.Now()
		publish("old", 0)
		publish("long enough", time.Hour) // the shorter limit wins
		publish("short", 3*time.Second)
		time.Sleep(4 * time.Second)
		box.sweep()
		require.Len(t, given, 1)
		require.Equal(t, "short", string(given[0].Msg.Data))
		require.Equal(t, start, given[0].Accepted)
		publish("younger", 0)
		require.Equal(t, 4*time.Second, box.bufferStats().OldestAge)
		time.Sleep(6*time.Second - time.Millisecond)
		box.sweep()
		require.Len(t, given, 1, "not yet")
		time.Sleep(time.Millisecond)
		box.attach(nil, nil, func() {})
		require.Len(t, given, 3)
		for i, want := range []string{"short", "old", "long enough"} {
			require.Equal(t, want, string(given[i].Msg.Data))
			require.ErrorIs(t, given[i].Err, ErrExpired)
		}
		st := box.bufferStats()
		require.EqualValues(t, 3, st.Expired)
		require.Equal(t, 1, st.Msgs)
		require.Equal(t, 6*time.Second, st.OldestAge)
		var b batch
		require.True(t, box.take(&b))
		require.Equal(t, "PUB s 7\r\nyounger\r\n", string(b.vec[0]))
		box.advance(b.size)
		require.Empty(t, box.ages, "limits of frames that are gone")
	})
}

// What has expired makes room in a full buffer.
func TestMaxAgeMakesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := newOutbox(boxLimits{bytes: 1000, msgs: 2, maxAge: time.Second}, &Statistics{})
		require.NoError(t, box.publish("s", "", nil, nil, nil))
		require.NoError(t, box.publish("s", "", nil, nil, nil))
		require.ErrorIs(t, box.publish("s", "", nil, nil, nil), ErrReconnectBufExceeded)
		time.Sleep(time.Second)
		require.NoError(t, box.publish("s", "", nil, nil, nil))
		require.EqualValues(t, 2, box.bufferStats().Expired)
	})
}

// The buffer is checked against the server that is there, not the one that was.
func TestReplayIsCheckedAgainstTheNewServer(t *testing.T) {
	t.Parallel()
	var log frameLog
	var open atomic.Bool
	s := scripted(t, func(p *peerConn) {
		switch {
		case p.n == 0:
			p.welcome()
		case open.Load():
			p.say(`INFO {"server_id":"small","max_payload":10}` + "\r\n")
			p.line()
			p.serve(log.add)
		}
	})
	lost, onLost := lossEvents()
	undelivered, onUndelivered := undeliveredEvents()
	nc := connectTo(t, s.url(), append(fast(), onLost, onUndelivered)...)
	got(t, lost, "loss")
	require.NoError(t, nc.Publish("a", []byte("fits")))
	require.NoError(t, nc.Publish("a", []byte("does not fit")))
	require.NoError(t, nc.PublishMsg(&Msg{Subject: "a", Header: Header{"k": {"v"}}, Data: []byte("x")}))
	require.NoError(t, nc.Publish("a", []byte("0123456789")))
	require.NoError(t, nc.PublishMsg(&Msg{Subject: "a", Header: Header{"k": nil}}))
	open.Store(true)
	wantUndelivered(t, undelivered, ErrMaxPayload, "does not fit", "x")
	u := got(t, undelivered, "report")
	require.ErrorIs(t, u.Err, ErrMaxPayload)
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, []string{"fits", "0123456789"}, log.publishes())
	require.EqualValues(t, 3, nc.BufferStats().Undelivered)
	require.ErrorIs(t, nc.Publish("a", []byte("does not fit")), ErrMaxPayload)
}

// Before the first server headers are taken, and checked when it is there.
func TestHeadersBeforeTheFirstServer(t *testing.T) {
	t.Parallel()
	for _, headers := range []bool{true, false} {
		t.Run(fmt.Sprint(headers), func(t *testing.T) {
			t.Parallel()
			s := testserver.Run(t, func(o *natsd.Options) { o.NoHeaderSupport = !headers })
			s.Stop()
			undelivered, onUndelivered := undeliveredEvents()
			nc := connectTo(t, s.URL(), append(fast(), RetryOnFailedConnect(true), onUndelivered)...)
			sub, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			require.NoError(t, nc.PublishMsg(&Msg{Subject: "foo", Header: Header{"k": {"v"}}, Data: []byte("x")}))
			require.NoError(t, s.Start())
			if headers {
				m, err := sub.NextMsg(patience)
				require.NoError(t, err)
				require.Equal(t, "v", m.Header.Get("k"))
				return
			}
			wantUndelivered(t, undelivered, ErrHeadersNotSupported, "x")
		})
	}
}

// What is left at Close is reported, before the ClosedHandler.
func TestCloseReportsWhatIsLeft(t *testing.T) {
	t.Parallel()
	undelivered, onUndelivered := undeliveredEvents()
	closed := make(chan int, 1)
	_, nc := inOutage(t, onUndelivered, ClosedHandler(func(*Conn) { closed <- len(undelivered) }))
	for i := range 100 {
		require.NoError(t, nc.Publish("foo", fmt.Append(nil, i)))
	}
	nc.Close()
	require.Equal(t, 100, got(t, closed, "close"))
	for i := range 100 {
		wantUndelivered(t, undelivered, ErrConnectionClosed, fmt.Sprint(i))
	}
	require.EqualValues(t, 100, nc.BufferStats().Undelivered)
	require.Zero(t, nc.BufferStats().Msgs)
}

// The same when no server is left, and when a connected socket takes nothing.
func TestWhatIsLeftIsReportedInEveryEnd(t *testing.T) {
	t.Parallel()
	t.Run("exhausted", func(t *testing.T) {
		t.Parallel()
		undelivered, onUndelivered := undeliveredEvents()
		lost, onLost := lossEvents()
		published := make(chan struct{})
		s, nc := connect(t, onLost, onUndelivered, MaxReconnects(1), CustomReconnectDelay(func(int) time.Duration {
			<-published
			return 0
		}))
		s.Stop()
		got(t, lost, "loss")
		require.NoError(t, nc.Publish("foo", []byte("x")))
		close(published)
		wantUndelivered(t, undelivered, ErrConnectionClosed, "x")
		soon(t, nc.IsClosed, "not closed")
	})
	t.Run("stalled", func(t *testing.T) {
		t.Parallel()
		s := scripted(t, func(p *peerConn) {
			if _, ok := p.welcome(); ok {
				<-t.Context().Done() // reads nothing
			}
		})
		var told atomic.Int64
		nc := connectTo(t, s.url(), ReconnectBufSize(32<<20), UndeliveredHandler(func(_ *Conn, u Undelivered) {
			told.Add(int64(u.Count))
		}))
		nc.setHandler(func(o *Options) { o.Timeout = 50 * time.Millisecond })
		for range 300 {
			require.NoError(t, nc.Publish("foo", make([]byte, 100_000)))
		}
		nc.Close()
		left := nc.BufferStats().Undelivered
		require.Greater(t, left, uint64(100))
		soon(t, func() bool { return told.Load() == int64(left) }, "told %d of %d", told.Load(), left)
	})
}

// A handler that is slow, or stuck, delays nobody and costs little memory, and
// the count stays exact.
func TestSlowUndeliveredHandler(t *testing.T) { // alone, because it looks at the heap
	stuck := make(chan struct{})
	var told, calls atomic.Int64
	_, nc := inOutage(t, ReconnectBufMsgs(10), ReconnectBufOverflow(OverflowDropOldest),
		UndeliveredHandler(func(nc *Conn, u Undelivered) {
			<-stuck
			_ = nc.BufferStats() // under no lock
			told.Add(int64(u.Count))
			calls.Add(1)
		}))
	const messages = 20_000
	data := make([]byte, 1000)
	before := heapInUse()
	start := time.Now()
	for range messages {
		require.NoError(t, nc.Publish("foo", data))
	}
	t.Logf("%v for a publish that gives up another", time.Since(start)/messages)
	grown := int64(heapInUse()) - int64(before)
	require.Less(t, grown, int64(6<<20), "20 MB were given up")
	require.EqualValues(t, messages-10, nc.BufferStats().Undelivered)
	close(stuck)
	soon(t, func() bool { return told.Load() == int64(nc.BufferStats().Undelivered) }, "not everything was told")
	require.Less(t, calls.Load(), int64(messages/2))
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A flush does not say that all is well when something it covers was given up.
func TestFlushDoesNotLieAboutWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		opts []Option
		lose func(nc *Conn)
	}{
		{"dropped", []Option{ReconnectBufMsgs(1), ReconnectBufOverflow(OverflowDropOldest)}, func(nc *Conn) {
			_ = nc.Publish("foo", []byte("second"))
		}},
		{"purged", nil, func(nc *Conn) { nc.PurgeBuffer() }},
		{"expired", []Option{ReconnectBufMaxAge(time.Millisecond)}, func(*Conn) { time.Sleep(5 * time.Millisecond) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, nc := inOutage(t, tc.opts...)
			require.NoError(t, nc.Publish("foo", []byte("first")))
			result := make(chan error, 1)
			go func() { result <- nc.FlushTimeout(patience) }() // ends with the reconnect
			soon(t, oneFlushParked(nc), "the flush does not wait")
			tc.lose(nc)
			require.NoError(t, s.Start())
			require.ErrorIs(t, got(t, result, "flush"), ErrMsgsGivenUp)
			require.NoError(t, nc.FlushTimeout(patience), "a new one covers what is left")
		})
	}
}

// However many messages are refused in however many words while a handler is behind,
// what is kept for it stays within its bounds.
func TestRefusalsWithoutEndAreCountedAsOne(t *testing.T) {
	t.Parallel()
	var g givenUp
	for i := range undeliveredMsgs + 1000 {
		_, err := classify(fmt.Sprintf("Permissions Violation for Publish to \"a.%d\"", i))
		g.add(1, time.Now(), err, func() *Msg { return NewMsg("a") })
	}
	require.Len(t, g.list, undeliveredMsgs)
	require.Equal(t, []Undelivered{{Count: 1000, Err: ErrPermissionViolation}}, g.missed)
}

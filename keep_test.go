package nats

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// keepingBox is an attached outbox that keeps what is unconfirmed.
func keepingBox(limits boxLimits) *outbox {
	box := newOutbox(limits, new(Statistics))
	box.keepAll()
	box.attach(nil, nil, nil)
	return box
}

// sendAll plays a writer that gets rid of everything, and returns how many PINGs
// went out.
func sendAll(box *outbox) (pings int) {
	var b batch
	for {
		box.mu.Lock()
		more := box.pendingLocked()
		box.mu.Unlock()
		if !more {
			return pings
		}
		box.take(&b)
		pings += bytes.Count(bytes.Join(b.vec, nil), pingLine)
		box.advance(b.size)
	}
}

// PINGs go out by bytes and by time, few of them, and none when there is nothing to
// confirm.
func TestKeepingOutboxAsksByBytesAndByTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := keepingBox(boxLimits{bytes: 64 << 20})
		time.Sleep(time.Second)
		require.Zero(t, sendAll(box), "nothing was published")
		require.NoError(t, box.publish("s", "", nil, nil, nil))
		require.Equal(t, 1, sendAll(box), "the last PING is long ago, so one goes along")
		for range 100 {
			require.NoError(t, box.publish("s", "", nil, nil, nil))
			require.Zero(t, sendAll(box), "it is not yet time for another")
		}
		// The writer sleeps; the alarm wakes it.
		sent := make(chan int)
		go func() { // ends with the detach
			var b batch
			pings := 0
			for box.take(&b) {
				pings += bytes.Count(bytes.Join(b.vec, nil), pingLine)
				box.advance(b.size)
			}
			sent <- pings
		}()
		time.Sleep(time.Minute)
		box.detach()
		require.Equal(t, 1, <-sent, "one by the alarm, and none when all is asked")
		box.rewind(0)

		box.attach(nil, nil, nil)
		big := make([]byte, 1000)
		for range 2000 {
			require.NoError(t, box.publish("s", "", nil, big, nil))
		}
		require.InDelta(t, 2000*1000/askBytes, sendAll(box), 2, "by bytes")
		for range 200 {
			require.NoError(t, box.publish("s", "", nil, make([]byte, 200<<10), nil))
		}
		sendAll(box)
		require.LessOrEqual(t, len(box.asked), maxAsked, "PINGs that are out")
	})
}

// What is unsent and unconfirmed together is bounded; a publisher waits for the
// confirmation, which is asked for at once.
func TestKeepingOutboxBackPressure(t *testing.T) {
	t.Parallel()
	for _, limits := range []boxLimits{{bytes: 100}, {bytes: 1 << 20, msgs: 10}} {
		virtually(t, func(t *testing.T) {
			box := keepingBox(limits)
			full := 0
			for box.roomLocked() {
				require.NoError(t, box.publish("s", "", nil, nil, nil))
				full++
			}
			sendAll(box)
			require.Empty(t, box.asked, "it is not yet time to ask")
			done := make(chan error, 1)
			go func() { done <- box.publish("s", "", nil, nil, nil) }() // ends with the PONG
			synctest.Wait()
			require.Empty(t, done, "it waits")
			require.Equal(t, 1, sendAll(box))
			_, ok := box.answered()
			require.True(t, ok)
			require.NoError(t, <-done)
			msgs, _ := box.totalLocked()
			require.EqualValues(t, 1, msgs)
			require.EqualValues(t, full, box.count.released)
		})
	}
}

// atLeastOnce are the options of these tests.
func atLeastOnce(opts ...Option) []Option {
	_, silent := errEvents()
	return append(append(fast(), AtLeastOnce(), silent), opts...)
}

// A connection that is cut again and again at every thinkable place loses nothing;
// first deliveries are in order, and nothing is repeated that was confirmed.
func TestAtLeastOnceThroughCutsEverywhere(t *testing.T) {
	t.Parallel()
	const messages = 3000
	var mu sync.Mutex // an old connection may still be read while there is a new one
	first, repeated, highest := 0, 0, -1
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		room := 200 + p.n*997%30_000 // bytes until the cut
		for room > 0 {
			f, ok := p.frame()
			if !ok {
				return
			}
			room -= len(f.line) + len(f.data) + 4
			switch f.op {
			case "PING":
				p.say("PONG\r\n")
			case "PUB":
				var n int
				_, err := fmt.Sscan(f.data, &n)
				if err != nil {
					return
				}
				mu.Lock()
				switch {
				case n == highest+1:
					highest = n
					first++
				case n <= highest:
					repeated++
				default:
					t.Errorf("%d came before %d", n, highest+1)
				}
				mu.Unlock()
			}
		}
		p.cut()
	})
	nc := connectTo(t, srv.url(), atLeastOnce(ReconnectWait(time.Millisecond))...)
	for i := range messages {
		require.NoError(t, nc.Publish("foo", payloadOf(i, 60)))
	}
	require.NoError(t, nc.FlushTimeout(patience), "a flush lasts through all of it")
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, messages, first)
	st := nc.BufferStats()
	require.EqualValues(t, messages, st.Confirmed)
	require.Zero(t, st.Msgs)
	require.Zero(t, st.InDoubt)
	require.NotZero(t, repeated, "the cuts did nothing")
	require.GreaterOrEqual(t, st.Repeated, uint64(repeated))
	require.NotZero(t, nc.Stats().Reconnects)
}

// The message limit and the bytes limit hold with a server that never answers, and
// when that is found to be stale the next one gets everything.
func TestAtLeastOnceServerThatNeverAnswers(t *testing.T) {
	t.Parallel()
	var seen frameLog
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		if p.n == 0 {
			p.await()
			return
		}
		p.serve(seen.add)
	})
	const limit = 256 << 10
	lost, onLost := lossEvents()
	nc := connectTo(t, srv.url(), atLeastOnce(ReconnectBufSize(limit), onLost,
		ReconnectBufOverflow(OverflowBlock), PingInterval(100*time.Millisecond), MaxPingsOutstanding(2))...)
	published := make(chan int, 1)
	go func() { // ends when the second server has confirmed enough
		for i := range 1000 {
			if err := nc.Publish("foo", payloadOf(i, 1000)); err != nil {
				t.Error(err)
				break
			}
		}
		published <- 1000
	}()
	soon(t, waitingForRoom(nc), "the publisher does not wait")
	var st BufferStats
	soon(t, func() bool { st = nc.BufferStats(); return st.Msgs == st.UnconfirmedMsgs }, "not all is sent")
	require.LessOrEqual(t, st.Bytes, limit+2000)
	require.Equal(t, st.Bytes, st.UnconfirmedBytes)
	require.NotZero(t, st.OldestUnconfirmed)
	require.ErrorIs(t, got(t, lost, "loss"), ErrStaleConnection)
	got(t, published, "the publisher")
	require.NoError(t, nc.FlushTimeout(patience))
	for i, data := range seen.publishes() {
		require.True(t, strings.HasPrefix(data, fmt.Sprint(i, " ")), "message %d", i)
	}
	require.Len(t, seen.publishes(), 1000)
	require.NotZero(t, nc.BufferStats().Repeated)
}

// A message that breaks connections is found among those around it, which all arrive.
func TestAtLeastOnceFindsThePoison(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		end  func(*peerConn)
	}{
		{"hang up", func(*peerConn) {}},
		{"reset", (*peerConn).cut},
		{"violation", func(p *peerConn) { p.say("-ERR 'Maximum Payload Violation'\r\n") }},
		{"control line", func(p *peerConn) { p.say("-ERR 'maximum control line exceeded'\r\n") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			arrived := make(map[string]bool)
			srv := scripted(t, func(p *peerConn) {
				if _, ok := p.welcome(); !ok {
					return
				}
				for {
					f, ok := p.frame()
					switch {
					case !ok:
						return
					case f.op == "PING":
						p.say("PONG\r\n")
					case strings.HasPrefix(f.line, "PUB poison"):
						tc.end(p)
						return
					case f.op == "PUB":
						mu.Lock()
						arrived[f.data] = true
						mu.Unlock()
					}
				}
			})
			undelivered, onUndelivered := undeliveredEvents()
			nc := connectTo(t, srv.url(), atLeastOnce(onUndelivered)...)
			for i := range 50 {
				require.NoError(t, nc.Publish("foo", fmt.Append(nil, i)))
			}
			require.NoError(t, nc.Publish("poison", []byte("P")))
			for i := range 50 {
				require.NoError(t, nc.Publish("foo", fmt.Append(nil, 50+i)))
			}
			u := got(t, undelivered, "report")
			require.ErrorIs(t, u.Err, ErrPoison)
			require.Equal(t, "poison", u.Msg.Subject)
			require.NoError(t, nc.FlushTimeout(patience))
			mu.Lock()
			defer mu.Unlock()
			require.Len(t, arrived, 100)
			require.Empty(t, undelivered)
			require.EqualValues(t, 100, nc.BufferStats().Confirmed)
		})
	}
}

// A publish for which there is no permission is reported, with the message.
func TestAtLeastOncePermissionViolation(t *testing.T) {
	t.Parallel()
	s := testserver.RunConfig(t, `
		authorization { users: [ { user: u, password: p, permissions: { publish: allowed } } ] }
	`)
	undelivered, onUndelivered := undeliveredEvents()
	nc := connectTo(t, s.URL(), atLeastOnce(onUndelivered, UserInfo("u", "p"))...)
	for i := range 10 {
		require.NoError(t, nc.Publish("allowed", fmt.Append(nil, i)))
		require.NoError(t, nc.Publish(`not.al"lowed`, fmt.Append(nil, i)))
	}
	for i := range 10 {
		u := got(t, undelivered, "report")
		require.ErrorIs(t, u.Err, ErrPermissionViolation)
		require.Equal(t, `not.al"lowed`, u.Msg.Subject)
		require.Equal(t, fmt.Sprint(i), string(u.Msg.Data))
	}
	require.NoError(t, nc.Publish("allowed", nil))
	require.NoError(t, nc.FlushTimeout(patience))
	st := nc.BufferStats()
	require.EqualValues(t, 10, st.Undelivered)
	require.EqualValues(t, 11, st.Confirmed)
	require.True(t, nc.IsConnected())
}

// A request that has its reply is not repeated, and one that was given up neither.
func TestAtLeastOnceDoesNotRepeatRequestsThatAreOver(t *testing.T) {
	t.Parallel()
	var seen frameLog
	next := make(chan struct{})
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		for {
			f, ok := p.frame()
			if !ok {
				return
			}
			seen.add(f)
			switch fields := strings.Fields(f.line); {
			case f.op == "PING" && p.n > 0:
				p.say("PONG\r\n")
			case f.op == "PUB" && fields[1] == "answered":
				p.say("MSG %s 1 2\r\nok\r\n", fields[2])
			case f.op == "PUB" && fields[1] == "last" && p.n == 0:
				<-next
				p.cut()
				return
			}
		}
	})
	nc := connectTo(t, srv.url(), atLeastOnce()...)
	m, err := nc.Request("answered", nil, patience)
	require.NoError(t, err)
	require.Equal(t, "ok", string(m.Data))
	_, err = nc.Request("givenup", nil, 50*time.Millisecond)
	require.ErrorIs(t, err, ErrTimeout)
	require.NoError(t, nc.Publish("last", nil))
	soon(t, func() bool { return len(seen.publishes()) == 3 }, "not all arrived")
	close(next)
	require.NoError(t, nc.FlushTimeout(patience))
	count := func(subject string) (n int) {
		for _, line := range seen.lines() {
			if strings.HasPrefix(line, "PUB "+subject+" ") {
				n++
			}
		}
		return n
	}
	require.Equal(t, 1, count("answered"))
	require.Equal(t, 1, count("givenup"))
	require.Equal(t, 2, count("last"))
	st := nc.BufferStats()
	require.EqualValues(t, 1, st.Withdrawn)
	require.EqualValues(t, 2, st.Confirmed)
}

// Close waits for the confirmations; what has none is reported.
func TestAtLeastOnceClose(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, atLeastOnce()...)
	publishAll(t, nc, 100)
	nc.Close()
	st := nc.BufferStats()
	require.EqualValues(t, 100, st.Confirmed)
	require.Zero(t, st.Undelivered)

	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.await()
		}
	})
	undelivered, onUndelivered := undeliveredEvents()
	mute := connectTo(t, srv.url(), atLeastOnce(onUndelivered, Timeout(200*time.Millisecond))...)
	publishAll(t, mute, 3)
	mute.Close()
	wantUndelivered(t, undelivered, ErrConnectionClosed, "0", "1", "2")
}

func TestAtLeastOnceNeedsABuffer(t *testing.T) {
	t.Parallel()
	_, err := Connect("nats://127.0.0.1:1", AtLeastOnce(), ReconnectBufSize(-1))
	require.ErrorIs(t, err, ErrInvalidArg)
	require.ErrorContains(t, err, "ReconnectBufSize")
}

func TestKeepingOutboxPublishAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	box := keepingBox(boxLimits{bytes: 8 << 20})
	data := make([]byte, 128)
	round := func() {
		for range 1000 {
			_ = box.publish("subject", "", nil, data, nil)
		}
		sendAll(box)
		for _, ok := box.answered(); ok; _, ok = box.answered() {
		}
		box.mu.Lock()
		box.askSoonLocked()
		box.mu.Unlock()
	}
	round()
	require.Less(t, testing.AllocsPerRun(100, round), 20.0, "for 1000 publishes")
}

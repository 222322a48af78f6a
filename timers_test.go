package nats

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Everything that waits for time to pass, and the test that holds it to that time,
// in the virtual time of testing/synctest:
//
//	PingInterval, MaxPingsOutstanding       TestKeepAliveOfConnection, TestKeepAliveLimits
//	Timeout of the first connect            TestFirstConnectLeavesNothing
//	Timeout of an attempt in an outage      TestHandshakeTimeoutInAnOutage
//	ReconnectWait                           TestOutageSchedule
//	ReconnectJitter, plain and TLS          TestReconnectJitterOfAnOutage
//	CustomReconnectDelay                    TestOutageCustomDelay
//	ReconnectBackoff                        TestReconnectBackoffOfAnOutage
//	DrainTimeout                            TestDrainTimes
//	the flush of a drain (5 s)              TestDrainTimes
//	Shutdown's context                      TestCallsEndInTime
//	Request, RequestWithContext             TestCallsEndInTime
//	Flush, FlushTimeout, FlushWithContext   TestCallsEndInTime
//	NextMsg, NextMsgWithContext             TestCallsEndInTime
//	Publish that waits (OverflowBlock)      TestBlockedPublishEndsInTime
//	MaxAge, ReconnectBufMaxAge              TestMaxAge, TestMaxAgeOfAnOutage
//	FlusherTimeout of a stalled socket      TestStalledWriteEndsTheSession
//	Close that sends what is left           TestCloseIsPatientForATime
//	the PINGs of AtLeastOnce                TestKeepingOutboxAsksByBytesAndByTime
//	ReconnectReplayRate                     TestReplayRate
//
// AutoUnsubscribe, Barrier and limits wait for no time. Writes to a kernel's socket are
// sliced, which needs one: slowlink_test.go.

// takes runs f and checks how long that took in virtual time.
func takes(t *testing.T, want time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	require.Equal(t, want, time.Since(began))
}

// toServer connects to a server that lets the client in and then does what serve does.
func toServer(t *testing.T, serve func(*memPeer), opts ...Option) (*memNet, *Conn) {
	t.Helper()
	m := newMemNet()
	m.listen("10.0.0.0:4222", func(p *memPeer) {
		if p.welcome() {
			serve(p)
		}
	})
	return m, inMemory(t, m, "10.0.0.0", append([]Option{quiet()}, opts...)...)
}

// withoutServer is a connection in an outage that does not end.
func withoutServer(t *testing.T, opts ...Option) *Conn {
	t.Helper()
	return inMemory(t, newMemNet(), "10.0.0.0", append([]Option{quiet(), RetryOnFailedConnect(true),
		MaxReconnects(-1)}, opts...)...)
}

// Calls that nobody answers, with a timeout and with a context, with a server and
// without one: they end at their time, not before and not behind it.
func TestCallsEndInTime(t *testing.T) {
	t.Parallel()
	const limit = 1234 * time.Millisecond
	for name, c := range map[string]struct {
		call    func(*Conn, context.Context) error
		limit   time.Duration // 0: limit
		timeout error
	}{
		"FlushTimeout":     {func(nc *Conn, _ context.Context) error { return nc.FlushTimeout(limit) }, 0, ErrTimeout},
		"Flush":            {func(nc *Conn, _ context.Context) error { return nc.Flush() }, 10 * time.Second, ErrTimeout},
		"FlushWithContext": {(*Conn).FlushWithContext, 0, context.DeadlineExceeded},
		"Request": {func(nc *Conn, _ context.Context) error {
			_, err := nc.Request("foo", nil, limit)
			return err
		}, 0, ErrTimeout},
		"RequestWithContext": {func(nc *Conn, ctx context.Context) error {
			_, err := nc.RequestWithContext(ctx, "foo", nil)
			return err
		}, 0, context.DeadlineExceeded},
		"NextMsg": {func(nc *Conn, _ context.Context) error {
			_, err := mustSubscribe(nc).NextMsg(limit)
			return err
		}, 0, ErrTimeout},
		"NextMsgWithContext": {func(nc *Conn, ctx context.Context) error {
			_, err := mustSubscribe(nc).NextMsgWithContext(ctx)
			return err
		}, 0, context.DeadlineExceeded},
		"Shutdown": {(*Conn).Shutdown, 0, context.DeadlineExceeded},
	} {
		for _, server := range []bool{true, false} {
			for _, old := range []bool{true, false} {
				t.Run(fmt.Sprint(name, " server=", server, " old=", old), func(t *testing.T) {
					t.Parallel()
					virtually(t, func(t *testing.T) {
						old := func(o *Options) error { o.UseOldRequestStyle = old; return nil }
						var nc *Conn
						if server {
							_, nc = toServer(t, (*memPeer).deaf, old)
						} else {
							nc = withoutServer(t, old)
						}
						ctx, cancel := context.WithTimeout(t.Context(), limit)
						defer cancel()
						want := c.limit
						if want == 0 {
							want = limit
						}
						takes(t, want, func() { require.ErrorIs(t, c.call(nc, ctx), c.timeout) })
					})
				})
			}
		}
	}
}

func mustSubscribe(nc *Conn) *Subscription {
	s, err := nc.SubscribeSync("foo")
	if err != nil {
		panic(err)
	}
	return s
}

// A publish that waits for room waits as long as its context allows, or for ever.
func TestBlockedPublishEndsInTime(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc := withoutServer(t, ReconnectBufMsgs(1), ReconnectBufOverflow(OverflowBlock))
		require.NoError(t, nc.Publish("foo", nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		takes(t, time.Minute, func() {
			require.ErrorIs(t, nc.PublishWithContext(ctx, "foo", nil), context.DeadlineExceeded)
		})
		ended := make(chan error, 1)
		go func() { ended <- nc.Publish("foo", nil) }() // ends with Close
		time.Sleep(24 * time.Hour)
		require.Empty(t, ended)
		nc.Close()
		require.ErrorIs(t, <-ended, ErrConnectionClosed)
	})
}

// A drain gives its subscriptions DrainTimeout, and then the server 5 s.
func TestDrainTimes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		serve func(*memPeer)
		work  time.Duration // of the handler
		patience,
		want time.Duration
		err error // the last one
	}{
		"a handler in time":   {pongsAndOne, 9 * time.Second, 10 * time.Second, 9 * time.Second, nil},
		"a slow handler":      {pongsAndOne, time.Minute, 10 * time.Second, 10 * time.Second, ErrDrainTimeout},
		"no time":             {pongsAndOne, time.Minute, 0, 0, ErrDrainTimeout},
		"a server that hangs": {deafAfterOne, 0, 10 * time.Second, 15 * time.Second, ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				closed := make(chan time.Time, 1)
				_, nc := toServer(t, c.serve, DrainTimeout(c.patience), NoReconnect(),
					ClosedHandler(func(*Conn) { closed <- time.Now() }))
				_, err := nc.Subscribe("foo", func(*Msg) { time.Sleep(c.work) })
				require.NoError(t, err)
				synctest.Wait()
				began := time.Now()
				require.NoError(t, nc.Drain())
				require.Equal(t, c.want, (<-closed).Sub(began))
				require.Equal(t, c.err, nc.LastError())
				time.Sleep(time.Minute) // the handler ends
			})
		})
	}
}

// pongsAndOne sends one message for the first subscription, and answers PINGs.
func pongsAndOne(p *memPeer) {
	_, _ = p.in.ReadString('\n')
	if p.say("MSG foo 1 0\r\n\r\n") {
		p.answer()
	}
}

func deafAfterOne(p *memPeer) {
	_, _ = p.in.ReadString('\n')
	p.deaf()
}

// A server that accepts and says nothing costs an attempt its Timeout; the pause
// comes behind that.
func TestHandshakeTimeoutInAnOutage(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		inMemory(t, m, "10.0.0.0", quiet(), Timeout(3*time.Second), ReconnectWait(2*time.Second))
		m.listen("10.0.0.0:4222", (*memPeer).deaf)
		m.restart()
		close(cut)
		time.Sleep(14 * time.Second)
		require.Equal(t, "10.0.0.0@2s 10.0.0.0@7s 10.0.0.0@12s", m.log())
	})
}

// The jitter is added to the wait; that for TLS where there is to be any.
func TestReconnectJitterOfAnOutage(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			m := newMemNet()
			opts := []Option{quiet(), RetryOnFailedConnect(true), MaxReconnects(-1), ReconnectWait(time.Minute)}
			jitter := time.Second
			if secure {
				opts, jitter = append(opts, Secure()), 10*time.Second
			}
			inMemory(t, m, "10.0.0.0", append(opts, ReconnectJitter(time.Second, 10*time.Second))...)
			time.Sleep(200 * time.Minute)
			at := m.times(t)
			require.Greater(t, len(at), 150)
			most := time.Duration(0)
			for i, d := range at[1:] {
				extra := d - at[i] - time.Minute
				require.GreaterOrEqual(t, extra, time.Duration(0))
				require.Less(t, extra, jitter)
				most = max(most, extra)
			}
			require.Greater(t, most, jitter*3/4, "the whole range is used")
		})
	}
}

// What is too old is given up by the next attempt to connect, though nobody looks.
func TestMaxAgeOfAnOutage(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		var given atomic.Int64
		nc := withoutServer(t, ReconnectWait(time.Second), ReconnectBufMaxAge(10*time.Second),
			UndeliveredHandler(func(*Conn, Undelivered) { given.Add(1) }))
		require.NoError(t, nc.Publish("foo", nil))
		time.Sleep(10*time.Second - time.Millisecond)
		require.Zero(t, given.Load())
		time.Sleep(time.Second)
		require.EqualValues(t, 1, given.Load())
		require.EqualValues(t, 1, nc.BufferStats().Expired)
	})
}

// A socket that takes nothing for FlusherTimeout is given up.
func TestStalledWriteEndsTheSession(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		over := make(chan struct{})
		lost, onLost := lossEvents()
		_, nc := toServer(t, func(*memPeer) { <-over }, func(o *Options) error { o.FlusherTimeout = 7 * time.Second; return nil }, onLost)
		time.Sleep(time.Hour)
		require.Empty(t, lost, "there was nothing to write")
		takes(t, 7*time.Second, func() {
			require.NoError(t, nc.Publish("foo", nil))
			require.ErrorIs(t, <-lost, os.ErrDeadlineExceeded)
		})
		nc.Close()
		close(over)
	})
}

// Close waits for a server that takes nothing for Timeout, for one that is slow up
// to a minute.
func TestCloseIsPatientForATime(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		every, want time.Duration
	}{{time.Second, drainLimit}, {time.Hour, 3 * time.Second}} {
		virtually(t, func(t *testing.T) {
			over := make(chan struct{})
			_, nc := toServer(t, func(p *memPeer) {
				for b := make([]byte, unresumableBytes); ; { // a write and no more of it each time
					select {
					case <-over:
						return
					case <-time.After(c.every):
						_, _ = p.Conn.Read(b)
					}
				}
			}, Timeout(3*time.Second))
			for range 80 {
				require.NoError(t, nc.Publish("foo", make([]byte, unresumableBytes)))
			}
			takes(t, c.want, nc.Close)
			close(over)
		})
	}
}

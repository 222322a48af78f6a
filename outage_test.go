package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The servers s0, s1 … of the tests in this file, all at the default port.
func memServers(n int) (addrs []string, url string) {
	for i := range n {
		addrs = append(addrs, fmt.Sprintf("10.0.0.%d:4222", i))
	}
	return addrs, strings.Join(addrs, ",")
}

// lastOutage connects to s0 of n servers, takes it away for good and returns
// the attempts until the connection is closed, and when that is.
func lastOutage(t *testing.T, n int, opts ...Option) (attempts string, closedAt time.Duration) {
	t.Helper()
	m := newMemNet()
	addrs, url := memServers(n)
	cut := flapping(m, addrs[0])
	closed := make(chan time.Time, 1)
	nc := inMemory(t, m, url, append([]Option{MaxReconnects(3), ReconnectWait(100 * time.Millisecond),
		ClosedHandler(func(*Conn) { closed <- time.Now() })}, opts...)...)
	m.listen(addrs[0], nil)
	synctest.Wait()
	m.restart()
	close(cut)
	end := <-closed
	require.Equal(t, ErrNoServers, nc.LastError())
	require.Equal(t, CLOSED, nc.Status())
	require.Empty(t, nc.Servers())
	return strings.ReplaceAll(m.log(), "10.0.0.", "s"), end.Sub(m.start)
}

// Compatibility 9.7: one wait for each pass over the pool.
func TestOutageSchedule(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		servers int
		opts    []Option
		want    string
		closed  time.Duration
	}{
		{"one server", 1, nil, "s0@100ms s0@200ms s0@300ms", 300 * ms},
		{"two servers", 2, nil, "s1@0s s0@100ms s1@100ms s0@200ms s1@200ms s0@300ms", 300 * ms},
		{"three servers", 3, nil, "s1@0s s2@0s s0@100ms s1@100ms s2@100ms s0@200ms s1@200ms s2@300ms s0@400ms", 400 * ms},
		{"one attempt each", 3, []Option{MaxReconnects(1)}, "s1@0s s2@100ms s0@200ms", 200 * ms},
		{"no attempt at the lost one", 1, []Option{MaxReconnects(0)}, "", 0},
		{"each other one once", 3, []Option{MaxReconnects(0)}, "s1@0s s2@100ms", 100 * ms},
		{"no wait", 2, []Option{ReconnectWait(0), MaxReconnects(1)}, "s1@0s s0@0s", 0},
		{"negative wait", 2, []Option{ReconnectWait(-time.Hour), MaxReconnects(1)}, "s1@0s s0@0s", 0},
		{"negative jitter", 1, []Option{ReconnectJitter(-time.Hour, -time.Hour), MaxReconnects(1)}, "s0@100ms", 100 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				attempts, closed := lastOutage(t, c.servers, c.opts...)
				assert.Equal(t, c.want, attempts)
				assert.Equal(t, c.closed, closed)
			})
		})
	}
}

// Compatibility 9.8 and 9.11: the handler counts the waits of one outage, and is
// not asked when no server is left.
func TestOutageCustomDelay(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		var asked []int
		delay := CustomReconnectDelay(func(n int) time.Duration {
			asked = append(asked, n)
			return time.Duration(n) * time.Second
		})
		attempts, closed := lastOutage(t, 2, delay)
		require.Equal(t, "s1@0s s0@1s s1@1s s0@3s s1@3s s0@6s", attempts)
		require.Equal(t, 6*time.Second, closed)
		require.Equal(t, []int{1, 2, 3}, asked)
	})
}

func TestOutageCountersStartAnew(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		var asked []int
		back, onBack := connEvents()
		nc := inMemory(t, m, "10.0.0.0", MaxReconnects(2), ReconnectHandler(onBack),
			CustomReconnectDelay(func(n int) time.Duration {
				asked = append(asked, n)
				if n == 2 {
					cut = flapping(m, "10.0.0.0:4222")
				}
				return time.Second
			}))
		for range 5 {
			m.listen("10.0.0.0:4222", nil)
			close(cut)
			<-back
			require.Equal(t, 0, poolCounts(nc)["10.0.0.0:4222"])
		}
		require.Equal(t, []int{1, 2, 1, 2, 1, 2, 1, 2, 1, 2}, asked)
		require.EqualValues(t, 5, nc.Stats().Reconnects)
	})
}

// poolCounts returns the attempts since the last success, by address.
func poolCounts(nc *Conn) map[string]int {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	counts := make(map[string]int)
	for _, s := range nc.pool.list {
		counts[s.url.Host] = s.reconnects
	}
	return counts
}

// Compatibility 9.6: after the loss of s0 of [s0 s1 s2] the order is s1, s2, s0 …
func TestOutageRotation(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		addrs, url := memServers(3)
		var cuts []chan struct{}
		for _, a := range addrs {
			cuts = append(cuts, flapping(m, a))
		}
		back, onBack := connEvents()
		nc := inMemory(t, m, url, MaxReconnects(-1), ReconnectHandler(onBack))
		require.Equal(t, "nats://10.0.0.0:4222", nc.ConnectedUrl())
		for i := range 7 {
			close(cuts[i%3])
			cuts[i%3] = flapping(m, addrs[i%3])
			<-back
			require.Equal(t, "nats://"+addrs[(i+1)%3], nc.ConnectedUrl())
			require.Equal(t, "nats://"+addrs[(i+1)%3], nc.Servers()[0])
			require.Len(t, nc.Servers(), 3)
		}
	})
}

// A server that shakes hands badly is one attempt, as one that refuses the dial.
func TestOutageFailedHandshakesCount(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		closed, onClosed := connEvents()
		lost, onLost := lossEvents()
		nc := inMemory(t, m, "10.0.0.0", MaxReconnects(2), ReconnectWait(time.Second), ClosedHandler(onClosed), onLost)
		m.listen("10.0.0.0:4222", func(p *memPeer) { p.say("go away\r\n") })
		m.restart()
		close(cut)
		<-closed
		require.Equal(t, "10.0.0.0@1s 10.0.0.0@2s", m.log())
		require.Equal(t, ErrNoServers, nc.LastError())
		require.EqualValues(t, 2, nc.Stats().Reconnects)
		require.Equal(t, io.EOF, <-lost)
		require.Empty(t, lost, "one loss is one event")
	})
}

func TestOutagePause(t *testing.T) {
	t.Parallel()
	const wait, jitter = 100 * time.Millisecond, 50 * time.Millisecond
	opts := &Options{ReconnectWait: wait, ReconnectJitter: jitter}
	var pauses []time.Duration
	for range 1000 {
		var o outage
		pauses = append(pauses, o.pause(1, opts))
	}
	require.GreaterOrEqual(t, slices.Min(pauses), wait)
	require.Less(t, slices.Max(pauses), wait+jitter)
	require.Greater(t, slices.Max(pauses)-slices.Min(pauses), jitter/2, "the jitter spreads")

	var o outage
	require.Zero(t, o.pause(3, opts))
	require.Zero(t, o.pause(3, opts))
	require.NotZero(t, o.pause(3, opts))
	require.Zero(t, o.pause(3, opts))
	require.NotZero(t, o.pause(1, opts), "a pool that shrank has been passed")
}

// Compatibility 9.8: Close ends a wait at once.
func TestOutageSleepEndsWithClose(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		nc := inMemory(t, m, "10.0.0.0", ReconnectWait(time.Hour))
		m.listen("10.0.0.0:4222", nil)
		close(cut)
		time.Sleep(time.Minute)
		require.Equal(t, RECONNECTING, nc.Status())
		before := time.Now()
		nc.Close()
		<-nc.done
		require.Zero(t, time.Since(before))
		require.Equal(t, "10.0.0.0@0s", m.log(), "no attempt but the first")
	})
}

func TestOutageSleep(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc := &Conn{}
		nc.ctx, nc.cancel = context.WithCancel(t.Context())
		before := time.Now()
		require.True(t, nc.sleep(0))
		require.True(t, nc.sleep(-time.Hour))
		require.Zero(t, time.Since(before))
		require.True(t, nc.sleep(time.Hour))
		require.Equal(t, time.Hour, time.Since(before))
		time.AfterFunc(time.Minute, nc.cancel)
		require.False(t, nc.sleep(time.Hour))
		require.Equal(t, time.Hour+time.Minute, time.Since(before))
		require.False(t, nc.sleep(0))
		require.False(t, nc.sleep(time.Hour))
		require.Equal(t, time.Hour+time.Minute, time.Since(before))
	})
}

// Compatibility 9.13: a first connect that is retried goes through the same loop.
func TestOutageFromTheStart(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		failed := make(chan error, 10)
		connected, onConnect := connEvents()
		nc := inMemory(t, m, "10.0.0.0, 10.0.0.1", RetryOnFailedConnect(true), ReconnectWait(time.Second),
			MaxReconnects(5), NoReconnect(), ConnectHandler(onConnect),
			ReconnectHandler(func(*Conn) { t.Error("a first connect is not a reconnect") }),
			DisconnectErrHandler(func(*Conn, error) { t.Error("there was no server to lose") }),
			ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }))
		require.Equal(t, RECONNECTING, nc.Status())
		require.Equal(t, ErrNoServers, <-failed)
		time.Sleep(2500 * time.Millisecond)
		require.Equal(t, "10.0.0.0@0s 10.0.0.1@0s 10.0.0.0@0s 10.0.0.1@1s 10.0.0.0@1s 10.0.0.1@2s 10.0.0.0@2s", m.log())
		m.listen("10.0.0.1:4222", func(p *memPeer) {
			if p.welcome() {
				p.answer()
			}
		})
		<-connected
		require.Equal(t, 3*time.Second, time.Since(m.start))
		require.Equal(t, CONNECTED, nc.Status())
		require.EqualValues(t, 1, nc.Stats().Reconnects)
		nc.SetDisconnectErrHandler(nil)
	})
}

func TestOutageFromTheStartGivesUp(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		closed, onClosed := connEvents()
		nc := inMemory(t, m, "10.0.0.0", RetryOnFailedConnect(true), ReconnectWait(time.Second),
			MaxReconnects(2), ClosedHandler(onClosed),
			DisconnectErrHandler(func(*Conn, error) { t.Error("there was no server to lose") }))
		<-closed
		require.Equal(t, "10.0.0.0@0s 10.0.0.0@1s 10.0.0.0@2s", m.log())
		require.Equal(t, 2*time.Second, time.Since(m.start))
		require.Equal(t, ErrNoServers, nc.LastError())
		require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionClosed)
	})
}

// Compatibility 5.8: ReconnectErrCB for each attempt that could not dial.
func TestOutageReconnectErrHandler(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		failed := make(chan error, 100)
		lastOutage(t, 3, ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }))
		close(failed)
		var names []string
		for err := range failed {
			var c *connectError
			require.True(t, errors.As(err, &c))
			require.Equal(t, stepDial, c.step)
			require.ErrorContains(t, err, c.server)
			require.ErrorContains(t, err, "connection refused")
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(c.server, "nats://10.0.0."), ":4222"))
		}
		require.Equal(t, "1 2 0 1 2 0 1 2 0", strings.Join(names, " "))
	})
}

package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// unansweredPings lets a session's timer run against a peer that never answers,
// and returns when the session was given up. take is called before each tick and
// can let the outbox's bytes go.
func unansweredPings(t *testing.T, maxOut int, take func(tick int, box *outbox)) (after time.Duration, s *session) {
	t.Helper()
	const every = 100 * time.Millisecond
	box := newOutbox(boxLimits{}, new(Statistics))
	box.attach(nil, nil, nil)
	ended := make(chan struct{})
	s = &session{conn: closeNotifier{ended: ended}}
	p := &pings{box: box}
	p.resume()
	began := time.Now()
	s.startPings(every, maxOut, p)
	for tick := 1; ; tick++ {
		select {
		case <-ended:
			return time.Since(began), s
		case <-time.After(every - time.Millisecond):
			take(tick, box)
		}
		if time.Since(began) > time.Hour {
			s.stopPings()
			return 0, s
		}
		select {
		case <-ended:
			return time.Since(began), s
		case <-time.After(time.Millisecond):
		}
	}
}

// closeNotifier is a connection that can only be closed.
type closeNotifier struct {
	memPeer
	ended chan struct{}
}

func (c closeNotifier) Close() error {
	close(c.ended)
	return nil
}

func takeNothing(int, *outbox) {}

// Compatibility 9.23: with n, n PINGs go unanswered, and tick n+1 is the end.
func TestKeepAliveLimits(t *testing.T) {
	t.Parallel()
	for maxOut, want := range map[int]time.Duration{
		2: 300 * time.Millisecond, 1: 200 * time.Millisecond, 7: 800 * time.Millisecond,
		0: 100 * time.Millisecond, -1: 100 * time.Millisecond,
	} {
		virtually(t, func(t *testing.T) {
			after, s := unansweredPings(t, maxOut, takeNothing)
			require.Equal(t, want, after, "%d", maxOut)
			require.Equal(t, loss{err: ErrStaleConnection}, s.cause())
		})
	}
}

// drainBox lets the kernel take up to n bytes of what is there.
func drainBox(box *outbox, n int) {
	var b batch
	box.mu.Lock()
	pending := box.pendingLocked()
	box.mu.Unlock()
	if pending && box.take(&b) {
		box.advance(min(n, b.size))
	}
}

// A link that takes bytes all the time is slow, not dead, as long as the PING is
// still on its way; once it is out an answer can be expected.
func TestKeepAliveSlowLink(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		fill := func(box *outbox) {
			require.NoError(t, box.publish("foo", "", nil, make([]byte, 10_000), nil))
		}
		after, s := unansweredPings(t, 2, func(tick int, box *outbox) {
			if tick == 1 {
				fill(box)
			}
			if tick >= 2 {
				drainBox(box, 200) // the PING of tick 1 is out after about 50 ticks
			}
		})
		require.Greater(t, after, 5*time.Second)
		require.Less(t, after, 6*time.Second)
		require.Equal(t, ErrStaleConnection, s.cause().err)
	})
	virtually(t, func(t *testing.T) {
		after, _ := unansweredPings(t, 2, func(tick int, box *outbox) {
			if tick == 1 {
				require.NoError(t, box.publish("foo", "", nil, make([]byte, 10_000), nil))
			}
		})
		require.Equal(t, 300*time.Millisecond, after, "it takes nothing: it is dead")
	})
}

// Any PONG starts the count anew.
func TestKeepAlivePong(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		box := newOutbox(boxLimits{}, new(Statistics))
		box.attach(nil, nil, nil)
		p := &pings{box: box}
		p.resume()
		for range 10 {
			require.False(t, p.keepAlive(2))
			require.False(t, p.keepAlive(2))
			p.pong()
		}
		require.False(t, p.keepAlive(2))
		require.False(t, p.keepAlive(2))
		require.True(t, p.keepAlive(2))
	})
}

func TestKeepAliveStops(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		box := newOutbox(boxLimits{}, new(Statistics))
		box.attach(nil, nil, nil)
		s := &session{conn: closeNotifier{ended: make(chan struct{})}}
		s.startPings(0, 2, &pings{box: box})
		s.startPings(-time.Second, 2, &pings{box: box})
		require.Nil(t, s.ping, "no interval, no pings")
		s.startPings(time.Second, 2, &pings{box: box})
		time.Sleep(1500 * time.Millisecond)
		s.stopPings()
		time.Sleep(time.Hour)
		require.Nil(t, s.lost)
	})
}

// The same on a whole connection.
func TestKeepAliveOfConnection(t *testing.T) {
	t.Parallel()
	const every = 100 * time.Millisecond
	for _, c := range []struct {
		maxOut int
		want   time.Duration
	}{{2, 3 * every}, {1, 2 * every}, {-1, every}} {
		virtually(t, func(t *testing.T) {
			lost, onLost := lossEvents()
			back, onBack := connEvents()
			m := newMemNet()
			m.listen("10.0.0.0:4222", func(p *memPeer) {
				p.welcome()
				p.deaf()
			})
			inMemory(t, m, "10.0.0.0", PingInterval(every), MaxPingsOutstanding(c.maxOut), ReconnectWait(0),
				onLost, ReconnectHandler(onBack))
			for i := range 4 { // with each connection the timer begins anew
				require.Equal(t, ErrStaleConnection, <-lost)
				require.Equal(t, c.want*time.Duration(i+1), time.Since(m.start))
				<-back
			}
		})
	}
}

// Compatibility 9.25, and the meaning of zero.
func TestKeepAliveCloses(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			p.welcome()
			p.deaf()
		})
		nc := inMemory(t, m, "10.0.0.0", PingInterval(time.Second), MaxPingsOutstanding(0), NoReconnect())
		<-nc.done
		require.Equal(t, 3*time.Second, time.Since(m.start))
		require.Equal(t, ErrStaleConnection, nc.LastError())
		require.Equal(t, CLOSED, nc.Status())
	})
}

// A server that answers is kept, one that is not asked too.
func TestKeepAliveOfGoodConnection(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		flapping(m, "10.0.0.0:4222")
		m.listen("10.0.0.1:4222", func(p *memPeer) {
			p.welcome()
			p.deaf()
		})
		asked := inMemory(t, m, "10.0.0.0", PingInterval(time.Second), NoReconnect())
		unasked := inMemory(t, m, "10.0.0.1", PingInterval(0), NoReconnect())
		time.Sleep(time.Hour)
		require.Equal(t, CONNECTED, asked.Status())
		require.Equal(t, CONNECTED, unasked.Status())
	})
}

package nats

import (
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// gate holds up handlers of a test until it opens, at the latest at its end.
type gate struct {
	ch   chan struct{}
	once sync.Once
}

func newGate(t testing.TB) *gate {
	g := &gate{ch: make(chan struct{})}
	t.Cleanup(g.open)
	return g
}

func (g *gate) open() { g.once.Do(func() { close(g.ch) }) }
func (g *gate) wait() { <-g.ch }

// awaitIdle waits until the delivery goroutine of a subscription has ended.
func awaitIdle(t testing.TB, s *Subscription) {
	t.Helper()
	soon(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return !s.working
	}, "end of the delivery goroutine")
}

// awaitSubs waits until a connection has n subscriptions.
func awaitSubs(t testing.TB, nc *Conn, n int) {
	t.Helper()
	soon(t, func() bool { return nc.NumSubscriptions() == n }, "%d subscriptions", n)
}

// wantNoMore checks that an ended subscription gives no message any more.
func (r *subRig) wantNoMore(t testing.TB, want error) {
	t.Helper()
	soon(t, func() bool { return !r.sub.IsValid() }, "end of the subscription")
	awaitIdle(t, r.sub)
	require.Empty(t, r.ch)
	if r.sub.Type() == SyncSubscription {
		_, err := r.sub.NextMsg(0)
		require.Equal(t, want, err)
	}
}

// The client keeps to the maximum by itself.
func TestAutoUnsubscribeAgainstServerThatSendsMore(t *testing.T) {
	t.Parallel()
	eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
		_, p, nc := connectPeer(t)
		r := newSubRig(t, nc, kind, "foo", "")
		require.NoError(t, r.sub.AutoUnsubscribe(3))
		p.deliver(t, r.sub, 0, 10)
		r.wants(t, 0, 3)
		r.wantNoMore(t, ErrMaxMessages)
		p.deliver(t, r.sub, 10, 10)
		r.wantNoMore(t, ErrMaxMessages)
		awaitSubs(t, nc, 0)
		require.Equal(t, ErrBadSubscription, r.sub.AutoUnsubscribe(50))
	})
}

func TestAutoUnsubscribeChanged(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first, taken, second int
		total                int // messages in all
		end                  error
	}{
		"set late":               {0, 4, 6, 6, ErrMaxMessages},
		"raised":                 {3, 2, 6, 6, ErrMaxMessages},
		"lowered":                {10, 3, 5, 5, ErrMaxMessages},
		"lowered to the present": {10, 4, 4, 4, ErrMaxMessages},
		"lowered below":          {10, 4, 2, 4, ErrMaxMessages},
		"set below":              {0, 4, 1, 4, ErrMaxMessages},
		"lowered to 0":           {10, 4, 0, 4, ErrBadSubscription},
		"lowered to -1":          {10, 4, -1, 4, ErrBadSubscription},
	} {
		t.Run(name, func(t *testing.T) {
			eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
				_, p, nc := connectPeer(t)
				r := newSubRig(t, nc, kind, "foo", "")
				if c.first > 0 {
					require.NoError(t, r.sub.AutoUnsubscribe(c.first))
				}
				p.deliver(t, r.sub, 0, c.taken)
				r.wants(t, 0, c.taken)
				awaitIdle(t, r.sub)
				require.True(t, r.sub.IsValid())
				require.NoError(t, r.sub.AutoUnsubscribe(c.second))
				require.Equal(t, c.total > c.taken, r.sub.IsValid())
				p.deliver(t, r.sub, c.taken, 20)
				r.wants(t, c.taken, c.total-c.taken)
				r.wantNoMore(t, c.end)
				awaitSubs(t, nc, 0)
				require.NoError(t, nc.FlushTimeout(patience))
				lines := p.subLines()
				if c.total == c.taken {
					require.Equal(t, "UNSUB 1 ", lines[len(lines)-1], "the server is told at once")
				}
			})
		})
	}
}

// The server forgets the subscription too.
func TestAutoUnsubscribeOnServer(t *testing.T) {
	t.Parallel()
	srv, nc := connect(t, unhurried())
	for _, kind := range subKinds {
		r := newSubRig(t, nc, kind, "foo", "")
		require.NoError(t, r.sub.AutoUnsubscribe(5))
		publishNumbers(t, nc, "foo", 0, 10)
		r.wants(t, 0, 5)
		r.wantNoMore(t, ErrMaxMessages)
		require.NoError(t, nc.FlushTimeout(patience))
		z, err := srv.Server().Connz(&natsserver.ConnzOptions{Subscriptions: true})
		require.NoError(t, err)
		require.Len(t, z.Conns, 1)
		require.Empty(t, z.Conns[0].Subs)
		require.EqualValues(t, 5*(1+int(kind)), nc.Stats().InMsgs, "no more than asked for were sent")
	}
}

func TestAutoUnsubscribeInHandler(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	calls := make(chan int64, 10)
	var sub *Subscription
	sub, err := nc.Subscribe("foo", func(m *Msg) {
		n, err := m.Sub.Delivered()
		assert.NoError(t, err)
		calls <- n
		if n == 2 {
			assert.NoError(t, m.Sub.AutoUnsubscribe(4))
		}
		if n == 4 {
			assert.True(t, m.Sub.IsValid(), "until the last call is over")
		}
	})
	require.NoError(t, err)
	p.deliver(t, sub, 0, 10)
	for want := range int64(4) {
		require.Equal(t, want+1, got(t, calls, "call"), "the call itself counts")
	}
	awaitSubs(t, nc, 0)
	awaitIdle(t, sub)
	require.Empty(t, calls)
}

// A new session is told what is left of the maximum. What a synchronous
// subscription has queued is not subtracted, because it may never be taken.
func TestAutoUnsubscribeReplay(t *testing.T) {
	t.Parallel()
	peer, p, nc := connectPeer(t, fast()...)
	plain := newSubRig(t, nc, AsyncSubscription, "a", "")
	taken := newSubRig(t, nc, SyncSubscription, "b", "q")
	channel := newSubRig(t, nc, ChanSubscription, "c", "")
	hold := newGate(t)
	entered := make(chan struct{})
	handling, err := nc.Subscribe("d", func(*Msg) { close(entered); hold.wait() })
	require.NoError(t, err)
	queued := newSubRig(t, nc, SyncSubscription, "e", "")
	async := newSubRig(t, nc, AsyncSubscription, "f", "")
	over := newSubRig(t, nc, AsyncSubscription, "g", "")
	for sub, max := range map[*Subscription]int{
		taken.sub: 5, channel.sub: 4, handling: 1, queued.sub: 2, async.sub: 9, over.sub: 1,
	} {
		require.NoError(t, sub.AutoUnsubscribe(max))
	}
	p.deliver(t, plain.sub, 0, 3)
	p.deliver(t, taken.sub, 0, 3)
	taken.wants(t, 0, 2)
	p.deliver(t, channel.sub, 0, 1)
	p.deliver(t, handling, 0, 1)
	got(t, entered, "call of the handler")
	p.deliver(t, queued.sub, 0, 2)
	p.deliver(t, async.sub, 0, 2)
	async.wants(t, 0, 2)
	p.deliver(t, over.sub, 0, 1)
	over.wants(t, 0, 1)
	over.wantNoMore(t, nil)

	p.cut()
	p = got(t, peer.sessions, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	require.ElementsMatch(t, []string{
		"SUB a  1",
		"SUB b q 2", "UNSUB 2 3",
		"SUB c  3", "UNSUB 3 3",
		"UNSUB 4 ", // its one message is in the handler
		"SUB e  5", "UNSUB 5 2",
		"SUB f  6", "UNSUB 6 7",
	}, p.subLines())
	before := len(p.subLines())

	// The server counts from the reconnect on, so of these it would keep two.
	p.deliver(t, taken.sub, 3, 5)
	taken.wants(t, 2, 3)
	taken.wantNoMore(t, ErrMaxMessages)
	queued.wants(t, 0, 2)
	queued.wantNoMore(t, ErrMaxMessages)
	p.deliver(t, channel.sub, 1, 5)
	channel.wants(t, 0, 4)
	channel.wantNoMore(t, nil)
	p.deliver(t, async.sub, 2, 20)
	async.wants(t, 2, 7)
	async.wantNoMore(t, nil)
	require.NoError(t, nc.FlushTimeout(patience))
	after := p.subLines()[before:]
	require.Contains(t, after, "UNSUB 2 ")
	require.Contains(t, after, "UNSUB 5 ")
	hold.open()
	awaitSubs(t, nc, 1)
}

// A message can reach the maximum at the very moment when AutoUnsubscribe sets
// it. The server must be told of the maximum or of the end all the same, or it
// goes on sending for ever. The read loop and the program meet here as often as
// they can.
func TestAutoUnsubscribeDuringDelivery(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"Subscribe", "SubscribeSync", "ChanSubscribe"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			subs := 5000
			if raceEnabled {
				subs = 1000
			}
			nc := newConn(GetDefaultOptions(), nil)
			defer nc.cancel()
			nc.subs.attach(nil, func() {})
			var current atomic.Pointer[Subscription]
			var over atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() { // the read loop
				in := &reader{nc: nc}
				in.parser = parser{sink: in, maxPayload: 100}
				for !over.Load() {
					if s := current.Load(); s != nil {
						assert.NoError(t, in.feed([]byte("MSG foo "+sidOf(s)+" 0\r\n\r\n")))
					}
					runtime.Gosched()
				}
			})
			wg.Go(func() { // takes what no handler takes
				for !over.Load() {
					if s := current.Load(); s != nil {
						_, _ = s.NextMsg(0)
					}
					runtime.Gosched()
				}
			})
			defer wg.Wait()
			defer over.Store(true)
			for range subs {
				s, err := subscribeForms[form].call(nc, "foo", "", false)
				require.NoError(t, err)
				current.Store(s)
				var delivered int64
				spin(t, func() bool { delivered, _ = s.Delivered(); return delivered > 0 })
				require.NoError(t, s.AutoUnsubscribe(int(delivered)+rand.IntN(3)))
				spin(t, func() bool { return nc.subs.lookup(s.sid) == nil })
			}
			untold := map[string]bool{}
			for _, l := range linesOf(t, nc.out) {
				if f := strings.Fields(l); f[0] == "SUB" {
					untold[f[2]] = true
				} else {
					delete(untold, f[1])
				}
			}
			require.Empty(t, untold, "subscriptions that the server still has")
		})
	}
}

// spin waits for a condition that is to be met at the very moment it holds.
func spin(t testing.TB, cond func() bool) {
	t.Helper()
	for start := time.Now(); !cond(); runtime.Gosched() {
		require.Less(t, time.Since(start), patience)
	}
}

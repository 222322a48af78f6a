package nats

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// nextForms are the two ways to call NextMsg, without and with waiting.
var nextForms = map[string]func(*Subscription) (*Msg, error){
	"timeout 0": func(s *Subscription) (*Msg, error) { return s.NextMsg(0) },
	"timeout":   func(s *Subscription) (*Msg, error) { return s.NextMsg(patience) },
	"context": func(s *Subscription) (*Msg, error) {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return s.NextMsgWithContext(ctx)
	},
}

func TestNextMsgErrors(t *testing.T) {
	t.Parallel()
	type setup func(t *testing.T, p *peerSession, nc *Conn) *Subscription
	filled := func(kind SubscriptionType, end func(*Subscription)) setup {
		return func(t *testing.T, p *peerSession, nc *Conn) *Subscription {
			r := newSubRig(t, nc, kind, "foo", "")
			p.deliver(t, r.sub, 0, 2)
			end(r.sub)
			return r.sub
		}
	}
	closeConn := func(s *Subscription) { s.conn.Close() }
	unsubscribe := func(s *Subscription) { _ = s.Unsubscribe() }
	for name, c := range map[string]struct {
		setup setup
		want  error
	}{
		"nil":                {func(*testing.T, *peerSession, *Conn) *Subscription { return nil }, ErrBadSubscription},
		"closed, sync":       {filled(SyncSubscription, closeConn), ErrConnectionClosed},
		"closed, async":      {filled(AsyncSubscription, closeConn), ErrConnectionClosed},
		"closed, chan":       {filled(ChanSubscription, closeConn), ErrConnectionClosed},
		"unsubscribed":       {filled(SyncSubscription, unsubscribe), ErrBadSubscription},
		"unsubscribed async": {filled(AsyncSubscription, unsubscribe), ErrBadSubscription},
		"max of 0":           {filled(SyncSubscription, func(s *Subscription) { _ = s.AutoUnsubscribe(0) }), ErrBadSubscription},
		"max reached": {filled(SyncSubscription, func(s *Subscription) {
			_ = s.AutoUnsubscribe(1)
			_, _ = s.NextMsg(0)
		}), ErrMaxMessages},
		"max lowered to what was delivered": {filled(SyncSubscription, func(s *Subscription) {
			_ = s.AutoUnsubscribe(5)
			_, _ = s.NextMsg(0)
			_ = s.AutoUnsubscribe(1)
		}), ErrMaxMessages},
		"async": {filled(AsyncSubscription, func(*Subscription) {}), ErrSyncSubRequired},
		"slow": {func(t *testing.T, p *peerSession, nc *Conn) *Subscription {
			r := newSubRig(t, nc, SyncSubscription, "foo", "")
			require.NoError(t, r.sub.SetPendingLimits(1, -1))
			p.deliver(t, r.sub, 0, 2)
			return r.sub
		}, ErrSlowConsumer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, nc := connectPeer(t, quiet())
			for form, next := range nextForms {
				s := c.setup(t, p, nc)
				m, err := next(s)
				require.Equal(t, c.want, err, form)
				require.Nil(t, m)
				if c.want == ErrSlowConsumer {
					m, err = next(s)
					require.NoError(t, err, "the flag is told once")
					require.Equal(t, "0", string(m.Data))
				}
				if c.want == ErrConnectionClosed {
					_, p, nc = connectPeer(t)
				}
			}
		})
	}
}

func TestNextMsgTimeout(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	for _, timeout := range []time.Duration{0, -time.Hour, 5 * time.Millisecond} {
		start := time.Now()
		m, err := r.sub.NextMsg(timeout)
		require.Equal(t, ErrTimeout, err)
		require.Nil(t, m)
		require.GreaterOrEqual(t, time.Since(start), timeout)
	}
	p.deliver(t, r.sub, 0, 3)
	for i, timeout := range []time.Duration{0, -time.Hour, patience} {
		m, err := r.sub.NextMsg(timeout)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
		require.Same(t, r.sub, m.Sub)
	}
	require.True(t, r.sub.IsValid(), "a timeout does not end a subscription")
}

func TestNextMsgContext(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	var noCtx context.Context
	_, err := r.sub.NextMsgWithContext(noCtx)
	require.Equal(t, ErrInvalidContext, err)
	_, err = (*Subscription)(nil).NextMsgWithContext(noCtx)
	require.Equal(t, ErrInvalidContext, err, "a nil context comes first")

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	_, err = r.sub.NextMsgWithContext(ctx)
	require.Equal(t, context.DeadlineExceeded, err)

	p.deliver(t, r.sub, 0, 1)
	_, err = r.sub.NextMsgWithContext(ctx)
	require.Equal(t, context.DeadlineExceeded, err, "also if a message is there")
	m, err := r.sub.NextMsgWithContext(t.Context())
	require.NoError(t, err)
	require.Equal(t, "0", string(m.Data))

	ctx, cancel = context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() {
		_, err := r.sub.NextMsgWithContext(ctx)
		result <- err
	}()
	awaitWaiters(t, r.sub, 1)
	cancel()
	require.Equal(t, context.Canceled, got(t, result, "end of the wait"))
	awaitWaiters(t, r.sub, 0)
}

// awaitWaiters waits until n calls of NextMsg wait for a message.
func awaitWaiters(t testing.TB, s *Subscription, n int) {
	t.Helper()
	soon(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.waiters) == n
	}, "%d waiters", n)
}

func TestNextMsgNoResponders(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	inbox := NewInbox()
	s, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	for form, next := range nextForms {
		require.NoError(t, nc.PublishRequest("nobody.home", inbox, nil))
		require.NoError(t, nc.FlushTimeout(patience))
		m, err := next(s)
		require.Equal(t, ErrNoResponders, err, form)
		require.Nil(t, m)
	}
}

func TestWaitingNextMsgIsReleased(t *testing.T) {
	t.Parallel()
	const waiters = 5
	for name, c := range map[string]struct {
		kinds   []SubscriptionType
		release func(t *testing.T, p *peerSession, s *Subscription)
		want    error
		served  int // waiters that get a message instead
	}{
		"Unsubscribe": {
			kinds:   []SubscriptionType{SyncSubscription, ChanSubscription},
			release: func(t *testing.T, _ *peerSession, s *Subscription) { require.NoError(t, s.Unsubscribe()) },
			want:    ErrBadSubscription,
		},
		"AutoUnsubscribe of 0": {
			kinds:   []SubscriptionType{SyncSubscription},
			release: func(t *testing.T, _ *peerSession, s *Subscription) { require.NoError(t, s.AutoUnsubscribe(0)) },
			want:    ErrBadSubscription,
		},
		"Close": {
			kinds:   []SubscriptionType{SyncSubscription, ChanSubscription},
			release: func(_ *testing.T, _ *peerSession, s *Subscription) { s.conn.Close() },
			want:    ErrConnectionClosed,
		},
		"last message of the maximum": {
			kinds: []SubscriptionType{SyncSubscription},
			release: func(t *testing.T, p *peerSession, s *Subscription) {
				require.NoError(t, s.AutoUnsubscribe(3)) // the setup takes one
				p.deliver(t, s, 1, 5)
			},
			want:   ErrMaxMessages,
			served: 2,
		},
		"maximum lowered to what was delivered": {
			kinds:   []SubscriptionType{SyncSubscription},
			release: func(t *testing.T, _ *peerSession, s *Subscription) { require.NoError(t, s.AutoUnsubscribe(1)) },
			want:    ErrMaxMessages,
		},
	} {
		for _, kind := range c.kinds {
			t.Run(name+", "+subKindNames[kind], func(t *testing.T) {
				t.Parallel()
				_, p, nc := connectPeer(t)
				r := newSubRig(t, nc, kind, "foo", "")
				p.deliver(t, r.sub, 0, 1)
				r.wants(t, 0, 1)
				results := make(chan error, waiters)
				for i := range waiters {
					form := []string{"timeout", "context"}[i%2]
					go func() {
						_, err := nextForms[form](r.sub)
						results <- err
					}()
				}
				awaitWaiters(t, r.sub, waiters)
				c.release(t, p, r.sub)
				served := 0
				for range waiters {
					if err := got(t, results, "end of a wait"); err == nil {
						served++
					} else {
						assert.Equal(t, c.want, err)
					}
				}
				require.Equal(t, c.served, served)
				require.False(t, r.sub.IsValid())
			})
		}
	}
}

func TestNextMsgOutlastsDisconnect(t *testing.T) {
	t.Parallel()
	peer, p, nc := connectPeer(t, fast()...)
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	data := make(chan string, 1)
	go func() {
		m, err := r.sub.NextMsg(patience)
		if err != nil {
			data <- err.Error()
			return
		}
		data <- string(m.Data)
	}()
	awaitWaiters(t, r.sub, 1)
	p.cut()
	p = got(t, peer.sessions, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	p.deliver(t, r.sub, 7, 1)
	require.Equal(t, "7", got(t, data, "message"))
}

func TestNextMsgFromManyGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, msgs = 4, 2000
	_, nc := connect(t, unhurried())
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	var wg sync.WaitGroup
	taken := make([][]int, goroutines)
	for g := range goroutines {
		wg.Go(func() {
			// Two of them give up all the time, at every moment of an arrival.
			timeout := []time.Duration{patience, 20 * time.Microsecond}[g%2]
			for {
				m, err := s.NextMsg(timeout)
				if err == ErrTimeout && timeout < patience {
					continue
				}
				if err != nil {
					assert.Equal(t, ErrMaxMessages, err)
					return
				}
				n, _ := strconv.Atoi(string(m.Data))
				taken[g] = append(taken[g], n)
			}
		})
	}
	require.NoError(t, s.AutoUnsubscribe(msgs))
	publishNumbers(t, nc, "foo", 0, msgs)
	wg.Wait()
	seen := make([]int, msgs)
	for _, list := range taken {
		for i, n := range list {
			seen[n]++
			require.True(t, i == 0 || list[i-1] < n, "%d after %d", n, list[max(0, i-1)])
		}
	}
	for n, times := range seen {
		require.Equal(t, 1, times, "message %d", n)
	}
}

// A message wakes one waiter. If that one is just giving up, another that waits
// must get it.
func TestNextMsgPassesWakeUpOn(t *testing.T) {
	t.Parallel()
	s := &Subscription{conn: &Conn{}, kind: SyncSubscription}
	quitter := &nextWaiter{ready: make(chan struct{}, 1)}
	s.waiters = append(s.waiters, quitter)
	result := make(chan error, 1)
	go func() {
		_, err := s.NextMsg(patience)
		result <- err
	}()
	awaitWaiters(t, s, 2)
	var run msgRun
	run.add(&Msg{}, false)
	s.push(&run)
	s.stopWaiting(quitter)
	require.NoError(t, got(t, result, "message for the one that stays"))
}

func TestNextMsgOnChannel(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, ChanSubscription, "foo", "")
	p.deliver(t, r.sub, 0, 2)
	for i := range 2 {
		m, err := r.sub.NextMsg(0)
		require.NoError(t, err)
		require.Equal(t, strconv.Itoa(i), string(m.Data))
	}
	_, err := r.sub.NextMsg(time.Millisecond)
	require.Equal(t, ErrTimeout, err)
	data := make(chan *Msg, 1)
	go func() {
		m, _ := r.sub.NextMsg(patience)
		data <- m
	}()
	awaitWaiters(t, r.sub, 1)
	p.deliver(t, r.sub, 2, 1)
	require.Equal(t, "2", string(got(t, data, "message").Data))
}

// The program may close its channel while the subscription still lives.
func TestNextMsgOnChannelThatWasClosed(t *testing.T) {
	t.Parallel()
	_, _, nc := connectPeer(t)
	r := newSubRig(t, nc, ChanSubscription, "foo", "")
	close(r.ch)
	for form, next := range nextForms {
		require.NotPanics(t, func() {
			m, err := next(r.sub)
			assert.Error(t, err, form)
			assert.Nil(t, m)
		}, form)
	}
}

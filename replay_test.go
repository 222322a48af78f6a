package nats

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// What is subscribed during an outage is in the replay, in front of what was
// published meanwhile; what is unsubscribed is not.
func TestSubscribeDuringOutage(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	proceed := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(proceed) }) }
	delay := CustomReconnectDelay(func(int) time.Duration { <-proceed; return 0 })
	peer, p, nc := connectPeer(t, onLost, delay)
	t.Cleanup(release)
	kept := newSubRig(t, nc, SyncSubscription, "kept", "")
	limited := newSubRig(t, nc, SyncSubscription, "limited", "")
	left := newSubRig(t, nc, SyncSubscription, "left", "")
	require.NoError(t, nc.FlushTimeout(patience))
	p.cut()
	got(t, lost, "loss")

	during := newSubRig(t, nc, AsyncSubscription, "during", "q")
	gone := newSubRig(t, nc, AsyncSubscription, "gone", "")
	bounded := newSubRig(t, nc, ChanSubscription, "bounded", "")
	require.NoError(t, nc.Publish("foo", nil))
	require.NoError(t, gone.sub.Unsubscribe())
	require.NoError(t, left.sub.Unsubscribe())
	require.NoError(t, limited.sub.AutoUnsubscribe(3))
	require.NoError(t, bounded.sub.AutoUnsubscribe(4))
	require.NoError(t, bounded.sub.AutoUnsubscribe(2))
	require.Equal(t, 4, nc.NumSubscriptions())
	require.False(t, left.sub.IsValid())
	n, err := nc.Buffered()
	require.NoError(t, err)
	require.Equal(t, len("PUB foo 0\r\n\r\n"), n, "SUB and UNSUB are not buffered")

	release()
	p = got(t, peer.sessions, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	require.ElementsMatch(t, []string{
		"SUB kept  1", "SUB limited  2", "UNSUB 2 3",
		"SUB during q 4", "SUB bounded  6", "UNSUB 6 2",
	}, p.subLines())
	wantSubFirst(t, p.subLines())
	require.Equal(t, "PUB foo 0", p.lines()[6])
	p.deliver(t, kept.sub, 0, 2)
	kept.wants(t, 0, 2)
	p.deliver(t, during.sub, 0, 2)
	during.wants(t, 0, 2)
}

// wantSubFirst checks that no id's UNSUB comes before its SUB.
func wantSubFirst(t *testing.T, lines []string) {
	t.Helper()
	known := map[string]bool{}
	for _, l := range lines {
		f := strings.Fields(l)
		if f[0] == "SUB" {
			known[f[len(f)-1]] = true
		} else {
			require.True(t, known[f[1]], "%s before its SUB", l)
		}
	}
}

// wantKnown checks that a server that got these lines knows exactly the live
// subscriptions, and that it was told nothing twice and nothing for nothing.
func wantKnown(t *testing.T, lines []string, live []*Subscription) {
	t.Helper()
	known := map[string]int{}
	for _, l := range lines {
		f := strings.Fields(l)
		if f[0] == "SUB" {
			known[f[2]]++
			continue
		}
		known[f[1]]--
		require.Zero(t, known[f[1]], "%q ends what is there", l)
		delete(known, f[1])
	}
	want := map[string]int{}
	for _, s := range live {
		want[sidOf(s)] = 1
	}
	require.Equal(t, want, known)
}

// The moment between two sessions, over and over: some goroutines subscribe and
// unsubscribe while another swaps the session. They are so many that the locks
// are fought for, which makes the moment long.
func TestSubscribeAtTheMomentOfSwap(t *testing.T) {
	t.Parallel()
	const subscribers = 3
	for range 300 {
		box := newOutbox(boxLimits{bytes: 1 << 20}, &Statistics{})
		g := newRegistry(box)
		g.attach(nil, func() {})
		var live [subscribers][]*Subscription
		var rounds atomic.Int64
		var stop atomic.Bool
		var wg sync.WaitGroup
		for i := range subscribers {
			wg.Go(func() {
				for n := 0; n < 300 && !stop.Load(); n++ {
					s := &Subscription{Subject: "foo"}
					assert.NoError(t, g.add(s))
					live[i] = append(live[i], s)
					if len(live[i]) > 10 {
						assert.True(t, g.remove(live[i][0], ErrBadSubscription))
						live[i] = live[i][1:]
					}
					rounds.Add(1)
				}
			})
		}
		wg.Go(func() {
			for n := 0; n < 3000 && !stop.Load(); n++ {
				box.buffered() // holds the outbox's lock
			}
		})
		for rounds.Load() < 20 {
			runtime.Gosched()
		}
		box.detach()
		box.rewind(0)
		g.attach(nil, func() {})
		stop.Store(true)
		wg.Wait()
		wantKnown(t, linesOf(t, box), slices.Concat(live[:]...))
	}
}

// linesOf takes all that an attached outbox has to send, line by line.
func linesOf(t *testing.T, box *outbox) []string {
	t.Helper()
	var b batch
	var wire []byte
	for box.pendingLocked() { // nobody else uses it
		require.True(t, box.take(&b))
		wire = append(wire, bytes.Join(b.vec, nil)...)
		box.advance(b.size)
	}
	return strings.Split(strings.TrimSuffix(string(wire), "\r\n"), "\r\n")
}

// churn subscribes and unsubscribes until stop says so, with a short pause each
// time, and returns the subscriptions that it has left.
func churn(t *testing.T, nc *Conn, stop func() bool) []*Subscription {
	t.Helper()
	pace := time.NewTicker(100 * time.Microsecond)
	defer pace.Stop()
	limit := time.After(patience)
	var live []*Subscription
	for i := 0; !stop(); i++ {
		s, err := nc.SubscribeSync("churn." + strconv.Itoa(i))
		require.NoError(t, err)
		live = append(live, s)
		if len(live) > 20 || rand.IntN(3) == 0 {
			at := rand.IntN(len(live))
			require.NoError(t, live[at].Unsubscribe())
			live = append(live[:at], live[at+1:]...)
		}
		select {
		case <-pace.C:
		case <-limit:
			require.FailNow(t, "no end of the churn")
		}
	}
	return live
}

// The server knows exactly the live subscriptions, each told once, however the
// connections were cut while they were made.
func TestSubscribeWhileConnectionsAreCut(t *testing.T) {
	t.Parallel()
	const cuts = 15
	sessions := make(chan *peerSession, cuts+1)
	peer := scripted(t, func(c *peerConn) {
		if _, ok := c.welcome(); !ok {
			return
		}
		s := &peerSession{peerConn: c}
		sessions <- s
		if c.n >= cuts {
			c.serve(s.add)
			return
		}
		for range rand.IntN(40) { // somewhere in the replay or behind it
			if _, ok := c.frame(); !ok {
				return
			}
		}
		c.cut()
	})
	nc := connectTo(t, peer.url(), quiet(), unhurried(), ReconnectWait(time.Millisecond), ReconnectJitter(0, 0), MaxReconnects(-1))
	live := churn(t, nc, func() bool { return len(sessions) > cuts })
	var last *peerSession
	for range cuts + 1 {
		last = got(t, sessions, "session")
	}
	require.NoError(t, nc.FlushTimeout(patience))
	wantKnown(t, last.subLines(), live)
	require.Equal(t, len(live), nc.NumSubscriptions())
}

// The same against a real server: every live subscription works in the end.
func TestSubscribeThroughFaultyNetwork(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	proxy := faultproxy.Run(t, srv.Addr())
	back, onBack := connEvents()
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), unhurried(), ReconnectHandler(onBack))...)
	done := make(chan struct{})
	go func() { // ends after eight cuts
		defer close(done)
		hows := []faultproxy.How{faultproxy.RST, faultproxy.RSTClient, faultproxy.RSTServer, faultproxy.FIN}
		for i := range 8 {
			proxy.Live().Cut(hows[i%len(hows)])
			select {
			case <-back:
			case <-time.After(patience):
				t.Error("no reconnect")
				return
			}
		}
	}()
	live := churn(t, nc, func() bool {
		select {
		case <-done:
			return true
		default:
			return false
		}
	})
	require.NoError(t, nc.FlushTimeout(patience))
	for _, s := range live {
		require.NoError(t, nc.Publish(s.Subject, []byte(s.Subject)))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	for _, s := range live {
		m, err := s.NextMsg(0)
		require.NoError(t, err, s.Subject)
		require.Equal(t, s.Subject, string(m.Data))
		n, err := s.QueuedMsgs()
		require.NoError(t, err)
		require.Zero(t, n, "subscribed once")
	}
	z, err := srv.Server().Connz(&natsserver.ConnzOptions{Subscriptions: true})
	require.NoError(t, err)
	var subjects []string
	for _, s := range live {
		subjects = append(subjects, s.Subject)
	}
	for _, c := range z.Conns {
		if len(c.Subs) > 0 {
			require.ElementsMatch(t, subjects, c.Subs)
		}
	}
}

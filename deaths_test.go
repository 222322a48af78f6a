package nats

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

var deaths = flag.Int("deaths", 2, "how often a server dies in TestServerKilled and the tests of failover")

// Servers die under load, with AtLeastOnce. Every message that was accepted was
// confirmed by the server that died, or is delivered by a successor: none is missing
// from both. What had been confirmed when its server died can be missing.

// A nats-server in a process of its own dies by SIGKILL, and is started again.
func TestServerKilled(t *testing.T) { // alone: it needs the whole machine
	s := testserver.RunProcess(t, "")
	tap := &chaosTap{}
	proxy := faultproxy.Run(t, s.Addr(), faultproxy.Observe(tap.observe))
	r := newDeathRig(t, []Option{AtLeastOnce()}, proxy.URL(), s.URL())
	r.start(*chaosRate)
	for range *deaths {
		r.load()
		r.dialer.setOpen(false) // what is repeated would find no subscriber
		s.Kill()
		soon(t, r.lost, "the loss was not noticed")
		require.NoError(t, s.Start())
		soon(t, func() bool { return r.subs[0].nc.IsConnected() && r.subs[0].nc.Flush() == nil }, "no subscriber")
		r.dialer.setOpen(true)
		r.succeeded()
	}
	missing := r.end()
	tap.mu.Lock()
	defer tap.mu.Unlock()
	assert.Zero(t, missing.without(tap.got[0]).count(), "confirmed, and no server ever had it")
}

// The server of three that the publisher is connected to dies; it goes on with
// another one.
func TestClusterFailover(t *testing.T) { // alone: it needs the whole machine
	c := testserver.RunCluster(t, 3)
	failOver(t, *deaths, c.WaitFormed, c.Servers...)
}

// The same with processes, and SIGKILL.
func TestClusterOfProcessesFailover(t *testing.T) { // alone: it needs the whole machine
	failOver(t, max(3, *deaths), func() error { return nil }, testserver.RunProcesses(t, 3)...)
}

// mortal is a server that can die and come back.
type mortal interface {
	URL() string
	Kill()
	Start() error
}

// failOver kills the publisher's server again and again, and accounts for everything.
func failOver[S mortal](t *testing.T, times int, formed func() error, servers ...S) {
	var urls []string
	for _, s := range servers {
		urls = append(urls, s.URL())
	}
	r := newDeathRig(t, []Option{AtLeastOnce()}, strings.Join(urls, ","), urls...)
	r.start(min(*chaosRate, 30_000)) // each is delivered three times, and routed twice
	for range times {
		r.load()
		for _, s := range servers {
			if s.URL() == r.nc.ConnectedUrl() {
				s.Kill()
				soon(t, r.lost, "the loss was not noticed")
				r.succeeded()
				require.NotEqual(t, s.URL(), r.nc.ConnectedUrl())
				require.NoError(t, s.Start())
				break
			}
		}
		require.NoError(t, formed())
		soon(t, func() bool {
			for _, s := range r.subs {
				if !s.nc.IsConnected() || s.nc.Flush() != nil {
					return false
				}
			}
			return true
		}, "a subscriber is missing")
	}
	r.end()
}

// deathRig is a publisher, and a subscriber at each server.
type deathRig struct {
	t      *testing.T
	nc     *Conn
	dialer *deathDialer
	pub    chaosPublisher
	subs   []*deathSub
	stop   func()
	deaths []deathNote
}

// deathNote is how far the publisher was when a session was over: messages before
// confirmed were confirmed, and those before accepted accepted.
type deathNote struct{ confirmed, accepted int }

type deathSub struct {
	nc   *Conn
	late []int // first deliveries behind a higher number; the handler's until the end
	chaosTally
}

// take notes a message.
func (s *deathSub) take(data []byte) {
	s.mu.Lock()
	if _, n, ok := chaosNumber(data); ok && n < s.top[0] && s.got[0].word(n/64)>>(n%64)&1 == 0 {
		s.late = append(s.late, n)
	}
	s.mu.Unlock()
	s.see(data)
}

// checkOrder wants first deliveries in order. In a cluster, messages below upTo, which
// an old server had, can come behind those that the new one has got; and a subscriber
// at another server than the publisher's gets them over routes, which keep no order
// while they are made.
func (s *deathSub) checkOrder(t *testing.T, pub *Conn, cluster bool, upTo int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if cluster && s.nc.ConnectedUrl() != pub.ConnectedUrl() {
		return
	}
	for _, n := range s.late {
		if !assert.True(t, cluster && n < upTo, "%d is out of order", n) {
			return
		}
	}
}

// newDeathRig connects; the modes are options of the publisher.
func newDeathRig(t *testing.T, modes []Option, url string, servers ...string) *deathRig {
	r := &deathRig{t: t, dialer: &deathDialer{open: true}}
	for _, server := range servers {
		s := &deathSub{nc: connectTo(t, server, append(fast(), quiet(), IgnoreDiscoveredServers())...)}
		sub, err := s.nc.Subscribe(chaosSubject(0), func(m *Msg) { s.take(m.Data) })
		require.NoError(t, err)
		require.NoError(t, sub.SetPendingLimits(-1, -1))
		require.NoError(t, s.nc.Flush())
		r.subs = append(r.subs, s)
	}
	r.nc = connectTo(t, url, append(append(fast(), quiet(), ReconnectBufOverflow(OverflowBlock), SetCustomDialer(r.dialer)), modes...)...)
	r.pub = chaosPublisher{nc: r.nc, refused: make(map[error]int)}
	return r
}

// start begins to publish.
func (r *deathRig) start(rate int) {
	if raceEnabled {
		rate = min(rate, 10_000)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { r.pub.run(ctx, rate) }) // ends with ctx
	r.stop = func() { cancel(); wg.Wait() }
	r.t.Cleanup(r.stop)
}

// load lets some messages go out, and has the next loss noted.
func (r *deathRig) load() {
	until := r.pub.returned.Load() + 500 + rand.Int64N(2000)
	soon(r.t, func() bool { return r.pub.returned.Load() >= until }, "nothing is published")
	r.dialer.watch(r)
}

// lost waits for the note of the loss, which comes with the first dial.
func (r *deathRig) lost() bool {
	n, ok := r.dialer.take()
	if ok {
		r.deaths = append(r.deaths, n)
	}
	return ok
}

// succeeded waits until what the dead server had not confirmed is delivered.
func (r *deathRig) succeeded() {
	n := r.deaths[len(r.deaths)-1]
	soon(r.t, func() bool { return r.missing(n.confirmed, n.accepted).count() == 0 }, "not confirmed by the one, nor delivered by the other")
}

// missing is the messages of a range that no subscriber has got.
func (r *deathRig) missing(from, to int) chaosSet {
	var all chaosSet
	for n := from; n < to; n++ {
		all.add(n)
	}
	for _, s := range r.subs {
		s.mu.Lock()
		all = all.without(s.got[0])
		s.mu.Unlock()
	}
	return all
}

// end stops publishing and accounts for everything; it returns what is missing.
func (r *deathRig) end() chaosSet {
	r.stop()
	t := r.t
	require.Empty(t, r.pub.refused)
	require.NoError(t, r.nc.FlushTimeout(patience))
	accepted := int(r.pub.returned.Load())
	last := r.deaths[len(r.deaths)-1]
	soon(t, func() bool { return r.missing(last.confirmed, accepted).count() == 0 }, "missing behind the last death")
	missing, before := r.missing(0, accepted), 0
	n := missing.count()
	for _, d := range r.deaths { // nothing else may be missing than what was confirmed when a server died
		require.GreaterOrEqual(t, d.confirmed, before)
		n -= missing.below(d.confirmed) - missing.below(min(before, d.confirmed))
		before = d.accepted
	}
	assert.Zero(t, n, "missing, and not confirmed by a server that died: some of %v", missing.first())
	repeated, late := 0, 0
	for _, s := range r.subs {
		s.checkOrder(t, r.nc, len(r.subs) > 1, last.confirmed)
		s.mu.Lock()
		assert.Zero(t, s.damaged)
		repeated += len(s.repeated)
		late += len(s.late)
		s.mu.Unlock()
	}
	st := r.nc.BufferStats()
	assert.EqualValues(t, accepted, st.Confirmed)
	assert.LessOrEqual(t, repeated, int(st.Repeated)*len(r.subs))
	t.Logf("%d deaths: accepted %d, missing %d, all confirmed by a server that died; repeated %d, seen twice %d, late %d",
		len(r.deaths), accepted, missing.count(), st.Repeated, repeated, late)
	return missing
}

// deathDialer notes, with the first dial after a loss, how far everything was, and
// dials only while it is open.
type deathDialer struct {
	mu   sync.Mutex
	rig  *deathRig // nil: the loss is noted, or none is awaited
	note *deathNote
	open bool
}

func (d *deathDialer) Dial(network, addr string) (net.Conn, error) {
	d.mu.Lock()
	if d.rig != nil {
		d.note = &deathNote{int(d.rig.nc.BufferStats().Confirmed), int(d.rig.pub.returned.Load())}
		d.rig = nil
	}
	open := d.open
	d.mu.Unlock()
	if !open {
		return nil, errors.New("not yet")
	}
	return net.DialTimeout(network, addr, time.Second)
}

func (d *deathDialer) setOpen(open bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = open
}

// watch makes the dialer note the next loss.
func (d *deathDialer) watch(r *deathRig) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.rig = r
}

func (d *deathDialer) take() (deathNote, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.note == nil {
		return deathNote{}, false
	}
	n := *d.note
	d.note = nil
	return n, true
}

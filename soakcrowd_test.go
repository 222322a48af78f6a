package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultplan"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// soakCrowd is a server that is killed and restarted, a link to it that breaks, and
// requesters, responders and subscribers that live with that.
type soakCrowd struct {
	samples    *soakSamples
	server     *testserver.Server
	proxy      *faultproxy.Proxy
	requesters []*soakConn
	responders []*soakConn
	hearing    *soakConn // of all that hear, behind the link
	hearers    []*soakHearer
	pub        *Conn // publishes to them, directly
	published  int
	heard      int           // by all of them, in rounds before
	over       chan struct{} // ends who reads a channel
}

// soakConn is a connection with what its handlers were told.
type soakConn struct {
	nc *Conn

	mu                 sync.Mutex
	met                bool // there was a first server
	lost, back, closed int
	broken             bool     // a loss had a cause
	disorder           int      // events that cannot follow the one before
	trail              []string // the last of them
}

func (c *soakConn) told() (lost, back, closed, disorder int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost, c.back, c.closed, c.disorder
}

// note counts an event; legal says of the counters before it whether it can come.
func (c *soakConn) note(event string, legal func() bool, count *int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trailLocked(event)
	if c.closed > 0 || !legal() {
		c.disorder++
	}
	*count++
}

// trailLocked keeps the last events, for the message of a failure.
func (c *soakConn) trailLocked(event string) {
	c.trail = append(c.trail[max(len(c.trail)-20, 0):], event)
}

func (c *soakConn) trailed() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.trail)
}

// options note all that a connection tells of itself: a loss and a return take turns,
// and the end comes last, behind a loss if there ever was a server.
func (c *soakConn) options() []Option {
	up := func() bool { return c.met && c.lost == c.back }
	down := func() bool { return c.met && c.lost > c.back }
	return []Option{
		ConnectHandler(func(*Conn) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.trailLocked("met")
			if c.met || c.closed > 0 {
				c.disorder++
			}
			c.met = true
		}),
		DisconnectErrHandler(func(_ *Conn, err error) {
			c.note(fmt.Sprintf("lost (%v)", err), up, &c.lost)
			c.mu.Lock()
			defer c.mu.Unlock()
			c.broken = c.broken || err != nil
		}),
		ReconnectHandler(func(*Conn) { c.note("back", down, &c.back) }),
		ClosedHandler(func(*Conn) { c.note("closed", func() bool { return !c.met || down() }, &c.closed) }),
		quiet(),
	}
}

// soakConnect connects someone who lives for the whole soak.
func soakConnect(t *testing.T, url string, opts ...Option) *soakConn {
	c := &soakConn{}
	all := append(append(fast(), Timeout(300*time.Millisecond), PingInterval(50*time.Millisecond), MaxPingsOutstanding(20)), c.options()...)
	soon(t, func() (ok bool) { // the timeout is short for a machine that is busy
		nc, err := Connect(url, append(all, opts...)...)
		c.nc = nc
		return err == nil
	}, "no connection")
	t.Cleanup(c.nc.Close)
	return c
}

func newSoakCrowd(t *testing.T, samples *soakSamples) *soakCrowd {
	c := &soakCrowd{samples: samples, server: testserver.Run(t), over: make(chan struct{})}
	c.proxy = faultproxy.Run(t, c.server.Addr())
	c.pub = connectTo(t, c.server.URL(), append(fast(), quiet())...)
	for _, opts := range [][]Option{nil, {AtLeastOnce()}, {UseOldRequestStyle()}} {
		c.requesters = append(c.requesters, soakConnect(t, c.proxy.URL(), opts...))
	}
	for _, url := range []string{c.proxy.URL(), c.server.URL()} {
		r := soakConnect(t, url)
		_, err := r.nc.QueueSubscribe("crowd.echo", "crowd", func(m *Msg) { assert.NoError(t, m.Respond(m.Data)) })
		require.NoError(t, err)
		c.responders = append(c.responders, r)
	}
	c.hear(t)
	return c
}

func (c *soakCrowd) all() []*soakConn {
	return append(append([]*soakConn{c.hearing}, c.requesters...), c.responders...)
}

func (c *soakCrowd) actors() []soakActor {
	actors := []soakActor{{"link", c.breakLink}, {"server", c.breakServer}, {"bus", c.publish},
		{"visitors", c.visit}, {"more visitors", c.visit}}
	for i, r := range c.requesters {
		actors = append(actors, soakActor{"requester " + strconv.Itoa(i), c.requester(r.nc)})
	}
	return actors
}

func (c *soakCrowd) breakLink(ctx context.Context, _ *testing.T, rng *rand.Rand) {
	kinds := faultplan.Kinds()
	for kind, n := range faultplan.Run(ctx, kinds[rng.IntN(len(kinds))], rng, c.proxy) {
		c.samples.count("faults of the crowd, "+kind, n)
	}
}

// breakServer stops the server in every other round.
func (c *soakCrowd) breakServer(ctx context.Context, t *testing.T, rng *rand.Rand) {
	if rng.IntN(2) == 0 {
		return
	}
	for {
		soakPause(ctx, rng, 500*time.Millisecond)
		if ctx.Err() != nil {
			return
		}
		if rng.IntN(2) == 0 {
			c.server.Kill()
		} else {
			c.server.Stop()
		}
		soakPause(ctx, rng, 100*time.Millisecond)
		require.NoError(t, c.server.Start())
		c.samples.count("faults of the crowd, restart", 1)
	}
}

func soakPause(ctx context.Context, rng *rand.Rand, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(rng.Int64N(int64(most)))):
	}
}

// soakSlack is how much longer than its timeout a call may take on a busy machine.
const soakSlack = 5 * time.Second

// requester makes one request after the other, and holds each to its timeout.
func (c *soakCrowd) requester(nc *Conn) soakWork {
	return func(ctx context.Context, t *testing.T, rng *rand.Rand) {
		for n := 0; ctx.Err() == nil; n++ {
			c.request(t, nc, strconv.Itoa(n), 5*time.Millisecond+time.Duration(rng.Int64N(int64(200*time.Millisecond))), n%2 == 0)
			if n%16 == 0 {
				soakPause(ctx, rng, 10*time.Millisecond)
			}
		}
	}
}

func (c *soakCrowd) request(t *testing.T, nc *Conn, data string, timeout time.Duration, byContext bool) {
	var m *Msg
	var err error
	began := time.Now()
	if byContext {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		m, err = nc.RequestWithContext(ctx, "crowd.echo", []byte(data))
	} else {
		m, err = nc.Request("crowd.echo", []byte(data), timeout)
	}
	took := time.Since(began)
	assert.Less(t, took, timeout+soakSlack, "a request took too long")
	switch {
	case err == nil:
		assert.Equal(t, data, string(m.Data), "the reply to another request")
		c.samples.count("requests, replied", 1)
	case errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		assert.Equal(t, byContext, errors.Is(err, context.DeadlineExceeded))
		assert.GreaterOrEqual(t, took, timeout, "a timeout that came too early")
		c.samples.count("requests, timed out", 1)
	case errors.Is(err, ErrNoResponders):
		c.samples.count("requests, no responders", 1)
	default:
		assert.NoError(t, err, "a request")
	}
}

// settle waits until all is well after a round, and checks what then must be so.
func (c *soakCrowd) settle(t *testing.T) {
	for _, s := range c.all() {
		soon(t, func() bool { return s.nc.IsConnected() && s.nc.FlushTimeout(patience) == nil }, "not back")
		soon(t, func() bool { lost, back, _, _ := s.told(); return lost == back }, "not told of all losses and returns")
		_, _, closed, disorder := s.told()
		require.Zero(t, disorder, "events in an impossible order: %v", s.trailed())
		require.Zero(t, closed, "closed")
	}
	soon(t, func() bool { return c.pub.IsConnected() && c.pub.FlushTimeout(patience) == nil }, "not back")
	for i, r := range c.requesters {
		m, err := r.nc.Request("crowd.echo", []byte("calm"), patience)
		require.NoError(t, err, "requester %d", i)
		require.Equal(t, "calm", string(m.Data))
		r.nc.requests.mu.Lock()
		require.Empty(t, r.nc.requests.waiting, "requests that nobody waits for")
		r.nc.requests.mu.Unlock()
		soon(t, func() bool { return r.nc.BufferStats().Msgs == 0 }, "requester %d: something is left in the buffer", i)
	}
	c.settleHearers(t)
}

// end closes everybody; that is told once.
func (c *soakCrowd) end(t *testing.T) {
	for _, s := range c.all() {
		s.nc.Close()
		soon(t, func() bool { _, _, closed, _ := s.told(); return closed == 1 }, "not told of the end")
		lost, back, _, disorder := s.told()
		assert.Zero(t, disorder, "events in an impossible order: %v", s.trailed())
		assert.Equal(t, lost, back+1)
		c.samples.count("reconnects of the crowd", back)
	}
	c.pub.Close()
	close(c.over)
}

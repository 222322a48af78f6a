package nats

import (
	"context"
	"flag"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

var (
	chaosFor  = flag.Duration("chaos", 300*time.Millisecond, "how long each configuration of TestChaos makes faults; by default about 3 s for all")
	chaosRate = flag.Int("chaos.rate", 100_000, "messages a second that TestChaos publishes")
	chaosSeed = flag.Uint64("chaos.seed", 0, "seed of TestChaos; 0: one of its own")
)

// Random faults under load, and then an account of every message. One that
// Publish accepted was given to the server exactly once, or was reported
// undelivered exactly once, or is within what BufferStats says is in doubt; and
// the counters say the same, to the message.
func TestChaos(t *testing.T) { // alone: it needs the whole machine
	for _, tc := range chaosModes {
		t.Run(tc.name, func(t *testing.T) {
			c := newChaos(t, tc.restarts, tc.opts)
			c.meddle = tc.meddle
			c.run()
			c.check(tc.refused, tc.reasons)
			c.summary()
		})
	}
}

// chaosModes are the configurations, and what they may say.
var chaosModes = []struct {
	name     string
	restarts bool
	opts     []Option
	refused  []error // what Publish may say
	reasons  []error // why a message may be given up
	meddle   bool    // the program takes messages back, and subscribes
}{
	{"reject", false, nil, []error{ErrReconnectBufExceeded}, nil, false},
	{"reject small", true, []Option{ReconnectBufSize(100_000)}, []error{ErrReconnectBufExceeded}, nil, false},
	{"drop oldest bytes", true, []Option{ReconnectBufSize(300_000), ReconnectBufOverflow(OverflowDropOldest)},
		nil, []error{ErrDropped}, false},
	{"drop oldest msgs", false, []Option{ReconnectBufMsgs(1000), ReconnectBufOverflow(OverflowDropOldest)},
		nil, []error{ErrDropped}, false},
	{"drop newest", true, []Option{ReconnectBufMsgs(2000), ReconnectBufOverflow(OverflowDropNewest)},
		nil, []error{ErrDropped}, false},
	{"reject, paced", true, []Option{ReconnectBufSize(2 << 20), ReconnectReplayRate(40 << 20)},
		[]error{ErrReconnectBufExceeded}, nil, false},
	{"block", true, []Option{ReconnectBufSize(400_000), ReconnectBufOverflow(OverflowBlock)}, nil, nil, false},
	{"max age", true, []Option{ReconnectBufMaxAge(60 * time.Millisecond)},
		[]error{ErrReconnectBufExceeded}, []error{ErrExpired}, false},
	{"max age, small", false, []Option{ReconnectBufMaxAge(20 * time.Millisecond), ReconnectBufSize(200_000),
		ReconnectBufOverflow(OverflowDropOldest)}, nil, []error{ErrExpired, ErrDropped}, false},
	{"meddling", true, []Option{ReconnectBufSize(500_000), ReconnectBufOverflow(OverflowDropOldest)},
		nil, []error{ErrExpired, ErrDropped}, true},
	{"at least once", true, []Option{AtLeastOnce()}, []error{ErrReconnectBufExceeded}, nil, false},
	{"at least once, one server", false, []Option{AtLeastOnce(), ReconnectBufSize(2 << 20),
		ReconnectBufOverflow(OverflowBlock)}, nil, nil, false},
}

// chaos is one run.
type chaos struct {
	t        *testing.T
	seed     uint64
	lasts    time.Duration // how long faults are made
	rate     int           // messages a second
	restarts bool
	meddle   bool
	calm     bool         // no faults
	end      func(*chaos) // closes the connection, under load; nil: nobody does
	server   *testserver.Server
	proxy    *faultproxy.Proxy
	nc, sub  *Conn

	pubs   [chaosPublishers]chaosPublisher
	tap    chaosTap
	subbed chaosTally
	given  chaosGiven
	purged chaosTally
	faults chaosFaults
	proofs []chaosProof
	began  time.Time
	took   time.Duration // of publishing
	breaks atomic.Int64
	marks  chaosMarks
	before chaosBefore
}

// chaosBefore is what the connections had counted before the run.
type chaosBefore struct {
	buffer   BufferStats
	out, sub Statistics
}

// chaosMarks is what the watermark's handler was told.
type chaosMarks struct{ calls, wrong, above atomic.Int64 }

func (m *chaosMarks) add(_ *Conn, above bool) {
	m.calls.Add(1)
	if now := map[bool]int64{true: 1}[above]; m.above.Swap(now) == now {
		m.wrong.Add(1)
	}
}

func newChaos(t *testing.T, restarts bool, opts []Option) *chaos {
	c := &chaos{t: t, seed: *chaosSeed, lasts: *chaosFor, rate: *chaosRate, restarts: restarts}
	if raceEnabled {
		c.rate = min(c.rate, 20_000)
	}
	if c.seed == 0 {
		c.seed = rand.Uint64N(1_000_000)
	}
	t.Cleanup(func() {
		if t.Failed() && !*soakAlone {
			t.Logf("again: go test -run '%s' -chaos=%v -chaos.rate=%d -chaos.seed=%d", t.Name(), *chaosFor, *chaosRate, c.seed)
		}
	})
	c.server = testserver.Run(t, func(o *natsd.Options) { o.MaxPending, o.WriteDeadline = 1<<30, patience })
	c.proxy = faultproxy.Run(t, c.server.Addr(), faultproxy.Observe(c.tap.observe), faultproxy.SocketBuffers(64<<10), faultproxy.HoldLimit(128<<10))
	c.sub = connectTo(t, c.server.URL(), append(fast(), quiet())...)
	sub, err := c.sub.Subscribe("chaos.*", func(m *Msg) { c.subbed.see(m.Data) })
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, c.sub.FlushTimeout(patience))
	// Small sockets, and PINGs that are close together: so little is in doubt.
	dialer := &net.Dialer{Timeout: time.Second, Control: smallSendBuffer}
	all := append([]Option{
		MaxReconnects(-1), ReconnectWait(5 * time.Millisecond), ReconnectJitter(0, 0), quiet(),
		SetCustomDialer(dialer), FlusherTimeout(chaosStall), PingInterval(10 * time.Millisecond),
		MaxPingsOutstanding(1000), Timeout(300 * time.Millisecond), UndeliveredHandler(c.given.add),
		DisconnectErrHandler(func(*Conn, error) { c.breaks.Add(1) }), ReconnectBufWatermark(0.8, 0.2, c.marks.add),
	}, opts...)
	soon(t, func() bool { // the timeout is short for a machine that is busy
		c.nc, err = Connect(c.proxy.URL(), all...)
		return err == nil
	}, "no connection")
	t.Cleanup(c.nc.Close)
	c.faults = chaosFaults{t: t, rng: rand.New(rand.NewPCG(c.seed, 0)), proxy: c.proxy, server: c.server, restarts: restarts}
	return c
}

// run publishes and makes faults, then waits until nothing is under way.
func (c *chaos) run() {
	ctx, cancel := context.WithCancel(c.t.Context())
	defer cancel()
	c.began = time.Now()
	c.given.begin(c.began)
	var work sync.WaitGroup
	for p := range c.pubs {
		pub := &c.pubs[p]
		pub.nc, pub.id, pub.meddle, pub.refused = c.nc, p, c.meddle, make(map[error]int)
		work.Go(func() { pub.run(ctx, c.rate/chaosEvery[p]) }) // ends with ctx
	}
	work.Go(func() { c.prove(ctx) }) // ends with ctx
	if c.meddle {
		work.Go(func() { c.takeBack(ctx) }) // ends with ctx
	}
	c.faults.until = c.began.Add(c.lasts)
	if c.calm {
		<-time.After(c.lasts)
	} else {
		c.faults.run()
	}
	c.took = time.Since(c.began)
	if c.end != nil {
		c.end(c)
	}
	cancel()
	work.Wait()
	if c.end == nil {
		c.settle()
	}
	c.settleSockets()
}

// settle waits until the buffer is empty, and its handler knows.
func (c *chaos) settle() {
	soon(c.t, func() bool { return c.nc.FlushTimeout(patience) == nil }, "no flush")
	soon(c.t, func() bool { return c.nc.BufferStats().Msgs == 0 }, "the buffer is not empty")
	soon(c.t, func() bool { return c.marks.above.Load() == 0 }, "the watermark's handler was not told of the end")
}

// settleSockets waits until everybody was told, and what is in the sockets has
// arrived.
func (c *chaos) settleSockets() {
	soon(c.t, func() bool { return c.given.total() == int(c.stats().Undelivered) }, "not everything was told")
	open := 1
	if c.end != nil {
		open = 0
	}
	soon(c.t, func() bool {
		st := c.proxy.Stats()
		return st.Open == open && st.Up.Held() == 0 && c.server.NumClients() == open+1 // and the tap has seen all
	}, "old connections are left")
	require.NoError(c.t, c.sub.FlushTimeout(patience))
	soon(c.t, func() bool { return c.subbed.count() == int(c.sub.Stats().InMsgs-c.before.sub.InMsgs) }, "the subscriber is behind")
}

// chaosPublisher publishes numbered messages at a steady rate and notes what
// Publish said.
type chaosPublisher struct {
	nc     *Conn
	id     int
	meddle bool

	// Owned by run until it has ended, but for returned.
	accepted, withdrawn chaosSet
	refused             map[error]int
	calls               int
	returned            atomic.Int64 // calls that have returned and been noted
}

func (p *chaosPublisher) run(ctx context.Context, rate int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	subject, buf := chaosSubject(p.id), make([]byte, 0, chaosSizes[p.id])
	for start := time.Now(); ctx.Err() == nil; {
		due := int(time.Since(start).Seconds() * float64(rate))
		for ; p.calls < due && ctx.Err() == nil; p.calls++ {
			buf = chaosPayload(buf, p.id, p.calls)
			if err := p.publish(subject, buf); err != nil {
				p.refused[err]++
			} else {
				p.accepted.add(p.calls)
			}
			p.returned.Store(int64(p.calls + 1))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// publish publishes. Where there is meddling, some messages have an age limit of
// their own, and some are withdrawn, as a request is whose caller gives up.
func (p *chaosPublisher) publish(subject string, data []byte) error {
	if !p.meddle || p.calls%3 > 0 {
		return p.nc.Publish(subject, data)
	}
	how := handling{}
	if p.calls%2 == 0 {
		how.maxAge = 30 * time.Millisecond
	}
	err := p.nc.publish(subject, "", nil, data, &how)
	if err == nil && p.calls%5 == 0 && p.nc.out.withdraw(how.at) {
		p.withdrawn.add(p.calls)
	}
	return err
}

// takeBack purges the buffer now and then, and makes control frames.
func (c *chaos) takeBack(ctx context.Context) {
	rng := rand.New(rand.NewPCG(c.seed, 1))
	for i := 0; ctx.Err() == nil; i++ {
		sub, err := c.nc.SubscribeSync("meddling")
		if err == nil && i%5 == 0 {
			for _, m := range c.nc.PurgeBuffer() {
				c.purged.see(m.Data)
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Duration(rng.Int64N(int64(20 * time.Millisecond)))):
		}
		if err == nil {
			_ = sub.Unsubscribe()
		}
	}
}

// chaosProof is what a flush that succeeded says: of the messages that had been
// accepted before it none is missing, but those that were in doubt then.
type chaosProof struct {
	upTo  [chaosPublishers]int
	doubt int
}

// doubt is how many messages are in doubt now; false in the moment in which those
// of the last session are not yet among them.
func (c *chaos) doubt() (n int, settled bool) {
	c.nc.out.mu.Lock()
	defer c.nc.out.mu.Unlock()
	return int(c.nc.out.count.inDoubt - c.before.buffer.InDoubt), !c.nc.out.settling
}

// prove makes one flush after the other and keeps what they say.
func (c *chaos) prove(ctx context.Context) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		var p chaosProof
		for i := range p.upTo {
			p.upTo[i] = int(c.pubs[i].returned.Load())
		}
		w := c.nc.pings.flush(true)
		doubt, settled := c.doubt()
		p.doubt = doubt
		select {
		case err := <-w.done:
			if err == nil && settled {
				c.proofs = append(c.proofs, p)
			}
		case <-ctx.Done():
			c.nc.pings.cancel(w)
		}
	}
}

// chaosGiven is what the UndeliveredHandler was told.
type chaosGiven struct {
	mu      sync.Mutex
	got     chaosTally
	reasons map[error]int // with those that were only counted
	counted int
	began   time.Time
	early   int // accepted before the run began, or after now
}

func (g *chaosGiven) begin(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.began = now
}

func (g *chaosGiven) add(_ *Conn, u Undelivered) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.reasons == nil {
		g.reasons = make(map[error]int)
	}
	g.reasons[u.Err] += u.Count
	if u.Msg == nil {
		g.counted += u.Count
		return
	}
	if pub, _, ok := g.got.see(u.Msg.Data); !ok || u.Msg.Subject != chaosSubject(pub) || u.Count != 1 {
		g.got.damaged++
	}
	if u.Accepted.Before(g.began.Add(-time.Second)) || time.Until(u.Accepted) > time.Second {
		g.early++
	}
}

func (g *chaosGiven) total() (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range g.reasons {
		n += k
	}
	return n
}

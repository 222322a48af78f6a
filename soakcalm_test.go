package nats

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// soakCalm is a server that nothing happens to: what is said of drains and ends of
// subscriptions without a loss holds here to the message.
type soakCalm struct {
	samples  *soakSamples
	server   *testserver.Server
	pub, sub *soakConn // live for the whole soak
}

func newSoakCalm(t *testing.T, samples *soakSamples) *soakCalm {
	c := &soakCalm{samples: samples, server: testserver.Run(t)}
	c.pub, c.sub = soakConnect(t, c.server.URL()), soakConnect(t, c.server.URL())
	return c
}

func (c *soakCalm) actors() []soakActor {
	return []soakActor{{"drains and ends", c.work}, {"more drains and ends", c.work}}
}

// work plays one scene after the other, on a connection that stays or on a new one.
func (c *soakCalm) work(ctx context.Context, t *testing.T, rng *rand.Rand) {
	scenes := []struct {
		name string
		play func(*soakScene)
	}{
		{"drain of a subscription", (*soakScene).drain},
		{"auto-unsubscribe", (*soakScene).autoUnsubscribe},
		{"queue group that shrinks", (*soakScene).group},
		{"slow consumer", (*soakScene).slow},
		{"drain of a connection", (*soakScene).drainConn},
	}
	for ctx.Err() == nil {
		s := &soakScene{t: t, rng: rng, pub: c.pub.nc, sub: c.sub, url: c.server.URL(), subject: NewInbox()}
		scene := scenes[rng.IntN(len(scenes))]
		scene.play(s)
		c.samples.count("scenes, "+scene.name, 1)
		if t.Failed() {
			t.Logf("in a scene: %s", scene.name)
			return
		}
	}
}

// end closes the connections, which have never lost their server.
func (c *soakCalm) end(t *testing.T) {
	for _, s := range []*soakConn{c.pub, c.sub} {
		assert.Zero(t, s.nc.NumSubscriptions(), "subscriptions that nobody has")
		s.nc.Close()
		soon(t, func() bool { _, _, closed, _ := s.told(); return closed == 1 }, "not told of the end")
		lost, back, _, disorder := s.told()
		assert.Equal(t, []int{1, 0, 0}, []int{lost, back, disorder}, "lost, back, out of order")
	}
}

// soakScene is one play with a subject of its own.
type soakScene struct {
	t       *testing.T
	rng     *rand.Rand
	pub     *Conn
	sub     *soakConn
	url     string
	subject string
	next    int // number to be published
}

// publish publishes the next n numbers, and waits until the server has them.
func (s *soakScene) publish(n int) { require.NoError(s.t, s.send(n)) }

func (s *soakScene) send(n int) error {
	for range n {
		if err := s.pub.Publish(s.subject, strconv.AppendInt(nil, int64(s.next), 10)); err != nil {
			return err
		}
		s.next++
	}
	return s.pub.FlushTimeout(patience)
}

// underLoad calls f while more is published.
func (s *soakScene) underLoad(f func()) {
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() { // ends with stop
		for {
			select {
			case <-stop:
				return
			default:
				assert.NoError(s.t, s.send(10))
			}
		}
	})
	f()
	close(stop)
	load.Wait()
}

// soakList is the numbers that somebody got, and its end.
type soakList struct {
	mu   sync.Mutex
	all  []int
	over chan string
}

func (l *soakList) see(m *Msg) {
	n, err := strconv.Atoi(string(m.Data))
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		n = -1
	}
	l.all = append(l.all, n)
}

func (l *soakList) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// whole wants the numbers from 0 to at least upTo, each once and in order.
func (l *soakList) whole(t *testing.T, upTo int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	assert.GreaterOrEqual(t, len(l.all), upTo, "what was under way has not come")
	for i, n := range l.all {
		if !assert.Equal(t, i, n, "out of order, or not once") {
			return
		}
	}
}

// subscribe subscribes in one of the ways, and has the list filled. Its end is told.
func (s *soakScene) subscribe(nc *Conn, queue string) (*Subscription, *soakList) {
	l := &soakList{over: make(chan string, 2)}
	var sub *Subscription
	var err error
	ended := func(subject string) { l.over <- subject }
	switch s.rng.IntN(3) {
	case 0:
		sub, err = nc.QueueSubscribe(s.subject, queue, l.see)
		require.NoError(s.t, err)
		sub.SetClosedHandler(ended)
	case 1:
		sub, err = nc.QueueSubscribeSync(s.subject, queue)
		require.NoError(s.t, err)
		go func() { // ends with the subscription
			for m, err := range sub.Msgs() {
				if err != nil {
					ended(s.subject)
					return
				}
				l.see(m)
			}
		}()
	case 2:
		ch := make(chan *Msg, 64<<10)
		sub, err = nc.ChanQueueSubscribe(s.subject, queue, ch)
		require.NoError(s.t, err)
		done := make(chan struct{})
		sub.SetClosedHandler(func(string) { close(done) })
		go func() { // ends with the subscription
			for {
				select {
				case m := <-ch:
					l.see(m)
				case <-done:
					for len(ch) > 0 {
						l.see(<-ch)
					}
					ended(s.subject)
					return
				}
			}
		}()
	}
	require.NoError(s.t, nc.FlushTimeout(patience))
	return sub, l
}

// ended waits for the end of a subscription: it comes once.
func (s *soakScene) ended(sub *Subscription, l *soakList) {
	require.Equal(s.t, s.subject, got(s.t, l.over, "the end of a subscription"))
	require.False(s.t, sub.IsValid())
	require.Empty(s.t, l.over)
}

// drain drains a subscription under load: it gets all that the server had for it.
func (s *soakScene) drain() {
	sub, l := s.subscribe(s.sub.nc, "")
	s.publish(s.rng.IntN(300))
	under := s.next
	s.underLoad(func() {
		require.NoError(s.t, sub.Drain())
		s.ended(sub, l)
	})
	l.whole(s.t, under)
}

// autoUnsubscribe ends a subscription with its n-th message.
func (s *soakScene) autoUnsubscribe() {
	n := 1 + s.rng.IntN(100)
	sub, l := s.subscribe(s.sub.nc, "")
	require.NoError(s.t, sub.AutoUnsubscribe(n))
	s.publish(n + s.rng.IntN(100))
	s.ended(sub, l)
	l.whole(s.t, n)
	require.Equal(s.t, n, l.count())
}

// group has the members of a queue group leave by a drain, but for the last: between
// them they get each message once.
func (s *soakScene) group() {
	const members = 3
	var subs [members]*Subscription
	var lists [members]*soakList
	for i := range subs {
		subs[i], lists[i] = s.subscribe(s.sub.nc, "group")
	}
	for i := range members - 1 {
		s.publish(100)
		s.underLoad(func() {
			require.NoError(s.t, subs[i].Drain())
			s.ended(subs[i], lists[i])
		})
	}
	s.publish(1)
	all := func() (n int) {
		for _, l := range lists {
			n += l.count()
		}
		return n
	}
	soon(s.t, func() bool { return all() >= s.next }, "the group has not got everything")
	var seen chaosSet
	for _, l := range lists {
		for _, n := range l.all {
			assert.True(s.t, seen.add(n), "%d came twice", n)
		}
	}
	require.Equal(s.t, s.next, all())
	require.NoError(s.t, subs[members-1].Unsubscribe())
	s.ended(subs[members-1], lists[members-1])
}

// slow has a handler that does not keep up: what is beyond its limit is dropped and
// counted, nothing else.
func (s *soakScene) slow() {
	const limit = 10
	gate, l := make(chan struct{}), &soakList{}
	sub, err := s.sub.nc.Subscribe(s.subject, func(m *Msg) { <-gate; l.see(m) })
	require.NoError(s.t, err)
	require.NoError(s.t, sub.SetPendingLimits(limit, -1))
	require.NoError(s.t, s.sub.nc.FlushTimeout(patience)) // the server knows it
	s.publish(10 * limit)
	require.NoError(s.t, s.sub.nc.FlushTimeout(patience))
	dropped, err := sub.Dropped()
	require.NoError(s.t, err)
	require.Positive(s.t, dropped)
	close(gate)
	soon(s.t, func() bool { return l.count()+dropped >= s.next }, "handed over and dropped are not all")
	l.whole(s.t, limit)
	require.NoError(s.t, sub.Unsubscribe())
	require.Equal(s.t, s.next, l.count()+dropped)
}

// drainConn drains a connection under load, while what came is being handled.
func (s *soakScene) drainConn() {
	c := &soakConn{}
	nc, err := Connect(s.url, c.options()...)
	require.NoError(s.t, err)
	sub, l := s.subscribe(nc, "")
	reply := s.subject + ".reply"
	replies, err := s.sub.nc.SubscribeSync(reply)
	require.NoError(s.t, err)
	require.NoError(s.t, s.sub.nc.FlushTimeout(patience))
	s.publish(s.rng.IntN(200))
	under, own := s.next, s.rng.IntN(100)
	for n := range own {
		require.NoError(s.t, nc.Publish(reply, fmt.Append(nil, n)))
	}
	s.underLoad(func() {
		require.NoError(s.t, nc.Drain())
		s.ended(sub, l)
		soon(s.t, func() bool { _, _, closed, _ := c.told(); return closed == 1 }, "not told of the end")
	})
	l.whole(s.t, under)
	for n := range own {
		m, err := replies.NextMsg(patience)
		require.NoError(s.t, err)
		require.Equal(s.t, fmt.Sprint(n), string(m.Data))
	}
	_, err = replies.NextMsg(time.Millisecond)
	require.ErrorIs(s.t, err, ErrTimeout)
	require.NoError(s.t, replies.Unsubscribe())
	lost, back, _, disorder := c.told()
	require.Equal(s.t, []int{1, 0, 0}, []int{lost, back, disorder}, "lost, back, out of order")
}

package nats

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// patientDuck makes a server in lame duck mode drop nobody during the test.
func patientDuck(o *natsd.Options) {
	o.LameDuckGracePeriod, o.LameDuckDuration = time.Hour, 2*time.Hour
}

// lameDuck puts a server into lame duck mode.
func lameDuck(t testing.TB, s *testserver.Server) {
	srv, done := s.Server(), make(chan struct{})
	go func() { // ends with the server
		defer close(done)
		srv.LameDuckShutdown()
	}()
	t.Cleanup(func() { s.Stop(); <-done })
}

// A connection that publishes to itself leaves under load: it misses nothing, sees
// nothing twice, all of it in order, and the program is told of the change of server.
func TestReconnectOnLameDuck(t *testing.T) {
	eachMode(t, func(t *testing.T, opts []Option) {
		c := testserver.RunCluster(t, 2, patientDuck)
		s := newStory()
		duck, onDuck := connEvents()
		nc := connectTo(t, c.URL(), append([]Option{s.option, DontRandomize(), ReconnectOnLameDuck(0), LameDuckModeHandler(onDuck)}, opts...)...)
		numbers := make(chan int, 1<<20)
		sub, err := nc.Subscribe("foo", func(m *Msg) { numbers <- numberOf(t, string(m.Data)) })
		require.NoError(t, err)
		require.NoError(t, sub.SetPendingLimits(-1, -1))
		n := 0
		publish := func() {
			require.NoError(t, nc.Publish("foo", numbered(n, 100)))
			n++
		}
		for range 1000 {
			publish()
		}
		lameDuck(t, c.Servers[0])
		for range 100_000 {
			if publish(); nc.ConnectedUrl() == c.Servers[1].URL() {
				break
			}
			if n%100 == 0 {
				require.NoError(t, nc.Flush(), "a flush goes along")
			}
		}
		for range 1000 {
			publish()
		}
		require.NoError(t, nc.FlushTimeout(patience))
		for want := range n {
			require.Equal(t, want, got(t, numbers, "message"))
		}
		require.Empty(t, numbers)
		require.Same(t, nc, got(t, duck, "lame duck event"))
		require.Equal(t, []string{"connected", "disconnected: nil", "reconnected"}, s.soFar())
		require.Equal(t, c.Servers[1].URL(), nc.ConnectedUrl())
		require.Equal(t, c.Servers[1].Server().Name(), nc.ConnectedServerName())
		require.True(t, c.Servers[0].Running())
		st := nc.BufferStats()
		require.Zero(t, st.InDoubt)
		require.Zero(t, st.Repeated)
		require.EqualValues(t, 1, nc.Stats().Reconnects)
	})
}

// The publisher of a cluster leaves under load, in every mode: no subscriber misses
// anything or sees it twice.
func TestReconnectOnLameDuckUnderLoad(t *testing.T) { // alone: it needs the whole machine
	for _, m := range guaranteeModes {
		t.Run(m.name, func(t *testing.T) {
			c := testserver.RunCluster(t, 2, patientDuck)
			r := newDeathRig(t, append([]Option{ReconnectOnLameDuck(0)}, m.opts...), c.URL(), c.URLs()...)
			r.start(min(*chaosRate, 20_000))
			r.load()
			from := r.nc.ConnectedUrl()
			for _, s := range c.Servers {
				if s.URL() == from {
					lameDuck(t, s)
				}
			}
			soon(t, func() bool { return r.nc.IsConnected() && r.nc.ConnectedUrl() != from }, "it stays")
			r.load()
			r.stop()
			require.NoError(t, r.nc.FlushTimeout(patience))
			require.Empty(t, r.pub.refused)
			accepted := int(r.pub.returned.Load())
			for _, s := range r.subs {
				soon(t, func() bool { return s.count() >= accepted }, "something is missing")
				require.NoError(t, s.nc.FlushTimeout(patience))
				s.mu.Lock()
				assert.Equal(t, accepted, s.got[0].count())
				assert.Empty(t, s.repeated, "seen twice")
				s.mu.Unlock()
			}
			st := r.nc.BufferStats()
			assert.Zero(t, st.InDoubt)
			assert.Zero(t, st.Repeated)
			t.Logf("%d messages, %d of them held when it went", accepted, st.Replayed)
		})
	}
}

// A subscriber leaves while others publish, at its own server and at another one. Its
// queue group misses nothing, for there is another member; by itself it misses no more
// than what came between the two sessions. Nothing comes twice. (It could if somebody
// else at the second server subscribed to the same: then what the servers are passing on
// to each other finds the subscription there too.)
func TestSubscriberLeavesOnLameDuck(t *testing.T) { // alone: it needs the whole machine
	c := testserver.RunCluster(t, 2, patientDuck)
	first, second := c.Servers[0], c.Servers[1]
	var group, alone chaosTally
	join := func(url string, opts ...Option) *Conn {
		nc := connectTo(t, url, append(append(fast(), quiet(), DontRandomize()), opts...)...)
		sub, err := nc.QueueSubscribe("chaos.*", "group", func(m *Msg) { group.see(m.Data) })
		require.NoError(t, err)
		require.NoError(t, sub.SetPendingLimits(-1, -1))
		return nc
	}
	nc := join(c.URL(), ReconnectOnLameDuck(0))
	sub, err := nc.Subscribe("alone.chaos.*", func(m *Msg) { alone.see(m.Data) })
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, nc.Flush())
	other := join(second.URL())
	require.NoError(t, other.Flush())
	near, far := connectTo(t, first.URL(), quiet()), connectTo(t, second.URL(), quiet())
	soon(t, func() bool { return interested(second, "alone.chaos.0") }, "not known at the second server")
	var b []byte
	n := 0
	publish := func(most int, more func() bool) {
		for range most {
			for pub, from := range []*Conn{near, far} {
				b = chaosPayload(b, pub, n)
				require.NoError(t, from.Publish(chaosSubject(pub), b))
				require.NoError(t, from.Publish("alone."+chaosSubject(pub), b))
			}
			if n++; n%20 == 0 {
				require.NoError(t, near.FlushTimeout(patience))
				require.NoError(t, far.FlushTimeout(patience))
				if !more() {
					return
				}
			}
		}
	}
	publish(500, func() bool { return true })
	moved := n
	lameDuck(t, first)
	publish(200_000, func() bool { return !nc.IsConnected() || nc.ConnectedUrl() != second.URL() })
	soon(t, func() bool { return nc.IsConnected() && nc.ConnectedUrl() == second.URL() }, "it stays")
	require.NoError(t, nc.Flush())
	soon(t, func() bool { return interested(first, "alone.chaos.0") }, "not known at the first server")
	back := n
	publish(500, func() bool { return true })
	soon(t, func() bool { return group.count() >= 2*n }, "the group misses something")
	soon(t, func() bool {
		alone.mu.Lock()
		defer alone.mu.Unlock()
		return alone.top[0] == n && alone.top[1] == n
	}, "the last are missing")
	group.mu.Lock()
	defer group.mu.Unlock()
	alone.mu.Lock()
	defer alone.mu.Unlock()
	assert.Empty(t, group.repeated)
	assert.Empty(t, alone.repeated)
	missing := 0
	for pub := range 2 {
		assert.Equal(t, n, group.got[pub].count())
		gap := chaosUpTo(n).without(alone.got[pub])
		missing += gap.count()
		assert.Zero(t, gap.below(moved))
		assert.Equal(t, gap.count(), gap.below(back))
	}
	t.Logf("2 * %d messages, %d missed without a group", n, missing)
}

// interested reports whether a server knows of a subscription to a subject, its own or
// another server's.
func interested(s *testserver.Server, subject string) bool {
	return s.Server().GlobalAccount().Interest(subject) > 0
}

// chaosUpTo is the numbers below n.
func chaosUpTo(n int) (s chaosSet) {
	for i := range n {
		s.add(i)
	}
	return s
}

// Without another server, and without the option, it stays.
func TestLameDuckWithNowhereToGo(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		servers int
		opts    []Option
	}{
		{"one server", 1, []Option{ReconnectOnLameDuck(0)}},
		{"not wanted", 2, nil},
		{"NoReconnect", 2, []Option{ReconnectOnLameDuck(0), NoReconnect()}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			servers := []*testserver.Server{testserver.Run(t, patientDuck)}
			if tc.servers > 1 {
				servers = testserver.RunCluster(t, tc.servers, patientDuck).Servers
			}
			duck, onDuck := connEvents()
			lost, onLost := lossEvents()
			nc := connectTo(t, servers[0].URL(), append([]Option{LameDuckModeHandler(onDuck), onLost}, tc.opts...)...)
			sub, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			require.NoError(t, nc.Flush())
			require.Len(t, nc.Servers(), tc.servers)
			lameDuck(t, servers[0])
			got(t, duck, "lame duck event")
			for range 20 { // a departure would be over
				require.NoError(t, nc.Publish("foo", nil))
				_, err := sub.NextMsg(patience)
				require.NoError(t, err)
			}
			require.Equal(t, servers[0].URL(), nc.ConnectedUrl())
			require.Empty(t, lost)
		})
	}
}

const (
	duckInfo  = `{"server_id":"A","proto":1,"headers":true,"max_payload":1048576,"ldm":true}`
	otherInfo = `{"server_id":"B","proto":1,"headers":true,"max_payload":1048576}`
)

// quacker is a server in memory that says that it is in lame duck mode once the channel
// is closed. pong answers a PING; false: the connection ends.
func quacker(m *memNet, addr string, pong func(*memPeer) bool) (quack chan struct{}) {
	quack = make(chan struct{})
	m.listen(addr, func(p *memPeer) {
		if !p.welcome() {
			return
		}
		gone := make(chan struct{})
		go func() { // ends with the connection
			defer close(gone)
			for {
				line, err := p.in.ReadString('\n')
				if err != nil || line == "PING\r\n" && !pong(p) {
					return
				}
			}
		}()
		select {
		case <-quack:
			p.say("INFO " + duckInfo + "\r\n")
			<-gone
		case <-gone:
		}
	})
	return quack
}

func alwaysPongs(p *memPeer) bool { return p.say("PONG\r\n") }

// let is a server in memory that lets clients in with an INFO.
func let(m *memNet, addr, info string) {
	m.listen(addr, func(p *memPeer) {
		if _, ok := p.shake(info); ok && p.say("PONG\r\n") {
			p.answer()
		}
	})
}

// It tries the others, and stays while none takes it: not one that refuses, not one
// that is about to go, not the same server by another name.
func TestLameDuckLooksForAServer(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		quack := quacker(m, "10.0.0.0:4222", alwaysPongs)
		let(m, "10.0.0.2:4222", duckInfo)
		let(m, "10.0.0.3:4222", plainInfo) // the id of the first
		s := newStory()
		refused := make(chan error, 10)
		nc := inMemory(t, m, "10.0.0.0,10.0.0.1,10.0.0.2,10.0.0.3", s.option, MaxReconnects(1), ReconnectOnLameDuck(0),
			ReconnectErrHandler(func(_ *Conn, err error) { refused <- err }))
		synctest.Wait()
		m.restart()
		close(quack)
		time.Sleep(departAgain * 3 / 2)
		require.Equal(t, "10.0.0.1@0s 10.0.0.2@0s 10.0.0.3@0s 10.0.0.1@1s 10.0.0.2@1s 10.0.0.3@1s", m.log())
		require.Equal(t, CONNECTED, nc.Status())
		require.Equal(t, []string{"connected"}, s.soFar())
		require.Len(t, refused, 2)
		let(m, "10.0.0.1:4222", otherInfo)
		time.Sleep(departAgain)
		synctest.Wait()
		require.Equal(t, []string{"disconnected: nil", "reconnected"}, s.soFar())
		require.Equal(t, "nats://10.0.0.1:4222", nc.ConnectedUrl())
		require.Equal(t, []string{"nats://10.0.0.1:4222", "nats://10.0.0.2:4222", "nats://10.0.0.3:4222", "nats://10.0.0.0:4222"}, nc.Servers())
	})
}

// The program chooses where to go, or whether to.
func TestLameDuckAndReconnectToServer(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		quack := quacker(m, "10.0.0.0:4222", alwaysPongs)
		let(m, "10.0.0.1:4222", otherInfo)
		let(m, "10.0.0.2:4222", otherInfo)
		choices := []string{"10.0.0.0", "10.0.0.2"}
		nc := inMemory(t, m, "10.0.0.0,10.0.0.1,10.0.0.2", ReconnectOnLameDuck(0),
			ReconnectToServer(func(pool []Server, info ServerInfo) (*Server, time.Duration) {
				require.True(t, info.LameDuckMode)
				want := choices[0]
				choices = choices[1:]
				for _, s := range pool {
					if s.URL.Hostname() == want {
						return &s, time.Second
					}
				}
				return nil, 0
			}))
		m.restart()
		close(quack)
		time.Sleep(departAgain / 2)
		require.Equal(t, "nats://10.0.0.0:4222", nc.ConnectedUrl())
		time.Sleep(3 * departAgain)
		synctest.Wait()
		require.Equal(t, "10.0.0.2@2s", m.log())
		require.Equal(t, "nats://10.0.0.2:4222", nc.ConnectedUrl())
	})
}

// A server that does not answer the farewell is left all the same, after Timeout, and
// what it had is in doubt; one that hangs up is left at once, for the server that was
// found, and without a second dial.
func TestLameDuckThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		pong func(*memPeer) bool
		took time.Duration
	}{
		{"silent", func(*memPeer) bool { return true }, 3 * time.Second},
		{"hangs up", func(*memPeer) bool { return false }, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				m := newMemNet()
				quack := quacker(m, "10.0.0.0:4222", tc.pong)
				let(m, "10.0.0.1:4222", otherInfo)
				back := make(chan time.Time, 1)
				nc := inMemory(t, m, "10.0.0.0,10.0.0.1", ReconnectOnLameDuck(0), Timeout(3*time.Second), quiet(),
					ReconnectHandler(func(*Conn) { back <- time.Now() }))
				require.NoError(t, nc.Publish("foo", []byte("x")))
				synctest.Wait()
				m.restart()
				close(quack)
				require.Equal(t, tc.took, (<-back).Sub(m.start))
				require.Equal(t, "10.0.0.1@0s", m.log())
				require.EqualValues(t, 1, nc.BufferStats().InDoubt)
			})
		})
	}
}

// farewellRig is a connection whose old server has been told farewell and has not
// answered, and knows of another one. What each server gets is in its channel, line by
// line.
type farewellRig struct {
	nc         *Conn
	sub        *Subscription // on "old"
	unanswered *memPeer
	old, other chan string
}

func newFarewellRig(t *testing.T, opts ...Option) *farewellRig {
	m := newMemNet()
	r := &farewellRig{old: make(chan string, 100), other: make(chan string, 100)}
	hold, held := make(chan struct{}), make(chan *memPeer, 10)
	quack := make(chan struct{})
	serve := func(info string, lines chan string, pong func(*memPeer) bool) func(*memPeer) {
		return func(p *memPeer) {
			if _, ok := p.shake(info); !ok || !p.say("PONG\r\n") {
				return
			}
			go func() { // ends with the test
				<-quack
				if lines == r.old {
					p.say("INFO " + duckInfo + "\r\n")
				}
			}()
			for {
				line, err := p.in.ReadString('\n')
				if err != nil || line == "PING\r\n" && !pong(p) {
					return
				}
				lines <- strings.TrimSpace(line)
			}
		}
	}
	m.listen("10.0.0.0:4222", serve(plainInfo, r.old, func(p *memPeer) bool {
		select {
		case <-hold:
			held <- p
			return true
		default:
			return p.say("PONG\r\n")
		}
	}))
	m.listen("10.0.0.1:4222", serve(otherInfo, r.other, alwaysPongs))
	r.nc = inMemory(t, m, "10.0.0.0,10.0.0.1", append([]Option{ReconnectOnLameDuck(0), ReconnectBufSize(1 << 20)}, opts...)...)
	var err error
	r.sub, err = r.nc.SubscribeSync("old")
	require.NoError(t, err)
	require.NoError(t, r.nc.Publish("foo", []byte("before")))
	require.NoError(t, r.nc.Flush())
	time.Sleep(time.Second) // a PING of AtLeastOnce's own
	close(hold)
	close(quack)
	r.unanswered = <-held
	return r
}

// text is what is in a channel.
func text(lines chan string) string {
	var all []string
	for len(lines) > 0 {
		all = append(all, <-lines)
	}
	return strings.Join(all, "\n")
}

// While the farewell is not answered nothing more goes to the old server, and nothing
// that waits is lost: publishes, subscriptions and flushes go to the next one.
func TestLameDuckFarewell(t *testing.T) {
	eachMode(t, func(t *testing.T, opts []Option) {
		virtually(t, func(t *testing.T) {
			r := newFarewellRig(t, opts...)
			require.NoError(t, r.nc.Publish("foo", []byte("behind")))
			_, err := r.nc.SubscribeSync("new")
			require.NoError(t, err)
			require.NoError(t, r.sub.Unsubscribe())
			flushed := make(chan error, 1)
			go func() { flushed <- r.nc.Flush() }() // ends with the flush
			synctest.Wait()
			require.True(t, r.nc.IsConnected())
			require.Equal(t, "nats://10.0.0.0:4222", r.nc.ConnectedUrl())
			require.Empty(t, flushed)
			require.True(t, r.unanswered.say("PONG\r\n"))
			require.NoError(t, <-flushed)
			synctest.Wait()
			require.Equal(t, "nats://10.0.0.1:4222", r.nc.ConnectedUrl())
			old, other := text(r.old), text(r.other)
			require.Contains(t, old, "before")
			require.NotContains(t, old, "behind")
			require.True(t, strings.HasSuffix(old, "UNSUB 1\nPING"), old)
			require.Contains(t, other, "SUB new")
			require.Contains(t, other, "behind")
			require.NotContains(t, other, "before")
			require.NotContains(t, other, "SUB old")
			require.Zero(t, r.nc.BufferStats().InDoubt)
		})
	})
}

// Close in the middle of a departure sends what is left to the server that is there.
func TestCloseDuringADeparture(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		r := newFarewellRig(t)
		require.NoError(t, r.nc.Publish("foo", []byte("behind")))
		r.nc.Close()
		synctest.Wait()
		require.Contains(t, text(r.old), "behind")
		require.NotContains(t, text(r.other), "behind")
		require.Zero(t, r.nc.BufferStats().Undelivered)
	})
}

// Drain in the middle of a departure goes on at the next server.
func TestDrainDuringADeparture(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		closed, onClosed := connEvents()
		r := newFarewellRig(t, ClosedHandler(onClosed))
		require.NoError(t, r.nc.Publish("foo", []byte("behind")))
		require.NoError(t, r.nc.Drain())
		synctest.Wait()
		require.True(t, r.nc.IsDraining())
		require.True(t, r.unanswered.say("PONG\r\n"))
		<-closed
		require.NoError(t, r.nc.LastError())
		require.NotContains(t, text(r.old), "behind")
		other := text(r.other)
		require.Contains(t, other, "behind")
		require.NotContains(t, other, "SUB")
		require.Zero(t, r.nc.BufferStats().Undelivered)
	})
}

// A publisher is not refused between the two sessions, not even without a reconnect
// buffer or with a full one.
func TestLameDuckRefusesNoPublish(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]Option{"no buffer": ReconnectBufSize(-1), "full": ReconnectBufSize(100)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := testserver.RunCluster(t, 2, patientDuck)
			nc := connectTo(t, c.URL(), DontRandomize(), ReconnectOnLameDuck(0), opt)
			lameDuck(t, c.Servers[0])
			data := make([]byte, 1000)
			for nc.ConnectedUrl() != c.Servers[1].URL() {
				require.NoError(t, nc.Publish("foo", data))
			}
			require.NoError(t, nc.FlushTimeout(patience))
		})
	}
}

// 400 clients of one server leave over the whole of the spread.
func TestLameDuckSpread(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		const clients, spread = 400, 8 * time.Second
		m := newMemNet()
		quack := quacker(m, "10.0.0.0:4222", alwaysPongs)
		let(m, "10.0.0.1:4222", otherInfo)
		for range clients {
			inMemory(t, m, "10.0.0.0,10.0.0.1", ReconnectOnLameDuck(spread))
		}
		m.restart()
		close(quack)
		time.Sleep(spread)
		synctest.Wait()
		var seconds [8]int
		for _, dial := range strings.Fields(m.log()) {
			_, at, _ := strings.Cut(dial, "@")
			d, err := time.ParseDuration(at)
			require.NoError(t, err)
			seconds[min(int(d/time.Second), 7)]++
		}
		sum := 0
		for _, n := range seconds { // 50 expected, 6.6 the standard deviation
			assert.InDelta(t, clients/len(seconds), n, 45, "%v", seconds)
			sum += n
		}
		require.Equal(t, clients, sum)
	})
}

func TestReconnectOnLameDuckBadInput(t *testing.T) {
	t.Parallel()
	_, err := Connect("127.0.0.1:1", ReconnectOnLameDuck(-1))
	require.ErrorIs(t, err, ErrInvalidArg)
	require.Contains(t, fmt.Sprint(err), "lame duck")
}

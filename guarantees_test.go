package nats

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/child"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// The cells of GUARANTEES.md that no other test shows.

// guaranteeModes are the columns of that page.
var guaranteeModes = []struct {
	name string
	opts []Option
}{{"default", nil}, {"AtLeastOnce", []Option{AtLeastOnce()}}, {"MsgIDHeader", []Option{AtLeastOnce(), MsgIDHeader()}}}

// eachMode runs a test in each of them, side by side.
func eachMode(t *testing.T, f func(t *testing.T, opts []Option)) {
	t.Parallel()
	for _, m := range guaranteeModes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			f(t, m.opts)
		})
	}
}

// Every test that GUARANTEES.md names is there, and every cell names one.
func TestGuaranteesNameTests(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("GUARANTEES.md")
	require.NoError(t, err)
	tests := testNames(t)
	named := regexp.MustCompile(`Test\w+`).FindAllString(string(text), -1)
	require.Greater(t, len(named), 40)
	for _, name := range named {
		require.True(t, tests[name], "no %s", name)
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "| **") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		require.Contains(t, []int{2, 4}, len(cells), line)
		for _, cell := range cells[1:] {
			require.Regexp(t, `Test\w+`, cell, "a claim without a test")
		}
	}
	require.Equal(t, 18, rows, "6 faults for each of 3 roles")
}

// clientRoles are what a process that is to crash does once it is connected and its
// parent has said so by its arguments: a URL, a role and a mode.
func init() {
	child.Role("client", func(args []string) error {
		i := slices.IndexFunc(guaranteeModes, func(m struct {
			name string
			opts []Option
		}) bool {
			return m.name == args[2]
		})
		lost, onLost := lossEvents()
		nc, err := Connect(args[0], append(append(fast(), quiet(), onLost), guaranteeModes[i].opts...)...)
		if err != nil {
			return err
		}
		if args[1] == "subscriber" {
			if _, err = nc.Subscribe("foo", func(m *Msg) { fmt.Println("has", string(m.Data)); select {} }); err == nil {
				err = nc.Flush()
			}
			fmt.Println("ready")
			<-lost
			return err
		}
		if err := nc.Publish("foo", []byte("sent")); err != nil {
			return err
		}
		fmt.Println("ready")
		<-lost
		if args[1] == "requester" {
			go func() { _, _ = nc.Request("foo", []byte("unsent"), patience) }() // ends with the process
		} else if err := nc.Publish("foo", []byte("unsent")); err != nil {
			return err
		}
		for nc.BufferStats().Msgs == 0 {
			time.Sleep(time.Millisecond)
		}
		fmt.Println("done")
		select {}
	})
}

// What is buffered goes with the process, in every mode: it is only in memory.
func TestProcessCrashLosesWhatIsBuffered(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"publisher", "requester"} {
		for _, m := range guaranteeModes {
			t.Run(role+" "+m.name, func(t *testing.T) {
				t.Parallel()
				s := testserver.Run(t)
				proxy := faultproxy.Run(t, s.Addr())
				sub := subscribedTo(t, s)
				p, _, err := child.Start("client", proxy.URL(), role, m.name)
				require.NoError(t, err)
				defer p.Kill()
				wantOnly(t, sub, "sent")
				require.NoError(t, proxy.SetAccept(faultproxy.Refuse))
				proxy.Live().Cut(faultproxy.RST)
				done, err := p.Line()
				require.NoError(t, err)
				require.Equal(t, "done", done)
				p.Kill()
				require.NoError(t, proxy.SetAccept(faultproxy.Relay))
				wantOnly(t, sub)
			})
		}
	}
}

// What a crashed process had received and not handled is lost too, and nobody keeps
// anything for it.
func TestSubscriberCrashLosesWhatItHadNotHandled(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	nc := connectTo(t, s.URL())
	start := func() *child.Process {
		p, _, err := child.Start("client", s.URL(), "subscriber", "default")
		require.NoError(t, err)
		t.Cleanup(p.Kill)
		return p
	}
	publish := func(data ...string) {
		for _, d := range data {
			require.NoError(t, nc.Publish("foo", []byte(d)))
		}
		require.NoError(t, nc.Flush())
	}
	p := start()
	publish("1", "2", "3")
	line, err := p.Line()
	require.NoError(t, err)
	require.Equal(t, "has 1", line)
	p.Kill()
	soon(t, func() bool { return s.NumClients() == 1 }, "it is not gone")
	publish("4")
	p = start()
	publish("5")
	line, err = p.Line()
	require.NoError(t, err)
	require.Equal(t, "has 5", line)
}

// By default what the operating system has taken when the connection breaks is
// perhaps lost, counted as in doubt, and not repeated; with AtLeastOnce it is.
func TestWhatTheSystemTookWhenTheConnectionBroke(t *testing.T) {
	eachMode(t, func(t *testing.T, opts []Option) {
		r := newOutageRig(t, opts...)
		require.NoError(t, r.nc.FlushTimeout(patience))
		r.proxy.Live().StopForwarding(faultproxy.Up, faultproxy.Drop)
		r.publish("taken")
		soon(t, func() bool { st := r.nc.BufferStats(); return st.Msgs == st.UnconfirmedMsgs }, "not sent")
		r.proxy.Live().Cut(faultproxy.RST)
		got(t, r.back, "reconnect")
		r.publish("next")
		require.NoError(t, r.nc.FlushTimeout(patience))
		st := r.nc.BufferStats()
		if opts == nil {
			wantOnly(t, r.sub, "next")
			require.EqualValues(t, 1, st.InDoubt)
			return
		}
		wantOnly(t, r.sub, "taken", "next")
		require.Zero(t, st.InDoubt)
		require.EqualValues(t, 1, st.Repeated)
	})
}

// Without a stream a repeated message comes twice, with ids too; they say that it is
// the same.
func TestRepeatedMessageComesTwice(t *testing.T) {
	eachMode(t, func(t *testing.T, opts []Option) {
		r := newOutageRig(t, opts...)
		require.NoError(t, r.nc.FlushTimeout(patience))
		r.proxy.Live().StopForwarding(faultproxy.Down, faultproxy.Drop)
		r.publish("x")
		first, err := r.sub.NextMsg(patience)
		require.NoError(t, err)
		r.proxy.Live().Cut(faultproxy.RST)
		got(t, r.back, "reconnect")
		require.NoError(t, r.nc.FlushTimeout(patience))
		if opts == nil {
			wantOnly(t, r.sub)
			return
		}
		again, err := r.sub.NextMsg(patience)
		require.NoError(t, err)
		require.True(t, again.Equal(first))
		require.Equal(t, len(opts) == 2, first.Header.Get(MsgIdHdr) != "")
	})
}

// A server leaves its cluster by lame duck, or a publisher without AtLeastOnce loses
// its server: nothing is repeated by default, and with it nothing is missing but what
// the old server had confirmed. First deliveries are in order.
func TestDeparturesUnderLoad(t *testing.T) { // alone: it needs the whole machine
	for _, leave := range []struct {
		name string
		do   func(*testserver.Server)
	}{{"lame duck", (*testserver.Server).LameDuck}, {"failover", (*testserver.Server).Kill}} {
		for _, m := range guaranteeModes {
			t.Run(leave.name+", "+m.name, func(t *testing.T) {
				c := testserver.RunCluster(t, 2)
				r := newDeathRig(t, m.opts, c.URL(), c.URLs()...)
				r.start(min(*chaosRate, 20_000))
				r.load()
				for _, s := range c.Servers {
					if s.URL() == r.nc.ConnectedUrl() {
						leave.do(s)
						break
					}
				}
				soon(t, r.lost, "the loss was not noticed")
				soon(t, r.nc.IsConnected, "no reconnect")
				r.load()
				if m.opts != nil {
					r.succeeded()
					r.end()
					return
				}
				r.endByDefault()
			})
		}
	}
}

// endByDefault accounts for a run without AtLeastOnce.
func (r *deathRig) endByDefault() {
	r.stop()
	t := r.t
	require.NoError(t, r.nc.FlushTimeout(patience))
	accepted := int(r.pub.returned.Load())
	soon(t, func() bool { return r.missing(accepted-100, accepted).count() == 0 }, "the last are missing")
	missing, note := r.missing(0, accepted), r.deaths[0]
	assert.Equal(t, missing.count(), missing.below(note.accepted), "missing, and accepted behind the loss")
	for _, s := range r.subs {
		s.mu.Lock()
		assert.Empty(t, s.repeated, "seen twice")
		assert.Zero(t, s.overtaken, "out of order")
		s.mu.Unlock()
	}
	t.Logf("accepted %d, missing %d, in doubt %d", accepted, missing.count(), r.nc.BufferStats().InDoubt)
}

// The three ways in which a server goes away, for what waits at it.
var departures = []struct {
	name string
	do   func(t *testing.T, s *testserver.Server)
}{
	{"server crash", func(t *testing.T, s *testserver.Server) { s.Kill(); require.NoError(t, s.Start()) }},
	{"cluster failover", func(_ *testing.T, s *testserver.Server) { s.Kill() }},
	{"lame duck", func(_ *testing.T, s *testserver.Server) { s.LameDuck() }},
}

// awayRig is two servers in a cluster, a client at one of them that can go to the
// other, and one at the other.
func awayRig(t *testing.T, opts ...Option) (first *testserver.Server, nc, other *Conn) {
	c := testserver.RunCluster(t, 2)
	nc = connectTo(t, c.URL(), append(append(fast(), quiet(), DontRandomize()), opts...)...)
	require.Equal(t, c.Servers[0].URL(), nc.ConnectedUrl())
	return c.Servers[0], nc, connectTo(t, c.Servers[1].URL(), append(fast(), quiet())...)
}

// nextBut is NextMsg without the probes of reaches.
func nextBut(sub *Subscription, timeout time.Duration) (*Msg, error) {
	for {
		m, err := sub.NextMsg(timeout)
		if err != nil || string(m.Data) != "probe" {
			return m, err
		}
	}
}

// reaches waits until what one publishes arrives at the other's subscription.
func reaches(t *testing.T, from *Conn, sub *Subscription) {
	t.Helper()
	soon(t, func() bool {
		require.NoError(t, from.Publish(sub.Subject, []byte("probe")))
		_, err := sub.NextMsg(20 * time.Millisecond) // a probe
		return err == nil
	}, "nothing arrives")
}

// A subscription is there again after each; what was published meanwhile is missing,
// and nothing of before comes again.
func TestSubscriberMissesWhatIsPublishedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, d := range departures {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			gate := &deathDialer{open: true}
			first, nc, other := awayRig(t, SetCustomDialer(gate))
			sub, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			require.NoError(t, nc.Flush())
			reaches(t, other, sub)
			gate.setOpen(false)
			d.do(t, first)
			soon(t, func() bool { return nc.Status() == RECONNECTING }, "no outage")
			require.NoError(t, other.Publish("foo", []byte("meanwhile")))
			require.NoError(t, other.FlushTimeout(patience))
			gate.setOpen(true)
			soon(t, nc.IsConnected, "no reconnect")
			require.NoError(t, nc.FlushTimeout(patience))
			soon(t, func() bool {
				require.NoError(t, other.Publish("foo", []byte("later")))
				m, err := nextBut(sub, 20*time.Millisecond)
				require.True(t, err != nil || string(m.Data) == "later", "kept for it")
				return err == nil
			}, "no subscription")
		})
	}
}

// A request that a server has confirmed is not repeated when that goes away, and its
// reply may go with the server: then the caller's patience ends it. The next request
// is served.
func TestRequestWhoseServerGoesAway(t *testing.T) {
	t.Parallel()
	for _, d := range departures {
		for _, m := range guaranteeModes {
			t.Run(d.name+", "+m.name, func(t *testing.T) {
				t.Parallel()
				first, nc, other := awayRig(t, m.opts...)
				sub, err := other.SubscribeSync("svc")
				require.NoError(t, err)
				require.NoError(t, other.Flush())
				reaches(t, nc, sub)
				ctx, giveUp := context.WithTimeout(t.Context(), patience)
				defer giveUp()
				ended := make(chan error, 1)
				go func() { // ends with ctx
					_, err := nc.RequestWithContext(ctx, "svc", []byte("lost"))
					ended <- err
				}()
				_, err = nextBut(sub, patience) // and no answer
				require.NoError(t, err)
				require.NoError(t, nc.FlushTimeout(patience))
				d.do(t, first)
				soon(t, func() bool { return nc.Stats().Reconnects > 0 && nc.IsConnected() }, "no reconnect")
				require.NoError(t, nc.FlushTimeout(patience))
				soon(t, func() bool {
					require.NoError(t, nc.Publish("svc", []byte("next")))
					msg, err := nextBut(sub, 20*time.Millisecond)
					require.True(t, err != nil || string(msg.Data) == "next", "the request came again")
					return err == nil
				}, "nothing arrives")
				require.Empty(t, ended)
				giveUp()
				require.ErrorIs(t, got(t, ended, "end of the request"), context.Canceled)
			})
		}
	}
}

// Close ends a request that is not sent, in every mode; it is reported as undelivered
// like any message.
func TestCloseEndsARequestThatIsNotSent(t *testing.T) {
	eachMode(t, func(t *testing.T, opts []Option) {
		r := newOutageRig(t, opts...)
		r.down()
		ended := make(chan error, 1)
		go func() { // ends with Close
			_, err := r.nc.Request("svc", []byte("x"), patience)
			ended <- err
		}()
		soon(t, func() bool { return r.nc.BufferStats().Msgs == 1 }, "not buffered")
		r.nc.Close()
		require.ErrorIs(t, got(t, ended, "end of the request"), ErrConnectionClosed)
	})
}

// Close throws away what a subscription has not handed over; Drain hands it over.
func TestCloseDropsWhatIsQueued(t *testing.T) {
	t.Parallel()
	for _, drain := range []bool{false, true} {
		s := testserver.Run(t)
		closed, onClosed := connEvents()
		nc := connectTo(t, s.URL(), ClosedHandler(onClosed))
		began, goOn := make(chan struct{}, 10), make(chan struct{})
		_, err := nc.Subscribe("foo", func(*Msg) { began <- struct{}{}; <-goOn })
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, nc.Publish("foo", nil))
		}
		require.NoError(t, nc.FlushTimeout(patience))
		got(t, began, "message")
		if drain {
			require.NoError(t, nc.Drain())
		} else {
			nc.Close()
		}
		close(goOn)
		got(t, closed, "end")
		require.Equal(t, map[bool]int{true: 2, false: 0}[drain], len(began), "handed over behind the first")
	}
}

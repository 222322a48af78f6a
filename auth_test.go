package nats

import (
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Texts of -ERR lines about credentials.
const (
	saysViolation = "-ERR 'Authorization Violation'\r\n"
	saysExpired   = "-ERR 'User Authentication Expired'\r\n"
)

// byTurns is a server that does something else with each connection: what the
// plan says for as long as it lasts, then it lets everybody in. A text is the
// answer to CONNECT, behind which the connection ends; "" lets the client in and
// loses it when the channel is written to.
func byTurns(m *memNet, addr string, plan ...string) (lose chan struct{}) {
	lose = make(chan struct{})
	var turn atomic.Int32
	m.listen(addr, func(p *memPeer) {
		n := int(turn.Add(1)) - 1
		if n < len(plan) && plan[n] != "" {
			if _, ok := p.shake(plainInfo); ok {
				p.say(plan[n])
			}
			return
		}
		if !p.welcome() {
			return
		}
		gone := make(chan struct{})
		go func() { // ends with the connection
			p.answer()
			close(gone)
		}()
		select {
		case <-lose:
		case <-gone:
		}
	})
	return lose
}

// story notes all events of a connection in their order. Its option sets every
// handler.
type story struct {
	events chan string
}

func newStory() *story { return &story{events: make(chan string, 1000)} }

func (s *story) option(o *Options) error {
	conn := func(name string) ConnHandler { return func(*Conn) { s.events <- name } }
	o.ConnectedCB, o.ReconnectedCB = conn("connected"), conn("reconnected")
	o.ClosedCB, o.DiscoveredServersCB = conn("closed"), conn("discovered")
	o.DisconnectedErrCB = func(_ *Conn, err error) { s.events <- "disconnected: " + errString(err) }
	o.ReconnectErrCB = func(_ *Conn, err error) { s.events <- "dial failed: " + errString(err) }
	o.AsyncErrorCB = func(_ *Conn, sub *Subscription, err error) {
		text := "error: " + errString(err)
		if sub != nil {
			text += " on " + sub.Subject
		}
		s.events <- text
	}
	return nil
}

func errString(err error) string {
	if err == nil {
		return "nil"
	}
	return err.Error()
}

// soFar returns the events until now and forgets them. All goroutines of the
// test must be at rest.
func (s *story) soFar() []string {
	events := []string{}
	for {
		select {
		case e := <-s.events:
			events = append(events, e)
		default:
			return events
		}
	}
}

// authStory connects to one server that acts by the plan and loses the client
// once, and returns what happens within a minute.
func authStory(t *testing.T, plan []string, opts ...Option) (nc *Conn, events []string) {
	t.Helper()
	m := newMemNet()
	lose := byTurns(m, "10.0.0.0:4222", append([]string{""}, plan...)...)
	s := newStory()
	nc = inMemory(t, m, "10.0.0.0", append([]Option{s.option, ReconnectWait(time.Second)}, opts...)...)
	synctest.Wait()
	lose <- struct{}{}
	time.Sleep(time.Minute)
	synctest.Wait()
	return nc, s.soFar()
}

// Compatibility 4.6: the same refusal twice ends the connection.
func TestAuthTwiceCloses(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc, events := authStory(t, []string{saysViolation, saysViolation})
		require.Equal(t, []string{"connected", "disconnected: EOF", "error: nats: authorization violation",
			"error: nats: authorization violation", "closed"}, events)
		require.EqualError(t, nc.LastError(), "nats: Authorization Violation")
		require.ErrorIs(t, nc.LastError(), ErrAuthorization)
		require.Equal(t, CLOSED, nc.Status())
		require.EqualValues(t, 2, nc.Stats().Reconnects)
	})
}

func TestAuthOnceGoesOn(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, events := authStory(t, []string{saysViolation})
		require.Equal(t, []string{"connected", "disconnected: EOF", "error: nats: authorization violation",
			"reconnected"}, events)
	})
}

func TestAuthTwiceIgnored(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		v := "error: nats: authorization violation"
		_, events := authStory(t, []string{saysViolation, saysViolation, saysViolation}, IgnoreAuthErrorAbort())
		require.Equal(t, []string{"connected", "disconnected: EOF", v, v, v, "reconnected"}, events)
	})
}

// Different errors are not twice the same.
func TestAuthErrorsAlternate(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, events := authStory(t, []string{saysViolation, saysExpired, saysViolation, saysExpired, "-ERR 'x'\r\n"})
		v, e := "error: nats: authorization violation", "error: nats: authentication expired"
		require.Equal(t, []string{"connected", "disconnected: EOF", v, e, v, e, "reconnected"}, events)
	})
}

// A handshake that succeeds makes up for the refusal before it.
func TestAuthSuccessForgets(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		lose := byTurns(m, "10.0.0.0:4222", "", saysViolation, "", saysViolation, "", saysViolation, "")
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, ReconnectWait(time.Second))
		for range 3 {
			lose <- struct{}{}
			time.Sleep(time.Minute)
			require.Equal(t, CONNECTED, nc.Status())
		}
	})
}

// Each server has its own memory.
func TestAuthTwicePerServer(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		lose := byTurns(m, "10.0.0.0:4222", "", saysViolation)
		byTurns(m, "10.0.0.1:4222", saysViolation)
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0,10.0.0.1", s.option, ReconnectWait(time.Second))
		lose <- struct{}{}
		time.Sleep(time.Minute)
		synctest.Wait()
		v := "error: nats: authorization violation"
		require.Equal(t, []string{"connected", "disconnected: EOF", v, v, "reconnected"}, s.soFar())
		require.Equal(t, "nats://10.0.0.1:4222", nc.ConnectedUrl())
	})
}

// Compatibility 4.6 and 5.9: a first connect that is retried stops after the
// first retry, and there are no callbacks about credentials before there was a
// server.
func TestAuthTwiceFromTheStart(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		byTurns(m, "10.0.0.0:4222", saysViolation, saysViolation, saysViolation)
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, ReconnectWait(time.Second), RetryOnFailedConnect(true))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, CLOSED, nc.Status())
		require.Equal(t, "10.0.0.0@0s 10.0.0.0@1s", m.log())
		require.ErrorIs(t, nc.LastError(), ErrAuthorization)
		require.Equal(t, []string{"dial failed: nats: Authorization Violation", "closed"}, s.soFar())
	})
}

// liveAuth connects, lets the server say something and returns the events.
func liveAuth(t *testing.T, says string, opts ...Option) (nc *Conn, events []string) {
	t.Helper()
	m := newMemNet()
	var first sync.Once
	m.listen("10.0.0.0:4222", func(p *memPeer) {
		if p.welcome() {
			first.Do(func() { p.say(says) })
			p.answer()
		}
	})
	s := newStory()
	nc = inMemory(t, m, "10.0.0.0", append([]Option{s.option, ReconnectWait(time.Second)}, opts...)...)
	time.Sleep(time.Minute)
	synctest.Wait()
	return nc, s.soFar()
}

// Compatibility 4.5: on a live connection the error is told, and the server is
// left to hang up.
func TestAuthErrorOnLiveConnection(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc, events := liveAuth(t, saysExpired)
		require.Equal(t, []string{"connected", "error: nats: authentication expired"}, events)
		require.Equal(t, ErrAuthExpired, nc.LastError())
		require.Equal(t, CONNECTED, nc.Status())
	})
}

// Compatibility 4.6: a second one closes at once; the loss is told at most once.
func TestAuthTwiceOnLiveConnection(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc, events := liveAuth(t, saysExpired+saysExpired)
		e := "error: nats: authentication expired"
		require.Equal(t, []string{"connected", e, e}, events[:3])
		require.Equal(t, "closed", events[len(events)-1])
		require.LessOrEqual(t, len(events), 5)
		require.Equal(t, ErrAuthExpired, nc.LastError())
		require.Equal(t, CLOSED, nc.Status())
	})
	virtually(t, func(t *testing.T) {
		nc, _ := liveAuth(t, saysExpired+saysExpired, IgnoreAuthErrorAbort())
		require.Equal(t, CONNECTED, nc.Status())
	})
	virtually(t, func(t *testing.T) {
		nc, _ := liveAuth(t, saysExpired+saysViolation+saysExpired)
		require.Equal(t, CONNECTED, nc.Status(), "not twice the same")
	})
}

// An error on the live connection and the same in the next handshake are twice
// the same too.
func TestAuthLiveThenHandshake(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		var turn atomic.Int32
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			if turn.Add(1) > 1 {
				p.shake(plainInfo)
				p.say(saysExpired)
			} else if p.welcome() {
				p.say(saysExpired)
			}
		})
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, ReconnectWait(time.Second))
		time.Sleep(time.Minute)
		synctest.Wait()
		e := "error: nats: authentication expired"
		require.Equal(t, []string{"connected", e, "disconnected: EOF", e, "closed"}, s.soFar())
		require.EqualError(t, nc.LastError(), "nats: User Authentication Expired")
	})
}

// Compatibility 4.7: which failures of a reconnect's handshake are told.
func TestAuthReconnectHandshakeReports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		second func(*memPeer)
		want   []string
	}{
		"refusal that is not about credentials": {func(p *memPeer) {
			p.shake(plainInfo)
			p.say("-ERR 'maximum connections exceeded'\r\n")
		}, nil},
		"no INFO":     {func(p *memPeer) { p.say("HELLO\r\n") }, nil},
		"broken INFO": {func(p *memPeer) { p.say("INFO {\r\n") }, nil},
		"silence":     {func(p *memPeer) { p.deaf() }, nil},
		"no answer": {func(p *memPeer) { p.shake(plainInfo) },
			[]string{"error: nats: waiting for the answer to CONNECT from nats://10.0.0.0:4222: EOF"}},
		"CONNECT that cannot be built": {func(p *memPeer) { p.shake(`{"proto":0}`) },
			[]string{"error: nats: connecting to nats://10.0.0.0:4222: no echo option not supported by this server"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				m := newMemNet()
				lose := byTurns(m, "10.0.0.0:4222", "")
				s := newStory()
				inMemory(t, m, "10.0.0.0", s.option, ReconnectWait(time.Second), NoEcho())
				m.listen("10.0.0.0:4222", func(p *memPeer) {
					byTurns(m, "10.0.0.0:4222")
					c.second(p)
				})
				lose <- struct{}{}
				time.Sleep(time.Minute)
				synctest.Wait()
				want := append([]string{"connected", "disconnected: " + io.EOF.Error()}, c.want...)
				require.Equal(t, append(want, "reconnected"), s.soFar())
			})
		})
	}
}

package nats

import (
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Compatibility 5.20: one at a time, in order, whoever posts.
func TestDispatcherOrder(t *testing.T) {
	t.Parallel()
	var d dispatcher
	const posts = 1000
	var ran []int // only the dispatcher's goroutine touches it; close of done publishes it
	done := make(chan struct{})
	note := func(n int) {
		if ran = append(ran, n); len(ran) == posts+1 {
			close(done)
		}
	}
	for i := range posts {
		d.post(func() {
			if note(i); i == 500 {
				d.post(func() { note(posts) }) // from a handler: behind what is posted by then
			}
		})
	}
	got(t, done, "the last one")
	next := 0
	for _, n := range ran {
		if n < posts {
			require.Equal(t, next, n)
			next++
		}
	}
	require.Equal(t, posts, next)
}

func TestDispatcherRestAndClose(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) { // fails if the goroutine stays
		var d dispatcher
		n := 0
		for range 3 {
			d.post(func() { n++ })
			synctest.Wait()
			d.mu.Lock()
			require.False(t, d.running, "no goroutine while there is nothing to do")
			d.mu.Unlock()
		}
		stuck := make(chan struct{})
		d.post(func() { <-stuck })
		d.post(func() { n++ })
		d.close()
		d.post(func() { n = 1000 })
		close(stuck)
		synctest.Wait()
		require.Equal(t, 4, n, "what was queued still runs, and nothing more")
	})
}

// Programs look for the goroutine's name (15.3).
func TestDispatcherStack(t *testing.T) {
	t.Parallel()
	stack := make(chan string, 1)
	_, nc := connect(t, ConnectHandler(func(*Conn) {
		b := make([]byte, 64<<10)
		stack <- string(b[:runtime.Stack(b, false)])
	}))
	require.Contains(t, got(t, stack, "the stack"), "asyncCBDispatcher")
	nc.Close()
}

// Compatibility 5.8 to 5.11: a whole life.
func TestEventsOfALife(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, ReconnectWait(time.Second))
		m.listen("10.0.0.0:4222", nil)
		close(cut)
		time.Sleep(2500 * time.Millisecond)
		flapping(m, "10.0.0.0:4222")
		time.Sleep(time.Minute)
		nc.Close()
		nc.Close()
		synctest.Wait()
		refused := "dial failed: nats: dialling nats://10.0.0.0:4222: dial tcp: connection refused"
		require.Equal(t, []string{"connected", "disconnected: EOF", refused, refused, "reconnected",
			"disconnected: nil", "closed"}, s.soFar())
		require.NoError(t, nc.LastError())
	})
}

// Compatibility 5.10.
func TestEventsOfClose(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts   []Option
		outage bool
		want   []string
	}{
		"connected":             {nil, false, []string{"connected", "disconnected: nil", "closed"}},
		"in an outage":          {nil, true, []string{"connected", "disconnected: EOF", "closed"}},
		"silently":              {[]Option{NoCallbacksAfterClientClose()}, false, []string{"connected"}},
		"silently in an outage": {[]Option{NoCallbacksAfterClientClose()}, true, []string{"connected", "disconnected: EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				m := newMemNet()
				cut := flapping(m, "10.0.0.0:4222")
				s := newStory()
				nc := inMemory(t, m, "10.0.0.0", append(c.opts, s.option, ReconnectWait(time.Hour))...)
				if c.outage {
					close(cut)
				}
				synctest.Wait()
				var wg sync.WaitGroup
				for range 10 {
					wg.Go(nc.Close)
				}
				wg.Wait()
				synctest.Wait()
				require.Equal(t, c.want, s.soFar())
			})
		})
	}
}

// Compatibility 5.4 and 5.10: what the library closes is told, also with
// NoCallbacksAfterClientClose, and LastError says why.
func TestEventsOfLossWithoutReconnect(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, NoReconnect(), NoCallbacksAfterClientClose())
		close(cut)
		synctest.Wait()
		require.Equal(t, []string{"connected", "disconnected: nil", "closed"}, s.soFar())
		require.Equal(t, io.EOF, nc.LastError())
		require.Equal(t, CLOSED, nc.Status())
	})
}

// The program closes a connection at the moment in which its server is lost for
// good: the loss and the end are told all the same. Not parallel: it looks at the
// stacks of all goroutines.
func TestEventsOfLossBesideClose(t *testing.T) {
	peers := make(chan *peerConn, 1)
	srv := scripted(t, func(p *peerConn) {
		p.welcome()
		peers <- p
		p.serve(nil)
	})
	s := newStory()
	nc := connectTo(t, srv.url(), s.option, NoReconnect(), quiet())
	peer := got(t, peers, "session")
	waiting := func(where string) func() bool {
		return func() bool {
			b := make([]byte, 1<<20)
			return strings.Contains(string(b[:runtime.Stack(b, true)]), where)
		}
	}
	nc.mu.Lock()
	peer.cut()
	soon(t, waiting("(*Conn).swapOut("), "loss")
	closed := make(chan struct{})
	go func() { // comes to the lock between the two steps of the loss
		nc.shut(ending{byProgram: true})
		close(closed)
	}()
	soon(t, waiting("(*Conn).shut("), "close")
	// Who has waited for long and misses the lock once more makes it go round in turns.
	nc.mu.Unlock()
	nc.mu.Lock()
	soon(t, waiting("(*Conn).shut("), "close")
	nc.mu.Unlock()
	got(t, closed, "end")
	<-nc.over
	for _, want := range []string{"connected", "disconnected: nil", "closed"} {
		require.Equal(t, want, got(t, s.events, want))
	}
}

// A server that is back and takes nothing of what was buffered was not announced,
// so Close does not tell of its loss.
func TestEventsOfCloseBeforeTheReplay(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, ReconnectWait(time.Second))
		over := make(chan struct{})
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			p.welcome()
			<-over
		})
		close(cut)
		synctest.Wait()
		require.NoError(t, nc.Publish("foo", nil))
		time.Sleep(2 * time.Second)
		require.Equal(t, CONNECTED, nc.Status())
		nc.Close()
		close(over)
		synctest.Wait()
		require.Equal(t, []string{"connected", "disconnected: EOF", "closed"}, s.soFar())
	})
}

// Compatibility 5.8: DisconnectedCB is for programs without DisconnectedErrCB.
func TestEventsDisconnectHandlers(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		old, onOld := connEvents()
		nc := inMemory(t, m, "10.0.0.0", DisconnectHandler(onOld), ReconnectWait(time.Second))
		reconnect := func() {
			last := cut
			cut = flapping(m, "10.0.0.0:4222")
			close(last)
			time.Sleep(time.Minute)
		}
		reconnect()
		require.Len(t, old, 1)
		require.Equal(t, nc, <-old)
		lost := make(chan error, 10)
		nc.SetDisconnectErrHandler(func(_ *Conn, err error) { lost <- err })
		reconnect()
		require.Empty(t, old)
		require.Equal(t, io.EOF, <-lost)
		nc.SetDisconnectErrHandler(nil)
		nc.SetDisconnectHandler(nil)
		reconnect()
		require.Empty(t, old)
		require.Empty(t, lost)
	})
}

// Compatibility 1.12: the handler is taken when the event happens.
func TestEventsHandlerChanges(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		said := make(chan string, 100)
		conn := func(name string) ConnHandler { return func(*Conn) { said <- name } }
		stuck := make(chan struct{})
		nc := inMemory(t, m, "10.0.0.0", ConnectHandler(func(*Conn) { <-stuck }), ReconnectWait(time.Second),
			DisconnectErrHandler(func(*Conn, error) { said <- "lost, old" }), ReconnectHandler(conn("back, old")),
			ClosedHandler(conn("closed, old")))
		flapping(m, "10.0.0.0:4222")
		close(cut)
		time.Sleep(500 * time.Millisecond)
		require.Empty(t, said, "a handler that blocks holds up the others")
		require.Equal(t, RECONNECTING, nc.Status(), "and nothing else")
		nc.SetDisconnectErrHandler(func(*Conn, error) { said <- "lost, new" })
		nc.SetReconnectHandler(conn("back, new"))
		time.Sleep(time.Minute)
		require.NoError(t, nc.Flush())
		nc.SetClosedHandler(conn("closed, new"))
		nc.Close()
		nc.SetClosedHandler(conn("too late"))
		close(stuck)
		synctest.Wait()
		close(said)
		var all []string
		for s := range said {
			all = append(all, s)
		}
		require.Equal(t, []string{"lost, old", "back, new", "lost, new", "closed, new"}, all)
	})
}

// Compatibility 5.12: a handler may call everything.
func TestEventsHandlersMayCall(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		done := make(chan error, 10)
		use := func(nc *Conn) {
			_, err := nc.SubscribeSync("foo")
			done <- errors.Join(err, nc.Publish("foo", nil), nc.Flush())
			nc.SetErrorHandler(nil)
			_, _, _, _ = nc.Status(), nc.Stats(), nc.LastError(), nc.Servers()
		}
		inMemory(t, m, "10.0.0.0", ReconnectWait(time.Second), ConnectHandler(use),
			DisconnectErrHandler(func(nc *Conn, _ error) { use(nc) }),
			ReconnectHandler(func(nc *Conn) { nc.Close() }),
			ClosedHandler(func(nc *Conn) {
				nc.Close()
				done <- nc.Publish("foo", nil)
			}))
		require.NoError(t, <-done)
		flapping(m, "10.0.0.0:4222")
		close(cut)
		require.NoError(t, <-done, "a Flush in the handler waits for the reconnect")
		require.ErrorIs(t, <-done, ErrConnectionClosed, "in the handler for the end of the session")
		require.Equal(t, ErrConnectionClosed, <-done)
	})
}

func TestEventsNilConn(t *testing.T) {
	t.Parallel()
	var nc *Conn
	nc.SetDisconnectErrHandler(nil)
	nc.SetDisconnectHandler(nil)
	nc.SetReconnectHandler(nil)
	nc.SetDiscoveredServersHandler(nil)
	nc.SetClosedHandler(nil)
	nc.SetErrorHandler(nil)
	nc.Close()
	require.Equal(t, ErrInvalidConnection, nc.LastError())
}

// Compatibility 1.10. Not parallel: it catches what goes to standard error.
func TestEventsDefaultErrorHandler(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stderr := os.Stderr
	os.Stderr = w
	t.Cleanup(func() { os.Stderr = stderr })

	nc := newConn(Options{}.withDefaults(), &serverPool{})
	nc.info.CID = 42
	require.NotNil(t, nc.Opts.AsyncErrorCB)
	nc.reportError(nil, ErrStaleConnection)
	nc.reportError(&Subscription{Subject: "a.\"b"}, ErrSlowConsumer)
	nc.SetErrorHandler(nil)
	nc.reportError(nil, ErrTimeout)
	require.Equal(t, ErrTimeout, nc.LastError())
	nc.mu.Lock()
	nc.events.post(func() { w.Close() })
	nc.mu.Unlock()
	said, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "nats: stale connection on connection [42]\n"+
		"nats: slow consumer, messages dropped on connection [42] for subscription on \"a.\\\"b\"\n", string(said))
}

// The handlers of one connection never run side by side.
func TestEventsSerial(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		running, most, n := 0, 0, 0 // of the handler; the race detector sees two at once
		liveTo(t, newMemNet(), says(strings.Repeat("-ERR 'Permissions Violation'\r\n", 20)),
			ErrorHandler(func(*Conn, *Subscription, error) {
				running++
				most, n = max(most, running), n+1
				time.Sleep(time.Second)
				running--
			}))
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, 1, most)
		require.Equal(t, 20, n)
	})
}

// Command events is written for the incumbent client. It prints, for a number of
// scenes, which events there were in which order.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// story collects what happens: events, and beside them what calls return, for the
// order of the one to the other is any.
type story struct {
	mu     sync.Mutex
	events []string
	calls  []string
	begun  chan struct{}
	closed chan struct{}
	back   chan struct{}
	lost   chan struct{}
	slow   chan struct{}
}

func newStory() *story {
	return &story{
		begun: make(chan struct{}), closed: make(chan struct{}), back: make(chan struct{}, 10), lost: make(chan struct{}, 10),
		slow: make(chan struct{}, 10),
	}
}

func (s *story) add(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, fmt.Sprintf(format, args...))
}

// call notes what the scene itself sees.
func (s *story) call(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, fmt.Sprintf(format, args...))
}

func (s *story) options(more ...nats.Option) []nats.Option {
	return append([]nats.Option{
		nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0),
		nats.ConnectHandler(func(*nats.Conn) { s.add("connected"); close(s.begun) }),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			s.add("reconnected %v", nc.LastError())
			s.back <- struct{}{}
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			s.add("disconnected, error %v", err != nil)
			s.lost <- struct{}{}
		}),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { s.add("attempt failed %v", err == nats.ErrNoServers) }),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			s.add("error %v, subscription %v", err, sub != nil)
			s.slow <- struct{}{}
		}),
		nats.ClosedHandler(func(nc *nats.Conn) {
			known := nc.LastError()
			if known == nats.ErrNoServers && nc.Opts.MaxReconnect > 2 {
				known = nil // not exhausted: whether an attempt came before the end is chance
			}
			if known != nil && known != nats.ErrNoServers && known != nats.ErrDrainTimeout {
				known = errors.New("another one")
			}
			s.add("closed %v %v", nc.Status(), known)
			close(s.closed)
		}),
	}, more...)
}

// scene is one of them; it ends with the connection closed.
type scene struct {
	name string
	opts []nats.Option
	play func(*story, *relay, *nats.Conn) error
}

var scenes = []scene{
	{"close", nil, func(s *story, _ *relay, nc *nats.Conn) error {
		nc.Close()
		nc.Close()
		return nil
	}},
	{"close quietly", []nats.Option{nats.NoCallbacksAfterClientClose()}, func(s *story, _ *relay, nc *nats.Conn) error {
		nc.Close()
		close(s.closed)
		return nil
	}},
	{"loss", nil, func(s *story, r *relay, nc *nats.Conn) error {
		r.cut()
		<-s.lost
		<-s.back
		s.call("%d reconnects, %v", nc.Stats().Reconnects, nc.Status())
		nc.Close()
		return nil
	}},
	{"loss without reconnect", []nats.Option{nats.NoReconnect()}, func(_ *story, r *relay, _ *nats.Conn) error {
		r.cut()
		return nil
	}},
	{"exhausted", []nats.Option{nats.MaxReconnects(2)}, func(_ *story, r *relay, _ *nats.Conn) error {
		r.stop()
		return nil
	}},
	{"no attempts", []nats.Option{nats.MaxReconnects(0)}, func(_ *story, r *relay, _ *nats.Conn) error {
		r.cut()
		return nil
	}},
	{"close in an outage", []nats.Option{nats.ReconnectWait(time.Hour)}, func(s *story, r *relay, nc *nats.Conn) error {
		r.stop()
		<-s.lost
		s.call("%v", nc.Status())
		nc.Close()
		return nil
	}},
	{"buffer", []nats.Option{nats.ReconnectWait(time.Hour), nats.ReconnectBufSize(34)}, buffer},
	{"buffer off", []nats.Option{nats.ReconnectWait(time.Hour), nats.ReconnectBufSize(-1)}, buffer},
	{"drain", nil, func(s *story, _ *relay, nc *nats.Conn) error {
		handled, hold := 0, make(chan struct{})
		sub, err := nc.Subscribe("a", func(*nats.Msg) { <-hold; handled++ })
		if err != nil {
			return err
		}
		for range 100 {
			if err := nc.Publish("a", nil); err != nil {
				return err
			}
		}
		if err := nc.Flush(); err != nil {
			return err
		}
		s.call("drain %v %v", nc.Drain(), nc.Drain())
		_, err = nc.SubscribeSync("b")
		close(hold)
		<-s.closed
		s.call("%d handled, subscribe %v, valid %v, drain %v", handled, err, sub.IsValid(), nc.Drain())
		return nil
	}},
	{"drain too slow", []nats.Option{nats.DrainTimeout(50 * time.Millisecond)}, func(_ *story, _ *relay, nc *nats.Conn) error {
		if _, err := nc.SubscribeSync("a"); err != nil {
			return err
		}
		if err := nc.Publish("a", nil); err != nil {
			return err
		}
		if err := nc.Flush(); err != nil {
			return err
		}
		return nc.Drain()
	}},
	{"drain in an outage", []nats.Option{nats.ReconnectWait(time.Hour)}, func(s *story, r *relay, nc *nats.Conn) error {
		r.stop()
		<-s.lost
		s.call("drain %v", nc.Drain())
		return nil
	}},
	{"force reconnect", nil, func(s *story, _ *relay, nc *nats.Conn) error {
		s.call("%v", nc.ForceReconnect())
		<-s.back
		s.call("%d reconnects, %v", nc.Stats().Reconnects, nc.Flush())
		nc.Close()
		s.call("%v", nc.ForceReconnect())
		return nil
	}},
	{"slow consumer", nil, slowConsumer},
	{"states of a subscription", nil, subscriptionStates},
	{"barrier", nil, func(s *story, _ *relay, nc *nats.Conn) error {
		if err := nc.Barrier(func() { s.add("at once") }); err != nil {
			return err
		}
		done := make(chan struct{})
		if _, err := nc.Subscribe("a", func(*nats.Msg) { s.add("message") }); err != nil {
			return err
		}
		for range 2 {
			if err := nc.Publish("a", nil); err != nil {
				return err
			}
		}
		if err := nc.Flush(); err != nil {
			return err
		}
		err := nc.Barrier(func() { s.add("barrier"); close(done) })
		<-done
		nc.Close()
		s.call("%v %v", err, nc.Barrier(func() {}))
		return nil
	}},
	{"server pool", nil, func(s *story, r *relay, nc *nats.Conn) error {
		s.call("%d %v", len(nc.ServerPool()), nc.SetServerPool([]string{"nats://[bad"}) != nil)
		s.call("%v", nc.SetServerPool([]string{r.url(), "nats://127.0.0.1:1"}))
		s.call("%d %v %d", len(nc.Servers()), nc.ConnectedUrl() == r.url(), len(nc.DiscoveredServers()))
		nc.Close()
		s.call("%v", nc.SetServerPool(nil))
		return nil
	}},
}

func buffer(s *story, r *relay, nc *nats.Conn) error {
	r.stop()
	<-s.lost
	for range 4 {
		s.call("publish %v", nc.Publish("foo", []byte("hello")))
	}
	n, err := nc.Buffered()
	s.call("buffered %d %v", n, err)
	nc.Close()
	n, err = nc.Buffered()
	s.call("buffered %d %v", n, err)
	return nil
}

func slowConsumer(s *story, _ *relay, nc *nats.Conn) error {
	sub, err := nc.SubscribeSync("a")
	if err != nil {
		return err
	}
	if err := sub.SetPendingLimits(2, -1); err != nil {
		return err
	}
	for range 5 {
		if err := nc.Publish("a", []byte("x")); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	<-s.slow
	dropped, err := sub.Dropped()
	s.call("dropped %d %v, last error %v", dropped, err, nc.LastError())
	for range 4 {
		m, err := sub.NextMsg(20 * time.Millisecond)
		s.call("message %v, %v", m != nil, err)
	}
	delivered, err := sub.Delivered()
	s.call("delivered %d %v", delivered, err)
	nc.Close()
	_, err = sub.NextMsg(0)
	s.call("closed: %v, valid %v", err, sub.IsValid())
	return nil
}

func subscriptionStates(s *story, _ *relay, nc *nats.Conn) error {
	hold, done := make(chan struct{}), make(chan string, 1)
	sub, err := nc.Subscribe("a", func(*nats.Msg) { <-hold })
	if err != nil {
		return err
	}
	sub.SetClosedHandler(func(subject string) { done <- subject })
	if err := sub.SetPendingLimits(1, -1); err != nil {
		return err
	}
	states := sub.StatusChanged()
	for range 3 {
		if err := nc.Publish("a", nil); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	<-s.slow
	s.call("%v %v", sub.Drain(), sub.IsDraining())
	close(hold)
	for state := range states {
		s.call("%v", state)
	}
	s.call("closed %s, draining %v, again %v", <-done, sub.IsDraining(), sub.Drain())
	late := sub.StatusChanged()
	s.call("late: %v", <-late)
	_, open := <-late
	s.call("open %v, unsubscribe %v", open, sub.Unsubscribe())
	nc.Close()
	return nil
}

func (sc *scene) run(url string) error {
	r := newRelay(url)
	defer r.stop()
	s := newStory()
	nc, err := nats.Connect(r.url(), s.options(sc.opts...)...)
	if err != nil {
		return err
	}
	<-s.begun
	if err := sc.play(s, r, nc); err != nil {
		return err
	}
	select {
	case <-s.closed:
	case <-time.After(20 * time.Second):
		return errors.New("not closed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Printf("%s\n\t%s\n\t-- %s\n", sc.name, strings.Join(s.events, "\n\t"), strings.Join(s.calls, "\n\t-- "))
	return nil
}

func main() {
	for i := range scenes {
		if err := scenes[i].run(os.Args[1]); err != nil {
			fmt.Println(scenes[i].name, "failed:", err)
			os.Exit(1)
		}
	}
}

// Package outagelab is a server, a proxy that makes faults in front of it, a
// publisher through the proxy and a subscriber directly at the server, with an account
// of every message. The publisher can be any client, so two can be put through the
// same.
//
// Messages are numbered, in their payload. What Publish accepts, what the subscriber
// gets and what the client says it has given up is noted by number; what is left is
// lost.
package outagelab

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// Subject is what is published to.
const Subject = "outage"

// MinSize is the least size of a message: that of its number.
const MinSize = 8

// serverText lets the server keep as much as it takes for a subscriber that is slow,
// because the loss of that would be the server's.
const serverText = "max_pending: 1073741824\nwrite_deadline: \"60s\"\n"

// subscriberWait is the subscriber's pause between attempts to reconnect.
const subscriberWait = 5 * time.Millisecond

// A Config says how to set up a Lab.
type Config struct {
	// Rate is how many messages a second are published at first.
	Rate int
	// Size of a payload in bytes, MinSize at least.
	Size int
	// Throttle is what gets through in bytes per second while that fault is on.
	Throttle int64
	// Dial connects the client.
	Dial Dial
	// Event is told what happens, from several goroutines. It may be nil.
	Event func(text string)
}

// A Lab is one client in its surroundings.
type Lab struct {
	cfg    Config
	srv    *testserver.Server
	proxy  *faultproxy.Proxy
	direct *nats.Conn // the subscriber's
	sub    *nats.Subscription
	client Client
	start  time.Time
	rate   atomic.Int64
	ledger ledger

	doing sync.Mutex // held by the one action under way
	holed int        // guarded by doing: id of the last connection before the black hole

	mu     sync.Mutex // guards what follows; taken inside of doing
	faults Faults
}

// New sets everything up. Close has to be called.
func New(cfg Config) (*Lab, error) {
	if cfg.Event == nil {
		cfg.Event = func(string) {}
	}
	l := &Lab{cfg: cfg}
	l.rate.Store(int64(cfg.Rate))
	if err := l.setUp(); err != nil {
		l.Close()
		return nil, fmt.Errorf("outagelab: %w", err)
	}
	l.start = time.Now()
	return l, nil
}

func (l *Lab) setUp() (err error) {
	if l.srv, err = testserver.New(testserver.Config{Text: serverText}); err != nil {
		return err
	}
	if l.proxy, err = faultproxy.New(l.srv.Addr()); err != nil {
		return err
	}
	if err := l.subscribe(); err != nil {
		return fmt.Errorf("subscriber: %w", err)
	}
	l.client, err = l.cfg.Dial(l.proxy.URL(), Reports{Event: l.cfg.Event, GivenUp: l.ledger.giveUp})
	return err
}

func (l *Lab) subscribe() (err error) {
	l.direct, err = nats.Connect(l.srv.URL(), nats.Name("outage subscriber"), nats.MaxReconnects(-1),
		nats.ReconnectWait(subscriberWait), nats.ReconnectJitter(0, 0))
	if err != nil {
		return err
	}
	l.sub, err = l.direct.Subscribe(Subject, func(m *nats.Msg) { l.ledger.deliver(m.Data) })
	if err != nil {
		return err
	}
	if err := l.sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	return l.direct.Flush()
}

// Rate is how many messages a second are published now.
func (l *Lab) Rate() int { return int(l.rate.Load()) }

// SetRate changes the rate.
func (l *Lab) SetRate(perSecond int) { l.rate.Store(int64(perSecond)) }

// Since is how long the lab has been there.
func (l *Lab) Since() time.Duration { return time.Since(l.start) }

// Finish takes all faults back and waits until what was accepted is where it goes.
// Nobody may publish any more. An error means that the context ended before, or the
// client had to close its connection; what the next Sample says is lost may then be
// still on its way.
func (l *Lab) Finish(ctx context.Context) error {
	if err := l.Do(Heal); err != nil {
		return err
	}
	if err := persist(ctx, l.client.Flush, l.client.Closed); err != nil {
		return fmt.Errorf("the client's end: %w", err)
	}
	// A connection that broke can still have bytes under way.
	if err := l.oldConnectionsEnd(ctx); err != nil {
		return fmt.Errorf("old connections: %w", err)
	}
	if err := persist(ctx, l.client.Flush, l.client.Closed); err != nil {
		return fmt.Errorf("the client's end: %w", err)
	}
	if err := l.settle(ctx); err != nil {
		return err
	}
	// Handlers are called when they are: what they have to say is part of the account.
	return until(ctx, func() bool { return l.ledger.counts(true).GivenUp >= l.client.Look().ToReport })
}

// until looks again and again until the condition is true.
func until(ctx context.Context, cond func() bool) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// oldConnectionsEnd waits until the proxy and the server have only the connections that
// are in use.
func (l *Lab) oldConnectionsEnd(ctx context.Context) error {
	if err := l.proxy.Wait(ctx, func(s faultproxy.Stats) bool { return s.Open <= 1 }); err != nil {
		return err
	}
	return until(ctx, func() bool { return l.srv.NumClients() <= 2 })
}

// settle waits until the subscriber has noted what the server had for it. Messages come
// in front of the PONG, so after a flush they are here.
func (l *Lab) settle(ctx context.Context) error {
	if err := persist(ctx, l.direct.FlushWithContext, l.direct.IsClosed); err != nil {
		return fmt.Errorf("the subscriber's end: %w", err)
	}
	noted := make(chan struct{})
	if err := l.direct.Barrier(func() { close(noted) }); err != nil {
		return err
	}
	select {
	case <-noted:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// persist flushes until that succeeds, the connection is closed or the context, which
// must have a deadline, ends. A connection that is lost meanwhile fails a flush; the
// next one waits for its return.
func persist(ctx context.Context, flush func(context.Context) error, closed func() bool) error {
	for {
		err := flush(ctx)
		if err == nil || ctx.Err() != nil || closed() {
			return err
		}
	}
}

// Close ends everything. The client's connection goes without being flushed.
func (l *Lab) Close() {
	if l.client != nil {
		l.client.Close()
	}
	if l.direct != nil {
		l.direct.Close()
	}
	if l.proxy != nil {
		l.proxy.Close()
	}
	if l.srv != nil {
		_ = l.srv.Close() // its files are temporary ones
	}
}

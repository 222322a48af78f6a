package main

import (
	"context"
	"fmt"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/terminal"
)

const (
	// subscriberWait is the subscriber's pause between attempts to reconnect.
	subscriberWait = 5 * time.Millisecond
	// look is how often the subscriber's queue is looked at in the end.
	look = 2 * time.Millisecond
)

// A subscriber notes every message that arrives. It has a connection of its own.
type subscriber struct {
	nc  *nats.Conn
	sub *nats.Subscription
}

func newSubscriber(ctx context.Context, url string, lay *layout, l *ledger, d *terminal.Display) (*subscriber, error) {
	nc, err := nats.Connect(url,
		nats.Name("reconnect-buffer subscriber"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(subscriberWait),
		nats.ReconnectJitter(0, 0),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			d.Event("subscriber: %v", err)
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	s := &subscriber{nc: nc}
	if err := s.subscribe(ctx, lay, l); err != nil {
		nc.Close()
		return nil, fmt.Errorf("subscriber: %w", err)
	}
	return s, nil
}

func (s *subscriber) subscribe(ctx context.Context, lay *layout, l *ledger) (err error) {
	s.sub, err = s.nc.Subscribe(lay.subject, func(m *nats.Msg) {
		l.deliver(lay.number(m.Data))
	})
	if err != nil {
		return err
	}
	// Nothing is to be dropped on this side.
	if err := s.sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	return s.ready(ctx)
}

// ready returns nil once the server that is there now is known to have the
// subscription: it answered a PING that was sent behind it.
func (s *subscriber) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	return s.nc.FlushWithContext(ctx)
}

// settle waits until everything that the server had for the subscriber has been
// noted. Messages come in front of the PONG, so after a flush they are here.
func (s *subscriber) settle(ctx context.Context) error {
	if err := persist(ctx, s.nc); err != nil {
		return err
	}
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		waiting, _, err := s.sub.Pending()
		if err != nil || waiting == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

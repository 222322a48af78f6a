package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/terminal"
)

const (
	// publisherWait is the publisher's pause between attempts to reconnect.
	publisherWait = 20 * time.Millisecond
	// pace is how often the publisher looks how many messages are due.
	pace = time.Millisecond
)

// A publisher publishes numbered messages at a steady rate and pays no attention
// to outages: that is what the reconnect buffer is for.
type publisher struct {
	nc     *nats.Conn
	layout *layout
	ledger *ledger
	rate   int // messages per second
	buf    []byte
	told   chan struct{} // closed when the last handler has been called

	blocked blocked
}

func newPublisher(url string, c *config, t *tap, d *terminal.Display) (*publisher, error) {
	told := make(chan struct{})
	var kept nats.Option // nil is none
	if c.atLeastOnce {
		kept = nats.AtLeastOnce()
	}
	nc, err := nats.Connect(url, kept,
		nats.Name("reconnect-buffer publisher"),
		nats.ReconnectBufSize(c.bufBytes),
		nats.ReconnectBufMsgs(c.bufMsgs),
		nats.ReconnectBufOverflow(c.overflow),
		nats.ReconnectBufMaxAge(c.maxAge),
		nats.ReconnectReplayRate(c.replayRate),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(publisherWait),
		nats.ReconnectJitter(0, 0),
		nats.SetCustomDialer(t),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				d.Event("publisher: lost the server (%v), goes on publishing", brief(err))
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) {
			// The tap has seen it before, unless what it waited for has expired.
			t.timeline.emptied(time.Now())
			d.Event("publisher: reconnected, all that was buffered is sent")
		}),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) {
			t.ledger.undelivered(t.layout, u)
		}),
		// The last event of a connection: all reports were before it.
		nats.ClosedHandler(func(*nats.Conn) { close(told) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			// A failed write is also why the server is lost, which is told above.
			if failed := (*net.OpError)(nil); !errors.As(err, &failed) {
				d.Event("publisher: %v", err)
			}
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("publisher: %w", err)
	}
	p := &publisher{nc: nc, layout: t.layout, ledger: t.ledger, rate: c.rate, told: told}
	p.blocked.base = time.Now()
	return p, nil
}

// run publishes until the context ends, or the connection is closed for good,
// which is an error.
func (p *publisher) run(ctx context.Context) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	start := time.Now()
	for done := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		due := int(time.Since(start).Seconds() * float64(p.rate))
		for ; done < due && ctx.Err() == nil; done++ {
			if err := p.publish(ctx); errors.Is(err, nats.ErrConnectionClosed) {
				return fmt.Errorf("publisher: %w: %w", err, p.nc.LastError())
			}
		}
	}
}

// publish sends the next number. A refused message is counted and not tried
// again: the next one has a number of its own. A wait ends with the context.
func (p *publisher) publish(ctx context.Context) error {
	n := p.ledger.issue()
	p.buf = p.layout.payload(p.buf, n)
	p.blocked.begin()
	err := p.nc.PublishWithContext(ctx, p.layout.subject, p.buf)
	p.blocked.end()
	p.ledger.publish(n, err)
	return err
}

// brief leaves the addresses out of a socket's error.
func brief(err error) error {
	if failed := (*net.OpError)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// persist flushes a connection until that succeeds, the connection is closed, or
// the context, which must have a deadline, ends.
func persist(ctx context.Context, nc *nats.Conn) error {
	for {
		err := nc.FlushWithContext(ctx)
		if err == nil || ctx.Err() != nil || nc.IsClosed() {
			return err
		}
		// The connection was lost. The next flush waits for its return.
	}
}

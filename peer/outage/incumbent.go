package main

import (
	"context"
	"fmt"
	"sync/atomic"

	incumbent "github.com/nats-io/nats.go"

	"github.com/natsring/nats.go/internal/outagelab"
)

// dialIncumbent connects the incumbent with the settings that all clients have.
func dialIncumbent(url string, r outagelab.Reports) (outagelab.Client, error) {
	nc, err := incumbent.Connect(url,
		incumbent.Name("outage publisher"),
		incumbent.MaxReconnects(-1), incumbent.ReconnectWait(outagelab.ReconnectWait), incumbent.ReconnectJitter(0, 0),
		incumbent.Timeout(outagelab.DialTimeout),
		incumbent.PingInterval(outagelab.PingInterval), incumbent.MaxPingsOutstanding(outagelab.PingsOut),
		incumbent.DisconnectErrHandler(func(_ *incumbent.Conn, err error) {
			if err != nil {
				r.Event(fmt.Sprintf("client: lost the server (%v)", outagelab.Brief(err)))
			}
		}),
		incumbent.ReconnectHandler(func(*incumbent.Conn) { r.Event("client: found the server") }),
		incumbent.ErrorHandler(func(*incumbent.Conn, *incumbent.Subscription, error) {}),
	)
	if err != nil {
		return nil, err
	}
	return &incumbentClient{Conn: nc}, nil
}

// incumbentClient is the incumbent as a client under test. It says how many bytes it
// holds; all frames of a run have the same length but for PINGs, so that tells the
// messages.
type incumbentClient struct {
	*incumbent.Conn
	frame atomic.Int64
}

func (c *incumbentClient) Publish(_ context.Context, data []byte) error {
	if c.frame.Load() == 0 {
		line := fmt.Sprintf("PUB %s %d\r\n", outagelab.Subject, len(data))
		c.frame.Store(int64(len(line) + len(data) + len("\r\n")))
	}
	return c.Conn.Publish(outagelab.Subject, data)
}

func (c *incumbentClient) Flush(ctx context.Context) error { return c.FlushWithContext(ctx) }

func (c *incumbentClient) Closed() bool { return c.IsClosed() }

func (c *incumbentClient) Look() outagelab.State {
	s := outagelab.State{Status: c.Status().String(), InDoubt: -1}
	held, err := c.Buffered()
	if frame := int(c.frame.Load()); err == nil && frame > 0 {
		s.Bytes, s.Msgs = held, held/frame
	}
	return s
}

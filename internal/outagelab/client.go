package outagelab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	nats "github.com/natsring/nats.go"
)

// A Client is the connection under test.
type Client interface {
	// Publish publishes to Subject. nil: the message was accepted.
	Publish(ctx context.Context, data []byte) error
	// Look tells what the connection says of itself.
	Look() State
	// Flush returns nil when the server has processed all that was accepted.
	Flush(ctx context.Context) error
	// Closed reports whether the connection is closed for good.
	Closed() bool
	Close()
}

// A State is what a connection says of itself.
type State struct {
	// Status is its name.
	Status string
	// Msgs and Bytes are held in memory; of them Unconfirmed, with UnconfirmedBytes,
	// have been sent and wait for their confirmation.
	Msgs, Bytes                   int
	Unconfirmed, UnconfirmedBytes int
	// Confirmed counts what the server has processed, where the client knows that.
	Confirmed int
	// InDoubt counts what may have been lost, as the client has it; negative if it
	// does not say.
	InDoubt int
	// ToReport is how many messages the client has given up; its reports come later.
	ToReport int
}

// Reports are how a client tells what happens to it.
type Reports struct {
	// Event takes a line of text.
	Event func(text string)
	// GivenUp takes the payload of a message that was accepted and is not sent; nil
	// for n messages that cannot be told apart.
	GivenUp func(data []byte, n int)
}

// Dial connects a client.
type Dial func(url string, r Reports) (Client, error)

// How all clients look after their connection.
const (
	// ReconnectWait is the pause between attempts to reconnect.
	ReconnectWait = 50 * time.Millisecond
	// DialTimeout bounds an attempt to connect.
	DialTimeout = 500 * time.Millisecond
	// PingInterval is what finds a connection dead that says nothing, after
	// PingsOut answers were missed.
	PingInterval = 400 * time.Millisecond
	PingsOut     = 2
)

// Ours connects a client of this library with these options.
func Ours(opts ...nats.Option) Dial {
	return func(url string, r Reports) (Client, error) {
		all := append([]nats.Option{
			nats.Name("outage publisher"),
			nats.MaxReconnects(-1), nats.ReconnectWait(ReconnectWait), nats.ReconnectJitter(0, 0),
			nats.Timeout(DialTimeout), nats.PingInterval(PingInterval), nats.MaxPingsOutstanding(PingsOut),
			nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
				if err != nil {
					r.Event(fmt.Sprintf("client: lost the server (%v)", Brief(err)))
				}
			}),
			nats.ReconnectHandler(func(*nats.Conn) { r.Event("client: found the server, all that was buffered is sent") }),
			nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) {
				if u.Msg == nil {
					r.GivenUp(nil, u.Count)
					return
				}
				r.GivenUp(u.Msg.Data, 1)
			}),
			// What there is to say of an outage is told above.
			nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}),
		}, opts...)
		nc, err := nats.Connect(url, all...)
		if err != nil {
			return nil, fmt.Errorf("publisher: %w", err)
		}
		return ours{nc}, nil
	}
}

type ours struct{ *nats.Conn }

func (c ours) Publish(ctx context.Context, data []byte) error {
	return c.PublishWithContext(ctx, Subject, data)
}

func (c ours) Flush(ctx context.Context) error { return c.FlushWithContext(ctx) }

func (c ours) Closed() bool { return c.IsClosed() }

func (c ours) Look() State {
	b := c.BufferStats()
	return State{
		Status: c.Status().String(),
		Msgs:   b.Msgs, Bytes: b.Bytes, Unconfirmed: b.UnconfirmedMsgs, UnconfirmedBytes: b.UnconfirmedBytes,
		Confirmed: int(b.Confirmed), InDoubt: int(b.InDoubt), ToReport: int(b.Undelivered),
	}
}

// Brief leaves the addresses out of a socket's error.
func Brief(err error) error {
	if failed := (*net.OpError)(nil); errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

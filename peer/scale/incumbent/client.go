// Package incumbent is the package ours with the other client. Change that one, then
// run go generate.
//
//go:generate sh -c "sed -f client.sed ../ours/client.go >client.go"
package incumbent

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

const patience = time.Minute

// Client is one connection.
type Client struct {
	nc         *nats.Conn
	subs       []*nats.Subscription
	lost, back chan struct{}
}

// Connect connects to a server through a dialer, which each attempt uses, and waits
// so long between attempts to come back.
func Connect(url string, dialer nats.CustomDialer, wait time.Duration) (*Client, error) {
	c := &Client{lost: make(chan struct{}, 16), back: make(chan struct{}, 16)}
	nc, err := nats.Connect(url, nats.Timeout(patience), nats.SetCustomDialer(dialer), nats.MaxReconnects(-1),
		nats.ReconnectWait(wait), nats.ReconnectJitter(0, 0),
		nats.DisconnectErrHandler(func(*nats.Conn, error) { c.lost <- struct{}{} }),
		nats.ReconnectHandler(func(*nats.Conn) { c.back <- struct{}{} }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { fmt.Fprintln(os.Stderr, "scale:", err) }))
	if err != nil {
		return nil, err
	}
	c.nc = nc
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() { c.nc.Close() }

// Flush returns when the server has everything.
func (c *Client) Flush() error { return c.nc.FlushTimeout(patience) }

// Lost waits until the connection has lost its server.
func (c *Client) Lost() error { return await(c.lost, "loss") }

// Back waits until it has found one again.
func (c *Client) Back() error { return await(c.back, "reconnect") }

func await(ch <-chan struct{}, what string) error {
	select {
	case <-ch:
		return nil
	case <-time.After(patience):
		return errors.New("no " + what)
	}
}

// Subscribe makes n subscriptions more, whose subjects are the prefix and their
// number, and returns when the server has them. Each message calls got.
func (c *Client) Subscribe(prefix string, n int, got func()) error {
	for range n {
		if err := c.subscribe(prefix+strconv.Itoa(len(c.subs)), got); err != nil {
			return err
		}
	}
	return c.Flush()
}

// SubscribeTo makes one subscription.
func (c *Client) SubscribeTo(subject string, got func()) error {
	if err := c.subscribe(subject, got); err != nil {
		return err
	}
	return c.Flush()
}

func (c *Client) subscribe(subject string, got func()) error {
	s, err := c.nc.Subscribe(subject, func(*nats.Msg) { got() })
	c.subs = append(c.subs, s)
	return err
}

// Unsubscribe ends the last n subscriptions and returns when the server knows.
func (c *Client) Unsubscribe(n int) error {
	keep := len(c.subs) - n
	for _, s := range c.subs[keep:] {
		if err := s.Unsubscribe(); err != nil {
			return err
		}
	}
	clear(c.subs[keep:])
	c.subs = c.subs[:keep]
	return c.Flush()
}

// Publish sends n messages to the subjects in turn, and returns when the server has
// them all.
func (c *Client) Publish(subjects []string, data []byte, n int) error {
	for i, k := 0, 0; i < n; i++ {
		if err := c.nc.Publish(subjects[k], data); err != nil {
			return err
		}
		if k++; k == len(subjects) {
			k = 0
		}
	}
	return c.Flush()
}

// Fill publishes during an outage until the reconnect buffer takes no more, and
// returns how many messages it took.
func (c *Client) Fill(subject string, data []byte) (n int, err error) {
	for {
		err := c.nc.Publish(subject, data)
		if errors.Is(err, nats.ErrReconnectBufExceeded) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		n++
	}
}

// Request makes one request.
func (c *Client) Request(subject string, data []byte) error {
	_, err := c.nc.Request(subject, data, patience)
	return err
}

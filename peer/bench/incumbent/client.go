// Package incumbent is the package ours with the other client. Change that one, then
// run go generate.
//
//go:generate sh -c "sed -f client.sed ../ours/client.go >client.go"
package incumbent

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

const patience = time.Minute

// Client is one connection.
type Client struct{ nc *nats.Conn }

// Connect connects to a server.
func Connect(url string, opts ...nats.Option) (*Client, error) {
	nc, err := nats.Connect(url, append([]nats.Option{nats.Timeout(patience)}, opts...)...)
	if err != nil {
		return nil, err
	}
	return &Client{nc}, nil
}

// Close ends the connection.
func (c *Client) Close() { c.nc.Close() }

// Publish sends n messages to the subjects in turn, and returns when the server
// has them all.
func (c *Client) Publish(subjects []string, data []byte, n int) error {
	for i, k := 0, 0; i < n; i++ {
		if err := c.nc.Publish(subjects[k], data); err != nil {
			return err
		}
		if k++; k == len(subjects) {
			k = 0
		}
	}
	return c.nc.FlushTimeout(patience)
}

// PublishMixed is Publish with payloads in turn as well.
func (c *Client) PublishMixed(subjects []string, payloads [][]byte, n int) error {
	for i := range n {
		if err := c.nc.Publish(subjects[i%len(subjects)], payloads[i%len(payloads)]); err != nil {
			return err
		}
	}
	return c.nc.FlushTimeout(patience)
}

// PublishFrom is Publish by several goroutines at once.
func (c *Client) PublishFrom(goroutines int, subjects []string, data []byte, n int) error {
	errs := make(chan error, goroutines)
	for range goroutines {
		go func() { errs <- c.Publish(subjects, data, n/goroutines) }() // ends with its share
	}
	var first error
	for range goroutines {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// PublishHeader is Publish with one header.
func (c *Client) PublishHeader(subject string, data []byte, n int) error {
	m := nats.NewMsg(subject)
	m.Header.Set("Trace", "00-4bf92f3577b34da6")
	m.Data = data
	for range n {
		if err := c.nc.PublishMsg(m); err != nil {
			return err
		}
	}
	return c.nc.FlushTimeout(patience)
}

// Async subscribes with a handler, as often as copies says. The returned function
// waits for n messages more; more is called for every block of them.
func (c *Client) Async(subject string, copies, block int, more func()) (func(n int) error, error) {
	counts := make(chan int, 1024)
	for range copies {
		got, every := 0, max(block/copies, 1)
		_, err := c.nc.Subscribe(subject, func(*nats.Msg) {
			if got++; got%every == 0 {
				counts <- every
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return counted(block, more, func() (int, error) { return <-counts, nil }), c.nc.FlushTimeout(patience)
}

// Sync subscribes for NextMsg. The returned function is that of Async.
func (c *Client) Sync(subject string, block int, more func()) (func(n int) error, error) {
	sub, err := c.nc.SubscribeSync(subject)
	if err != nil {
		return nil, err
	}
	return counted(block, more, func() (int, error) {
		for range block {
			if _, err := sub.NextMsg(patience); err != nil {
				return 0, err
			}
		}
		return block, nil
	}), c.nc.FlushTimeout(patience)
}

// Chan subscribes with a channel. The returned function is that of Async.
func (c *Client) Chan(subject string, block, room int, more func()) (func(n int) error, error) {
	ch := make(chan *nats.Msg, room)
	if _, err := c.nc.ChanSubscribe(subject, ch); err != nil {
		return nil, err
	}
	return counted(block, more, func() (int, error) {
		for range block {
			<-ch
		}
		return block, nil
	}), c.nc.FlushTimeout(patience)
}

// counted takes portions until there are n messages, and asks for more for every
// block that has come.
func counted(block int, more func(), take func() (int, error)) func(n int) error {
	return func(n int) error {
		for got, asked := 0, 0; got < n; {
			k, err := take()
			if err != nil {
				return err
			}
			got += k
			for ; asked+block <= got; asked += block {
				more()
			}
		}
		return nil
	}
}

// Send publishes one message at once.
func (c *Client) Send(subject string, data []byte) error { return c.nc.Publish(subject, data) }

// Respond answers every message on subject with its own data.
func (c *Client) Respond(subject string) error {
	_, err := c.nc.Subscribe(subject, func(m *nats.Msg) { _ = m.Respond(m.Data) })
	if err != nil {
		return err
	}
	return c.nc.FlushTimeout(patience)
}

// Request makes n requests, so many at a time, and returns how long each took.
func (c *Client) Request(subject string, data []byte, n, inFlight int) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var failed atomic.Pointer[error]
	var wg sync.WaitGroup
	for range inFlight {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n) && failed.Load() == nil; i = next.Add(1) - 1 {
				start := time.Now()
				if _, err := c.nc.Request(subject, data, patience); err != nil {
					failed.Store(&err)
				}
				took[i] = time.Since(start)
			}
		})
	}
	wg.Wait()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	return took, nil
}

// Idle makes n subscriptions with handlers that get nothing.
func (c *Client) Idle(n int) error {
	for i := range n {
		if _, err := c.nc.Subscribe("idle."+strconv.Itoa(i), func(*nats.Msg) {}); err != nil {
			return err
		}
		if i%1000 == 999 {
			runtime.Gosched()
		}
	}
	return c.nc.FlushTimeout(patience)
}

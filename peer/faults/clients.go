package main

import (
	"time"

	incumbent "github.com/nats-io/nats.go"

	ring "github.com/natsring/nats.go"
)

// bufferBytes is the reconnect buffer of every client: it does not fill up.
const bufferBytes = 64 << 20

// client is one connection, as far as a cell needs it.
type client struct {
	publish   func(subject string, data []byte) error
	flush     func(time.Duration) error
	close     func()
	confirmed func() uint64 // messages that the server has confirmed; nil: nobody knows
}

const streamMode = "AtLeastOnce into a stream"

// mode is a client in one of its modes.
type mode struct {
	name    string
	stream  bool // what counts is what a stream holds
	keeps   bool // nothing may be lost but what a server had confirmed and died with
	connect func(url string) (client, error)
}

// modes are put through the faults with the same settings.
var modes = []mode{
	{name: "incumbent", connect: connectIncumbent},
	{name: "default", connect: func(url string) (client, error) { return connectRing(url) }},
	{name: "AtLeastOnce", keeps: true, connect: func(url string) (client, error) {
		return connectRing(url, ring.AtLeastOnce())
	}},
	{name: streamMode, keeps: true, stream: true, connect: func(url string) (client, error) {
		return connectRing(url, ring.AtLeastOnce(), ring.MsgIDHeader())
	}},
}

func connectIncumbent(url string) (client, error) {
	nc, err := incumbent.Connect(url, incumbent.MaxReconnects(-1), incumbent.ReconnectWait(5*time.Millisecond),
		incumbent.ReconnectJitter(0, 0), incumbent.Timeout(300*time.Millisecond), incumbent.ReconnectBufSize(bufferBytes),
		incumbent.ErrorHandler(func(*incumbent.Conn, *incumbent.Subscription, error) {}))
	if err != nil {
		return client{}, err
	}
	return client{publish: nc.Publish, flush: nc.FlushTimeout, close: nc.Close}, nil
}

func connectRing(url string, opts ...ring.Option) (client, error) {
	nc, err := ring.Connect(url, append([]ring.Option{ring.MaxReconnects(-1), ring.ReconnectWait(5 * time.Millisecond),
		ring.ReconnectJitter(0, 0), ring.Timeout(300 * time.Millisecond), ring.ReconnectBufSize(bufferBytes),
		ring.ErrorHandler(func(*ring.Conn, *ring.Subscription, error) {})}, opts...)...)
	if err != nil {
		return client{}, err
	}
	c := client{publish: nc.Publish, flush: nc.FlushTimeout, close: nc.Close}
	if nc.Opts.AtLeastOnce {
		c.confirmed = func() uint64 { return nc.BufferStats().Confirmed }
	}
	return c, nil
}

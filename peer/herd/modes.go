package main

import (
	"time"

	incumbent "github.com/nats-io/nats.go"

	ring "github.com/natsring/nats.go"
)

// mode is a client with its settings, and what happens to its server.
type mode struct {
	name string
	duck bool // the server goes into lame duck mode; else it is stopped and comes back
	// connect makes one connection to the first of the servers. back is called when
	// it is on another one, or on the same again.
	connect func(p plan, urls []string, back func()) (closer func(), err error)
}

var modes = []mode{
	{"server lost: incumbent, wait and jitter", false, func(p plan, urls []string, back func()) (func(), error) {
		return theirs(urls, back, incumbent.ReconnectWait(p.wait), incumbent.ReconnectJitter(p.jitter, p.jitter))
	}},
	{"server lost: ours, wait and jitter", false, func(p plan, urls []string, back func()) (func(), error) {
		return ours(urls, back, ring.ReconnectWait(p.wait), ring.ReconnectJitter(p.jitter, p.jitter))
	}},
	{"server lost: ours, ReconnectBackoff from little on", false, func(p plan, urls []string, back func()) (func(), error) {
		return ours(urls, back, ring.ReconnectBackoff(p.least, p.most))
	}},
	{"server lost: ours, ReconnectBackoff from more on", false, func(p plan, urls []string, back func()) (func(), error) {
		return ours(urls, back, ring.ReconnectBackoff(p.later, p.most))
	}},
	{"lame duck: incumbent", true, func(_ plan, urls []string, back func()) (func(), error) {
		return theirs(urls, back)
	}},
	{"lame duck: ours, waiting for the end", true, func(_ plan, urls []string, back func()) (func(), error) {
		return ours(urls, back)
	}},
	{"lame duck: ours, ReconnectOnLameDuck at once", true, func(_ plan, urls []string, back func()) (func(), error) {
		return ours(urls, back, ring.ReconnectOnLameDuck(0))
	}},
	{"lame duck: ours, ReconnectOnLameDuck with a spread", true, func(p plan, urls []string, back func()) (func(), error) {
		return ours(urls, back, ring.ReconnectOnLameDuck(p.spread))
	}},
}

// connectTimeout is long because a thousand connections share the machine.
const connectTimeout = 10 * time.Second

func ours(urls []string, back func(), opts ...ring.Option) (func(), error) {
	o := ring.GetDefaultOptions()
	for _, set := range append([]ring.Option{ring.DontRandomize(), ring.IgnoreDiscoveredServers(), ring.MaxReconnects(-1),
		ring.Timeout(connectTimeout), ring.ErrorHandler(func(*ring.Conn, *ring.Subscription, error) {}),
		ring.ReconnectHandler(func(*ring.Conn) { back() })}, opts...) {
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	o.Servers = urls
	nc, err := o.Connect()
	if err != nil {
		return nil, err
	}
	return nc.Close, nil
}

func theirs(urls []string, back func(), opts ...incumbent.Option) (func(), error) {
	o := incumbent.GetDefaultOptions()
	for _, set := range append([]incumbent.Option{incumbent.DontRandomize(), incumbent.IgnoreDiscoveredServers(), incumbent.MaxReconnects(-1),
		incumbent.Timeout(connectTimeout), incumbent.ErrorHandler(func(*incumbent.Conn, *incumbent.Subscription, error) {}),
		incumbent.ReconnectHandler(func(*incumbent.Conn) { back() })}, opts...) {
		if err := set(&o); err != nil {
			return nil, err
		}
	}
	o.Servers = urls
	nc, err := o.Connect()
	if err != nil {
		return nil, err
	}
	return nc.Close, nil
}

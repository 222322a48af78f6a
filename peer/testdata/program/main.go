// Command program is written for the incumbent client. It prints what it sees, which
// must be the same with whatever stands for that client.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/encoders/builtin"
)

type order struct {
	ID    int
	Items []string
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Println("failed:", err)
		os.Exit(1)
	}
}

func run(url string) error {
	closed := make(chan error, 1)
	opts := nats.GetDefaultOptions()
	opts.Url = url
	opts.Name = "program"
	opts.MaxReconnect = -1
	opts.ReconnectWait = 10 * time.Millisecond
	opts.ClosedCB = func(nc *nats.Conn) { closed <- nc.LastError() }
	opts.AsyncErrorCB = func(_ *nats.Conn, s *nats.Subscription, err error) {
		fmt.Println("async error:", s != nil, err)
	}
	nc, err := opts.Connect()
	if err != nil {
		return err
	}
	fmt.Println(nc.Status(), nc.IsConnected(), nc.ConnectedUrl() == url, nc.MaxPayload(), nc.Opts.Name)
	for _, step := range []func(*nats.Conn) error{requests, queues, headers, sync, encoded, again} {
		if err := step(nc); err != nil {
			return err
		}
	}
	if err := nc.Drain(); err != nil {
		return err
	}
	fmt.Println("closed:", <-closed, nc.Status(), nc.Publish("a", nil))
	_, err = nats.Connect("nats://127.0.0.1:1", nats.Timeout(time.Second), nats.NoReconnect())
	fmt.Println("nobody:", err, errors.Is(err, nats.ErrNoServers), err == nats.ErrNoServers)
	return nil
}

func requests(nc *nats.Conn) error {
	s, err := nc.Subscribe("echo.*", func(m *nats.Msg) {
		if err := m.Respond(append([]byte(m.Subject+" "), m.Data...)); err != nil {
			fmt.Println("respond:", err)
		}
	})
	if err != nil {
		return err
	}
	m, err := nc.Request("echo.a", []byte("hello"), 5*time.Second)
	if err != nil {
		return err
	}
	fmt.Printf("%s %v %v\n", m.Data, s.Type() == nats.AsyncSubscription, s.IsValid())
	_, err = nc.Request("nobody", nil, time.Second)
	fmt.Println(err, err == nats.ErrNoResponders)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = nc.RequestWithContext(ctx, "echo.a", nil)
	fmt.Println(err, s.Unsubscribe(), s.Unsubscribe())
	return nil
}

func queues(nc *nats.Conn) error {
	ch := make(chan *nats.Msg, 10)
	for range 3 {
		s, err := nc.ChanQueueSubscribe("work", "workers", ch)
		if err != nil {
			return err
		}
		defer s.Unsubscribe()
	}
	for i := range 3 {
		if err := nc.Publish("work", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	fmt.Println("queue:", len(ch), string((<-ch).Data), nc.NumSubscriptions())
	return nil
}

func headers(nc *nats.Conn) error {
	s, err := nc.SubscribeSync("headers")
	if err != nil {
		return err
	}
	m := nats.NewMsg("headers")
	m.Header.Add("key", "one")
	m.Header.Add("key", "two")
	m.Data = []byte("x")
	if err := nc.PublishMsg(m); err != nil {
		return err
	}
	got, err := s.NextMsg(5 * time.Second)
	if err != nil {
		return err
	}
	fmt.Println(got.Header, got.Header.Get("key"), got.Header.Values("key"), got.Size(), got.Equal(m))
	m.Header.Set("bad key", "")
	fmt.Println(nc.PublishMsg(m))
	return s.Unsubscribe()
}

func sync(nc *nats.Conn) error {
	s, err := nc.SubscribeSync("sync")
	if err != nil {
		return err
	}
	states := s.StatusChanged(nats.SubscriptionClosed)
	if err := s.AutoUnsubscribe(2); err != nil {
		return err
	}
	for i := range 3 {
		if err := nc.Publish("sync", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	for m, err := range s.MsgsTimeout(5 * time.Second) {
		if err != nil {
			fmt.Println("end:", err, err == nats.ErrMaxMessages)
			break
		}
		fmt.Println("sync:", string(m.Data))
	}
	fmt.Println(<-states, s.IsValid())
	return nil
}

func encoded(nc *nats.Conn) error {
	nats.RegisterEncoder("mine", &builtin.JsonEncoder{})
	c, err := nats.NewEncodedConn(nc, "mine")
	if err != nil {
		return err
	}
	orders := make(chan *order, 1)
	s, err := c.Subscribe("orders", func(subject, reply string, o *order) {
		fmt.Println(subject, reply)
		orders <- o
	})
	if err != nil {
		return err
	}
	if err := c.PublishRequest("orders", "back", order{7, []string{"a", "b"}}); err != nil {
		return err
	}
	fmt.Println(*<-orders, c.Publish("orders", func() {}))
	return s.Unsubscribe()
}

func again(nc *nats.Conn) error {
	back := make(chan bool, 1)
	nc.SetReconnectHandler(func(*nats.Conn) { back <- true })
	if err := nc.ForceReconnect(); err != nil {
		return err
	}
	fmt.Println("back:", <-back, nc.Stats().Reconnects, nc.LastError())
	return nc.Flush()
}

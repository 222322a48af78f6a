package nats_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
)

func ExampleConn_Publish() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("orders.*")
	if err != nil {
		log.Fatal(err)
	}

	data := []byte("one chair")
	if err := nc.Publish("orders.new", data); err != nil {
		log.Fatal(err) // it was not taken
	}
	copy(data, "two forks") // data may be used again at once

	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s\n", m.Subject, m.Data)
	// Output: orders.new: one chair
}

// A message with headers.
func ExampleConn_PublishMsg() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("invoices")
	if err != nil {
		log.Fatal(err)
	}

	m := nats.NewMsg("invoices")
	m.Header.Set("Content-Type", "application/json")
	m.Data = []byte(`{"total": 12}`)
	if err := nc.PublishMsg(m); err != nil {
		log.Fatal(err)
	}

	got, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(got.Header.Get("Content-Type"), string(got.Data))
	// Output: application/json {"total": 12}
}

// Keys are used exactly as they are given, and can have several values.
func ExampleHeader() {
	h := nats.Header{}
	h.Set("Trace", "a1")
	h.Add("Tag", "new")
	h.Add("Tag", "urgent")
	h.Del("Trace")

	fmt.Println(h.Get("Tag"), h.Values("Tag"), h.Get("tag") == "", h.Get("Trace") == "")
	// Output: new [new urgent] true true
}

// nil means that the server has processed everything that was published before.
func ExampleConn_Flush() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	for i := range 1000 {
		if err := nc.Publish("readings", fmt.Append(nil, i)); err != nil {
			log.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		log.Fatal(err) // it is not known whether the server has all of them
	}
	fmt.Println("not sent:", nc.BufferStats().Msgs)
	// Output: not sent: 0
}

// The context bounds the wait. It must have a deadline.
func ExampleConn_FlushWithContext() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err = nc.FlushWithContext(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

// One message that is only worth something now: it is sent at once or not at all.
func ExampleNoBuffer() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	open := &nats.Msg{Subject: "gate", Data: []byte("open")}
	err = nc.PublishMsgWithContext(context.Background(), open, nats.NoBuffer())
	fmt.Println(errors.Is(err, nats.ErrDisconnected), "waiting:", nc.BufferStats().Msgs)
	// Output: true waiting: 0
}

// One message that must not be sent when it is older than that.
func ExampleMaxAge() {
	server := newServer()
	defer server.Close()
	expired := make(chan nats.Undelivered, 1)
	nc, err := nats.Connect(server.URL(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) { expired <- u }))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	open := &nats.Msg{Subject: "gate", Data: []byte("open")}
	if err := nc.PublishMsgWithContext(context.Background(), open, nats.MaxAge(20*time.Millisecond)); err != nil {
		log.Fatal(err)
	}
	u := <-expired
	fmt.Println(u.Msg.Subject, errors.Is(u.Err, nats.ErrExpired))
	// Output: gate true
}

// Which error it was, by identity; texts are for people.
func ExampleConn_Publish_errors() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	nc.Close()

	switch err := nc.Publish("orders.new", nil); {
	case err == nil:
		fmt.Println("taken")
	case errors.Is(err, nats.ErrReconnectBufExceeded):
		fmt.Println("no server, and the buffer is full: try again later")
	case errors.Is(err, nats.ErrConnectionClosed):
		fmt.Println("closed for good")
	case errors.Is(err, nats.ErrMaxPayload), errors.Is(err, nats.ErrBadSubject):
		fmt.Println("never with this message")
	}
	// Output: closed for good
}

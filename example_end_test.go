package nats_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
)

// Drain lets handlers finish and sends what was published, in the background.
func ExampleConn_Drain() {
	closed := make(chan struct{})
	nc, err := nats.Connect(serverURL(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := nc.Subscribe("jobs", func(m *nats.Msg) { fmt.Println("did", string(m.Data)) }); err != nil {
		log.Fatal(err)
	}
	for _, job := range []string{"wash", "dry"} {
		if err := nc.Publish("jobs", []byte(job)); err != nil {
			log.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil { // so that the jobs are here
		log.Fatal(err)
	}

	if err := nc.Drain(); err != nil {
		log.Fatal(err)
	}
	<-closed
	fmt.Println("closed")
	// Output:
	// did wash
	// did dry
	// closed
}

// Shutdown is Drain that waits, also through an outage: nil means that everything has
// arrived.
func ExampleConn_Shutdown() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost
	if err := nc.Publish("orders.new", []byte("one chair")); err != nil {
		log.Fatal(err)
	}

	back := time.AfterFunc(30*time.Millisecond, func() { _ = server.Start() }) // somebody mends it
	defer back.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	fmt.Println(nc.Shutdown(ctx), nc.IsClosed())
	// Output: <nil> true
}

// The server does not come back in time: the messages that were not sent come back.
func ExampleShutdownError() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost
	if err := nc.Publish("orders.new", []byte("one chair")); err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err = nc.Shutdown(ctx)
	var left *nats.ShutdownError
	if errors.As(err, &left) {
		for _, m := range left.Left {
			fmt.Printf("not sent: %s: %s\n", m.Subject, m.Data)
		}
	}
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output:
	// not sent: orders.new: one chair
	// true
}

// One subscription ends in order: what it has is still handed over.
func ExampleSubscription_Drain() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("letters")
	if err != nil {
		log.Fatal(err)
	}
	for _, letter := range []string{"a", "b"} {
		if err := nc.Publish("letters", []byte(letter)); err != nil {
			log.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		log.Fatal(err)
	}

	if err := sub.Drain(); err != nil {
		log.Fatal(err)
	}
	for m, err := range sub.Msgs() {
		if err != nil {
			fmt.Println(errors.Is(err, nats.ErrBadSubscription)) // it has ended
			break
		}
		fmt.Println(string(m.Data))
	}
	// Output:
	// a
	// b
	// true
}

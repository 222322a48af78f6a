package nats_test

import (
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
)

// A program that subscribes, publishes and asks.
func Example() {
	nc, err := nats.Connect(serverURL(), nats.Name("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	// A handler gets one message after the other.
	if _, err := nc.Subscribe("price.*", func(m *nats.Msg) {
		_ = m.Respond([]byte(m.Subject + " is 42"))
	}); err != nil {
		log.Fatal(err)
	}

	// Publish returns as soon as the message is in the outbox, server or not.
	if err := nc.Publish("orders.new", []byte("one chair")); err != nil {
		log.Fatal(err)
	}

	// Request waits for the first answer.
	reply, err := nc.Request("price.chair", nil, 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply.Data))

	// Output: price.chair is 42
}

// The server goes and comes back; what was published meanwhile arrives, in order.
func Example_outage() {
	server := newServer()
	defer server.Close()

	nc, err := nats.Connect(server.URL(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	received := make(chan *nats.Msg, 10)
	if _, err := nc.ChanSubscribe("steps", received); err != nil {
		log.Fatal(err)
	}

	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost
	for _, step := range []string{"one", "two", "three"} {
		if err := nc.Publish("steps", []byte(step)); err != nil {
			log.Fatal(err) // the buffer is full
		}
	}
	fmt.Println("waiting:", nc.BufferStats().Msgs)

	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		fmt.Println(string((<-received).Data))
	}

	// Output:
	// waiting: 3
	// one
	// two
	// three
}

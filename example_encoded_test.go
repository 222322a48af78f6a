package nats_test

import (
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
)

type order struct {
	Item  string `json:"item"`
	Count int    `json:"count"`
}

// Values instead of bytes. New programs had better encode for themselves, where they
// can handle the errors; this is for programs that are written so.
func ExampleNewEncodedConn() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	ec, err := nats.NewEncodedConn(nc, nats.JSON_ENCODER)
	if err != nil {
		log.Fatal(err)
	}

	if _, err := ec.Subscribe("orders.check", func(_, reply string, o *order) {
		_ = ec.Publish(reply, o.Count < 100)
	}); err != nil {
		log.Fatal(err)
	}
	var ok bool
	if err := ec.Request("orders.check", order{Item: "chair", Count: 4}, &ok, 5*time.Second); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ok)
	// Output: true
}

// A channel that publishes, and one that receives.
func ExampleEncodedConn_BindSendChan() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	ec, err := nats.NewEncodedConn(nc, nats.JSON_ENCODER)
	if err != nil {
		log.Fatal(err)
	}

	received := make(chan order)
	if _, err := ec.BindRecvChan("orders.new", received); err != nil {
		log.Fatal(err)
	}
	send := make(chan order)
	if err := ec.BindSendChan("orders.new", send); err != nil {
		log.Fatal(err)
	}
	send <- order{Item: "table", Count: 1}
	close(send)
	fmt.Println(<-received)
	// Output: {table 1}
}

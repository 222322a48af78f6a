// Encoded sends and receives values through an encoded connection, as older programs do.
//
// Look at the handler: it gets what the encoder has made of the message. One that cannot
// be decoded goes to the ErrorHandler instead. New programs do better with an encoding
// of their own, where errors can be handled: see the page structured-data.
//
// Output:
//
//	received an order on orders.new: 2 × tea
//	could not be decoded: invalid character 'h' looking for beginning of value
//	the price of 2 × tea is 5
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

type order struct {
	Item  string
	Count int
}

func run(w io.Writer) error {
	srv, err := demo.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	next := make(chan bool)
	nc, err := nats.Connect(srv.URL(), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			err = syntax
		}
		fmt.Fprintln(w, "could not be decoded:", err)
		next <- true
	}))
	if err != nil {
		return err
	}
	defer nc.Close()
	//lint:ignore SA1019 the page is about it
	ec, err := nats.NewEncodedConn(nc, nats.JSON_ENCODER)
	if err != nil {
		return err
	}

	if _, err := ec.Subscribe("orders.*", func(subject string, o order) {
		fmt.Fprintf(w, "received an order on %s: %d × %s\n", subject, o.Count, o.Item)
		next <- true
	}); err != nil {
		return err
	}
	if err := ec.Publish("orders.new", order{"tea", 2}); err != nil {
		return err
	}
	<-next
	if err := nc.Publish("orders.new", []byte("hello")); err != nil { // past the encoder
		return err
	}
	<-next

	if _, err := ec.Subscribe("price", func(_, reply string, o order) {
		_ = ec.Publish(reply, 2.5*float64(o.Count))
	}); err != nil {
		return err
	}
	var price float64
	if err := ec.Request("price", order{"tea", 2}, &price, 5*time.Second); err != nil {
		return err
	}
	fmt.Fprintln(w, "the price of 2 × tea is", price)
	return nil
}

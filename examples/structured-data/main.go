// Structured-data sends and receives values: a message is bytes, and encoding/json (or
// any other encoding) makes them.
//
// Look at the error of Unmarshal: what comes over the network may be anything, so the
// program has to say what becomes of a message that it cannot read.
//
// Output:
//
//	sent {"item":"tea","count":2}
//	received an order: 2 × tea
//	not an order: "hello" (invalid character 'h' looking for beginning of value)
package main

import (
	"encoding/json"
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
	Item  string `json:"item"`
	Count int    `json:"count"`
}

func run(w io.Writer) error {
	srv, err := demo.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer nc.Close()

	sub, err := nc.SubscribeSync("orders")
	if err != nil {
		return err
	}
	data, err := json.Marshal(order{Item: "tea", Count: 2})
	if err != nil {
		return err
	}
	if err := nc.Publish("orders", data); err != nil {
		return err
	}
	fmt.Fprintf(w, "sent %s\n", data)
	if err := nc.Publish("orders", []byte("hello")); err != nil {
		return err
	}

	for range 2 {
		m, err := sub.NextMsg(5 * time.Second)
		if err != nil {
			return err
		}
		var o order
		if err := json.Unmarshal(m.Data, &o); err != nil {
			fmt.Fprintf(w, "not an order: %q (%v)\n", m.Data, err)
			continue
		}
		fmt.Fprintf(w, "received an order: %d × %s\n", o.Count, o.Item)
	}
	return nil
}

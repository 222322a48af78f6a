// Unsubscribe ends a subscription: now, or by itself after a number of messages.
//
// Look at the order of AutoUnsubscribe: it is called before the messages come, and the
// server counts too, so that not one more is sent over the network. What has arrived
// already and was not read is lost with Unsubscribe; the page drain keeps it.
//
// Output:
//
//	unsubscribed: nats: invalid subscription
//	after AutoUnsubscribe(2): message 1
//	after AutoUnsubscribe(2): message 2
//	after AutoUnsubscribe(2): nats: maximum messages delivered
package main

import (
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

	now, err := nc.SubscribeSync("updates")
	if err != nil {
		return err
	}
	soon, err := nc.SubscribeSync("updates")
	if err != nil {
		return err
	}
	if err := now.Unsubscribe(); err != nil {
		return err
	}
	if err := soon.AutoUnsubscribe(2); err != nil {
		return err
	}

	for i := range 5 {
		if err := nc.Publish("updates", fmt.Appendf(nil, "message %d", i+1)); err != nil {
			return err
		}
	}
	_, err = now.NextMsg(5 * time.Second)
	fmt.Fprintln(w, "unsubscribed:", err)
	for {
		m, err := soon.NextMsg(5 * time.Second)
		if err != nil {
			fmt.Fprintln(w, "after AutoUnsubscribe(2):", err)
			return nil
		}
		fmt.Fprintf(w, "after AutoUnsubscribe(2): %s\n", m.Data)
	}
}

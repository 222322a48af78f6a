// Publish-subscribe is the first thing to know of NATS: a message goes to everybody who
// is subscribed to its subject at that moment, and to nobody else.
//
// Look at the first message, which nobody gets: NATS keeps nothing for later. After
// that each of two subscribers gets each message, and the publisher knows of neither.
//
// Output:
//
//	published "too early"
//	ann received "one"
//	ann received "two"
//	bob received "one"
//	bob received "two"
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

	if err := nc.Publish("news", []byte("too early")); err != nil {
		return err
	}
	fmt.Fprintf(w, "published %q\n", "too early")

	ann, err := nc.SubscribeSync("news")
	if err != nil {
		return err
	}
	bob, err := nc.SubscribeSync("news")
	if err != nil {
		return err
	}
	for _, text := range []string{"one", "two"} {
		if err := nc.Publish("news", []byte(text)); err != nil {
			return err
		}
	}

	for _, reader := range []struct {
		name string
		sub  *nats.Subscription
	}{{"ann", ann}, {"bob", bob}} {
		for range 2 {
			m, err := reader.sub.NextMsg(5 * time.Second)
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%s received %q\n", reader.name, m.Data)
		}
	}
	return nil
}

// Receive-async lets the library call a handler for each message.
//
// Look at when the handler runs: beside the program, one message at a time and in the
// order in which they were sent. Two subscriptions do not wait for each other. Drain is
// the way to end with everything handled.
//
// Output:
//
//	the program goes on
//	handled 1
//	handled 2
//	handled 3
//	all handled, the subscription has ended
package main

import (
	"fmt"
	"io"
	"log"
	"os"

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

	began := make(chan bool)
	sub, err := nc.Subscribe("updates", func(m *nats.Msg) {
		<-began // until then messages wait in the subscription
		fmt.Fprintf(w, "handled %s\n", m.Data)
	})
	if err != nil {
		return err
	}
	ended := make(chan bool)
	sub.SetClosedHandler(func(string) { close(ended) })

	for i := range 3 {
		if err := nc.Publish("updates", fmt.Append(nil, i+1)); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "the program goes on")
	close(began)

	if err := sub.Drain(); err != nil {
		return err
	}
	<-ended
	fmt.Fprintln(w, "all handled, the subscription has ended")
	return nil
}

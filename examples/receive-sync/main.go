// Receive-sync asks for messages one by one, when the program has time for them.
//
// Look at NextMsg, which waits for the next message up to a timeout, and at the loop
// over Msgs, which is the same for all messages to come. Until they are asked for,
// messages wait in the subscription.
//
// Output:
//
//	NextMsg: one
//	2 more are waiting
//	loop: two
//	loop: three
//	nobody has sent anything: nats: timeout
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

	sub, err := nc.SubscribeSync("updates")
	if err != nil {
		return err
	}
	for _, text := range []string{"one", "two", "three"} {
		if err := nc.Publish("updates", []byte(text)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil { // the server has sent them back before it answers
		return err
	}

	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "NextMsg: %s\n", m.Data)
	waiting, _, err := sub.Pending()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, waiting, "more are waiting")

	for m, err := range sub.Msgs() {
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "loop: %s\n", m.Data)
		if string(m.Data) == "three" {
			break
		}
	}

	_, err = sub.NextMsg(10 * time.Millisecond)
	fmt.Fprintln(w, "nobody has sent anything:", err)
	return nil
}

// Connect-no-echo keeps a program from receiving what it has published itself.
//
// Look at the two counts: both connections subscribe to the subject, and the one with
// NoEcho gets only what the other one publishes.
//
// Output:
//
//	alice, with NoEcho, received: from bob
//	bob received: from alice, from bob
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

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

	alice, err := nats.Connect(srv.URL(), nats.NoEcho())
	if err != nil {
		return err
	}
	defer alice.Close()
	bob, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer bob.Close()

	toAlice, err := alice.SubscribeSync("chat")
	if err != nil {
		return err
	}
	toBob, err := bob.SubscribeSync("chat")
	if err != nil {
		return err
	}
	// A flush makes sure that the server knows the subscriptions, and then that it
	// has had the message.
	if err := errors.Join(alice.Flush(), bob.Flush(),
		alice.Publish("chat", []byte("from alice")), alice.Flush(),
		bob.Publish("chat", []byte("from bob")), bob.Flush(), alice.Flush()); err != nil {
		return err
	}
	fmt.Fprintln(w, "alice, with NoEcho, received:", texts(toAlice))
	fmt.Fprintln(w, "bob received:", texts(toBob))
	return nil
}

// texts returns what has arrived.
func texts(sub *nats.Subscription) string {
	var all []string
	for {
		m, err := sub.NextMsg(0) // does not wait
		if err != nil {
			return strings.Join(all, ", ")
		}
		all = append(all, string(m.Data))
	}
}

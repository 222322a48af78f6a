// Connect-default connects to a server on this machine, at the port that NATS servers
// listen on unless they are told otherwise.
//
// Look at the first line of run: nats.DefaultURL is all that it takes, and Connect
// returns when the connection is made.
//
// Output:
//
//	connected to nats://127.0.0.1:4222
//	received "hello" on greetings
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
	// A server for this page; where one runs at the port already, that is used.
	if srv, err := demo.StartAt(nats.DefaultPort); err == nil {
		defer srv.Close()
	}
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run makes the connection. The options are for the test, whose server cannot be at
// the default port of a machine that others use too.
func run(w io.Writer, options ...nats.Option) error {
	nc, err := nats.Connect(nats.DefaultURL, options...)
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintln(w, "connected to", nc.ConnectedUrl())

	sub, err := nc.SubscribeSync("greetings")
	if err != nil {
		return err
	}
	if err := nc.Publish("greetings", []byte("hello")); err != nil {
		return err
	}
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "received %q on %s\n", m.Data, m.Subject)
	return nil
}

// Flush makes sure that the server has what was published.
//
// Look at what Publish does not say: it returns when the message is in the outbox, long
// before a server has it. Flush sends a PING behind everything and waits for the answer;
// when it returns nil the server has processed all of it. RTT measures such a PING.
// Without a server, Flush waits for one, up to its timeout.
//
// Output:
//
//	published 1000 messages
//	flushed, and nothing is left to send: true
//	the server answers a PING within a second: true
//	without a server: nats: timeout
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
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1))
	if err != nil {
		return err
	}
	defer nc.Close()

	for i := range 1000 {
		if err := nc.Publish("numbers", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "published 1000 messages")
	if err := nc.Flush(); err != nil {
		return err
	}
	left, err := nc.Buffered()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "flushed, and nothing is left to send:", left == 0)

	rtt, err := nc.RTT()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "the server answers a PING within a second:", rtt < time.Second)

	srv.Down(nc)
	fmt.Fprintln(w, "without a server:", nc.FlushTimeout(20*time.Millisecond))
	return nil
}

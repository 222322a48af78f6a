// Overflow decides what Publish does when the reconnect buffer is full.
//
// Look at the four policies. Which one is right depends on the messages: of a price
// only the newest counts (drop the oldest), a log may have a gap (drop the newest), an
// order must be answered for by the caller (reject, or wait). What is dropped is
// reported to the UndeliveredHandler, and never silently.
//
// Output:
//
//	reject:      took 3 of 5, received [1 2 3], reported []
//	block:       took 3 of 5, received [1 2 3], reported []
//	drop oldest: took 5 of 5, received [3 4 5], reported [1 2]
//	drop newest: took 5 of 5, received [1 2 3], reported [4 5]
package main

import (
	"context"
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

func run(w io.Writer) error {
	return errors.Join(
		outage(w, "reject:     ", nats.OverflowReject), // the default
		outage(w, "block:      ", nats.OverflowBlock),
		outage(w, "drop oldest:", nats.OverflowDropOldest),
		outage(w, "drop newest:", nats.OverflowDropNewest))
}

// outage publishes five messages into a buffer for three.
func outage(w io.Writer, name string, policy nats.OverflowPolicy) error {
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	reported, back := []string{}, make(chan bool, 1)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufMsgs(3), nats.ReconnectBufOverflow(policy),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) {
			reported = append(reported, string(u.Msg.Data))
		}),
		nats.ReconnectHandler(func(*nats.Conn) { back <- true }))
	if err != nil {
		return err
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("prices")
	if err != nil {
		return err
	}
	srv.Down(nc)

	taken := 0
	for i := range 5 {
		// OverflowBlock would wait until the server is back: the context bounds it.
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		if nc.PublishWithContext(ctx, "prices", fmt.Append(nil, i+1)) == nil {
			taken++
		}
		cancel()
	}

	if err := srv.Up(); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil { // waits for the server, and until it has everything
		return err
	}
	<-back // handlers are called in turn: the reports were before
	received := []string{}
	for {
		m, err := sub.NextMsg(0)
		if err != nil {
			break
		}
		received = append(received, string(m.Data))
	}
	fmt.Fprintf(w, "%s took %d of 5, received %v, reported %v\n", name, taken, received, reported)
	return nil
}

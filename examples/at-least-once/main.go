// At-least-once sends again what a lost connection may have swallowed.
//
// Look at the two runs. The connection breaks in the worst way: the operating system
// takes the messages, and they never arrive. An ordinary connection cannot know; it
// counts them as in doubt. With AtLeastOnce the client keeps each message until the
// server has confirmed it, and sends it again over the next connection. What had arrived
// after all may then come twice; the page message-ids shows the cure for streams.
//
// Output:
//
//	ordinary:    accepted 5, received 0, in doubt 5, sent again 0
//	AtLeastOnce: accepted 5, received 5, in doubt 0, sent again 5
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
	"github.com/natsring/nats.go/internal/faultproxy"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	if err := outage(w, "ordinary:   "); err != nil {
		return err
	}
	return outage(w, "AtLeastOnce:", nats.AtLeastOnce())
}

func outage(w io.Writer, name string, options ...nats.Option) error {
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	reader, err := nats.Connect(srv.Server.URL()) // a way of its own
	if err != nil {
		return err
	}
	defer reader.Close()
	sub, err := reader.SubscribeSync("orders")
	if err != nil {
		return err
	}
	if err := reader.Flush(); err != nil {
		return err
	}

	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	nc, err := nats.Connect(srv.URL(), options...)
	if err != nil {
		return err
	}
	defer nc.Close()

	srv.Link.Live().StopForwarding(faultproxy.Up, faultproxy.Drop) // from here on nothing arrives
	for i := range 5 {
		if err := nc.Publish("orders", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	// The operating system has taken all of it when nothing is unsent.
	for sent := false; !sent; time.Sleep(time.Millisecond) {
		b := nc.BufferStats()
		sent = b.Msgs == b.UnconfirmedMsgs
	}
	back := nc.StatusChanged(nats.CONNECTED)
	srv.Link.Live().Cut(faultproxy.RST)
	<-back
	if err := nc.Flush(); err != nil {
		return err
	}

	if err := reader.Flush(); err != nil {
		return err
	}
	received, _, err := sub.Pending()
	b := nc.BufferStats()
	fmt.Fprintf(w, "%s accepted 5, received %d, in doubt %d, sent again %d\n", name, received, b.InDoubt, b.Repeated)
	return err
}

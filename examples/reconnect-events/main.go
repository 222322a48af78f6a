// Reconnect-events tells a program how its connection fares.
//
// Look at the handlers, which are called one at a time and may call everything. The
// cause of a loss is nil where the program itself has closed the connection. By the time
// of the ReconnectHandler, what was published during the outage has been sent.
//
// Output:
//
//	connected for the first time
//	server lost: EOF
//	publishing goes on: 3 messages wait in the buffer
//	server back, the buffer holds 0 messages
//	server lost: <nil>
//	closed for good
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

	lost, back, closed := make(chan bool, 1), make(chan bool, 1), make(chan bool)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ConnectHandler(func(*nats.Conn) {
			fmt.Fprintln(w, "connected for the first time")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			fmt.Fprintln(w, "server lost:", err)
			lost <- true
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			fmt.Fprintf(w, "server back, the buffer holds %d messages\n", nc.BufferStats().Msgs)
			back <- true
		}),
		nats.ClosedHandler(func(*nats.Conn) {
			fmt.Fprintln(w, "closed for good")
			close(closed)
		}),
	)
	if err != nil {
		return err
	}
	defer nc.Close()

	srv.Down()
	<-lost
	for range 3 {
		if err := nc.Publish("news", []byte("during the outage")); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "publishing goes on: %d messages wait in the buffer\n", nc.BufferStats().Msgs)
	if err := srv.Up(); err != nil {
		return err
	}
	<-back

	nc.Close()
	<-closed
	return nil
}

// Undelivered tells a program of every message that Publish has accepted and that the
// client gives up.
//
// Look at the reasons: dropped by the overflow policy, and left over when the connection
// is closed without a server. The handler gets the whole message, so a program can write
// it to a file, as here, and publish it the next time. (A program that can wait for a
// server at its end uses Shutdown.)
//
// Output:
//
//	invoice 1: nats: message dropped, outbound buffer limit exceeded
//	invoice 2: nats: connection closed
//	invoice 3: nats: connection closed
//	the file has 3 lines
package main

import (
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
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	file, err := os.CreateTemp("", "undelivered")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()

	closed := make(chan bool)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1),
		nats.ReconnectBufMsgs(2), nats.ReconnectBufOverflow(nats.OverflowDropOldest),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) {
			if u.Msg == nil { // a handler that is far too slow gets only numbers
				fmt.Fprintf(w, "%d messages: %v\n", u.Count, u.Err)
				return
			}
			fmt.Fprintf(w, "%s: %v\n", u.Msg.Data, u.Err)
			if _, err := fmt.Fprintf(file, "%s\t%s\n", u.Msg.Subject, u.Msg.Data); err != nil {
				log.Print(err)
			}
		}),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }), // the last handler that is called
	)
	if err != nil {
		return err
	}
	defer nc.Close()
	srv.Down(nc)

	for i := range 3 {
		if err := nc.Publish("invoices", fmt.Appendf(nil, "invoice %d", i+1)); err != nil {
			return err
		}
	}
	nc.Close()
	<-closed

	text, err := os.ReadFile(file.Name())
	fmt.Fprintf(w, "the file has %d lines\n", strings.Count(string(text), "\n"))
	return err
}

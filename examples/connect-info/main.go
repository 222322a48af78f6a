// Connect-info shows what a connection knows of itself and of its server.
//
// Look at MaxPayload: a larger message is refused by Publish, not by the server. All of
// these calls answer at once and work in every state of the connection.
//
// Output:
//
//	status: CONNECTED
//	server: version …, at 127.0.0.1:…
//	takes headers: true, asks for credentials: false, insists on TLS: false
//	our number there: …
//	largest message: 1048576 bytes
//	one byte more: nats: maximum payload exceeded
//	sent 3 messages with 15 bytes, received 3 with 15
//	after Close: CLOSED
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

	fmt.Fprintln(w, "status:", nc.Status())
	fmt.Fprintf(w, "server: version %s, at %s\n", nc.ConnectedServerVersion(), nc.ConnectedAddr())
	fmt.Fprintf(w, "takes headers: %v, asks for credentials: %v, insists on TLS: %v\n",
		nc.HeadersSupported(), nc.AuthRequired(), nc.TLSRequired())
	id, err := nc.GetClientID()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "our number there:", id)

	fmt.Fprintf(w, "largest message: %d bytes\n", nc.MaxPayload())
	tooMuch := make([]byte, nc.MaxPayload()+1)
	fmt.Fprintln(w, "one byte more:", nc.Publish("numbers", tooMuch))

	if _, err := nc.SubscribeSync("numbers"); err != nil {
		return err
	}
	for _, text := range []string{"one..", "two..", "three"} {
		if err := nc.Publish("numbers", []byte(text)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	s := nc.Stats()
	fmt.Fprintf(w, "sent %d messages with %d bytes, received %d with %d\n", s.OutMsgs, s.OutBytes, s.InMsgs, s.InBytes)
	nc.Close()
	fmt.Fprintln(w, "after Close:", nc.Status())
	return nil
}

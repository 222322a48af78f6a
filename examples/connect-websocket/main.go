// Connect-websocket connects by WebSocket, for networks that let only HTTP through.
//
// Look at the URL: the scheme ws (or wss, with TLS) is all that differs; a subscriber by
// TCP would get the same messages. Compression is worth it for large texts, and used if
// the server has it too.
//
// Output:
//
//	connected to ws://127.0.0.1:…
//	received 27000 bytes of text
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
	"github.com/natsring/nats.go/internal/testserver"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	srv, err := demo.Start(testserver.WebsocketCompression())
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(), nats.Compression(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintln(w, "connected to", nc.ConnectedUrl())

	sub, err := nc.SubscribeSync("texts")
	if err != nil {
		return err
	}
	if err := nc.Publish("texts", bytes.Repeat([]byte("the same again and again - "), 1000)); err != nil {
		return err
	}
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "received %d bytes of text\n", len(m.Data))
	return nil
}

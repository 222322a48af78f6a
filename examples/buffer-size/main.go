// Buffer-size bounds what is kept of what a program publishes while there is no server.
//
// Look at ReconnectBufSize, in bytes as they go on the wire (8 MiB unless it is set;
// ReconnectBufMsgs is the same in messages), and at what Publish returns when it is
// reached: such a message was not taken, and all that were taken arrive. A negative size
// switches the buffer off. What else may happen at the limit is the page overflow.
//
// Output:
//
//	1024 bytes: took 12 messages, then: nats: outbound buffer limit exceeded
//	the server is back, and has received 12 messages
//	no buffer: took 0 messages, then: nats: outbound buffer limit exceeded
//	the server is back, and has received 0 messages
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
	if err := outage(w, "1024 bytes", nats.ReconnectBufSize(1024)); err != nil {
		return err
	}
	return outage(w, "no buffer", nats.ReconnectBufSize(-1))
}

func outage(w io.Writer, name string, size nats.Option) error {
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(), size, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("measurements")
	if err != nil {
		return err
	}
	srv.Down(nc)

	taken := 0
	for err == nil {
		if err = nc.Publish("measurements", make([]byte, 64)); err == nil {
			taken++
		}
	}
	fmt.Fprintf(w, "%s: took %d messages, then: %v\n", name, taken, err)

	if err := srv.Up(); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil { // waits for the server, and until it has everything
		return err
	}
	received, _, err := sub.Pending()
	fmt.Fprintf(w, "the server is back, and has received %d messages\n", received)
	return err
}

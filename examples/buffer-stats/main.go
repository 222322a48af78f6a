// Buffer-stats shows what the outbox holds and what it has seen, for a dashboard.
//
// Look at the columns. Held is what Publish has taken and the operating system has not.
// Buffered counts what had to wait for a server, replayed how much of that was sent
// later, rejected what Publish refused. BufferStats answers at once in every state.
//
// Output:
//
//	connected  held 0 messages (0 bytes)   buffered 0  replayed 0  rejected 0
//	outage     held 3 messages (87 bytes)  buffered 3  replayed 0  rejected 2
//	back       held 0 messages (0 bytes)   buffered 3  replayed 3  rejected 2
//	the most that was held in an outage: 3 messages
package main

import (
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
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufMsgs(3))
	if err != nil {
		return err
	}
	defer nc.Close()
	if err := nc.Publish("figures", []byte("goes straight out")); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	show(w, "connected", nc)

	srv.Down(nc)
	for range 5 {
		err := nc.Publish("figures", []byte("has to wait"))
		if err != nil && !errors.Is(err, nats.ErrReconnectBufExceeded) {
			return err
		}
	}
	show(w, "outage", nc)

	if err := srv.Up(); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	show(w, "back", nc)
	fmt.Fprintf(w, "the most that was held in an outage: %d messages\n", nc.BufferStats().MaxMsgs)
	return nil
}

func show(w io.Writer, when string, nc *nats.Conn) {
	b := nc.BufferStats()
	held := fmt.Sprintf("%d messages (%d bytes)", b.Msgs, b.Bytes)
	fmt.Fprintf(w, "%-10s held %-21s  buffered %d  replayed %d  rejected %d\n", when, held, b.Buffered, b.Replayed, b.Rejected)
}

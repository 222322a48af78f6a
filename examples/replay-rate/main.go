// Replay-rate bounds how fast a client sends what it has buffered, so that thousands of
// clients that come back together do not flood the server they come back to.
//
// Look at the two times: 100 KB at once, and the same at 400 KB a second. What is
// published meanwhile keeps its place behind them, and nothing else waits.
//
// Output:
//
//	at once: the server had 100 messages after …
//	400 KB a second: the server had 100 messages after …
//	the second took a fifth of a second, or more: true
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
	took, err := outage()
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "at once: the server had 100 messages after", took)

	took, err = outage(nats.ReconnectReplayRate(400_000))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "400 KB a second: the server had 100 messages after", took)
	fmt.Fprintln(w, "the second took a fifth of a second, or more:", took >= 200*time.Millisecond)
	return nil
}

// outage returns how long it took to find the server again and to send 100 messages
// of 1000 bytes.
func outage(options ...nats.Option) (time.Duration, error) {
	srv, err := demo.StartUnsteady()
	if err != nil {
		return 0, err
	}
	defer srv.Close()

	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(time.Millisecond), nats.ReconnectJitter(0, 0))
	nc, err := nats.Connect(srv.URL(), options...)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	srv.Down(nc)
	for range 100 {
		if err := nc.Publish("pictures", make([]byte, 1000)); err != nil {
			return 0, err
		}
	}

	start := time.Now()
	if err := srv.Up(); err != nil {
		return 0, err
	}
	if err := nc.Flush(); err != nil { // waits for the server, and until it has everything
		return 0, err
	}
	return time.Since(start).Round(time.Millisecond), nil
}

// Shutdown ends a program in order, also in the middle of an outage.
//
// Look at the two ends. While the context allows it, Shutdown waits for a server and
// returns nil when that has everything. When the context ends first, its error has the
// messages that were not sent, for the program to keep. Drain would close at once where
// there is no server.
//
// Output:
//
//	first program: 3 messages wait for a server, which comes back: <nil>
//	second program: 3 messages wait for a server, which does not: context deadline exceeded
//	left: news 1
//	left: news 2
//	left: news 3
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
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	first, err := waiting(srv)
	if err != nil {
		return err
	}
	defer first.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := srv.Up(); err != nil {
		return err
	}
	fmt.Fprintln(w, "first program: 3 messages wait for a server, which comes back:", first.Shutdown(ctx))

	second, err := waiting(srv)
	if err != nil {
		return err
	}
	defer second.Close()
	ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err = second.Shutdown(ctx)
	var failed *nats.ShutdownError
	if !errors.As(err, &failed) {
		return fmt.Errorf("the shutdown should have failed: %w", err)
	}
	fmt.Fprintln(w, "second program: 3 messages wait for a server, which does not:", failed.Err)
	for _, m := range failed.Left {
		fmt.Fprintf(w, "left: %s\n", m.Data)
	}
	return nil
}

// waiting is a connection that has lost its server, with three messages to send.
func waiting(srv *demo.Unsteady) (*nats.Conn, error) {
	if err := srv.Up(); err != nil {
		return nil, err
	}
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		return nil, err
	}
	srv.Down(nc)
	for i := 0; i < 3 && err == nil; i++ {
		err = nc.Publish("news", fmt.Appendf(nil, "news %d", i+1))
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	return nc, nil
}

// Connect-server connects to the server that a URL names.
//
// Look at the forms of the URL: the scheme and the port may be left out, and user and
// password may be part of it. When nobody listens there, Connect says so at once; a
// program that should rather wait for its first server asks for RetryOnFailedConnect.
//
// Output:
//
//	nats://127.0.0.1:…: connected
//	127.0.0.1:…: connected
//	the server is down: nats: no servers available for connection
//	with RetryOnFailedConnect: RECONNECTING, then CONNECTED
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
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

	withoutScheme := strings.TrimPrefix(srv.URL(), "nats://")
	for _, url := range []string{srv.URL(), withoutScheme} {
		nc, err := nats.Connect(url)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%s: connected\n", url)
		nc.Close()
	}

	srv.Down()
	if nc, err := nats.Connect(srv.URL()); err != nil {
		fmt.Fprintln(w, "the server is down:", err)
	} else {
		nc.Close()
	}

	nc, err := nats.Connect(srv.URL(), nats.RetryOnFailedConnect(true), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	before := nc.Status()
	if err := srv.Up(); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil { // waits for the server
		return err
	}
	fmt.Fprintf(w, "with RetryOnFailedConnect: %v, then %v\n", before, nc.Status())
	return nil
}

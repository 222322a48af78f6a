// Connect-timeout bounds how long a connection may take to be made.
//
// Look at nats.Timeout, 2 seconds unless it is given: here a server takes the connection
// and says nothing, as one does that hangs. The time is for dialling, and the same again
// for the first words with the server.
//
// Output:
//
//	no connection: nats: …
//	it took 100 milliseconds: true
//	the server answers again: CONNECTED
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
	"github.com/natsring/nats.go/internal/faultproxy"
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

	if err := srv.Link.SetAccept(faultproxy.Silent); err != nil {
		return err
	}
	start := time.Now()
	nc, err := nats.Connect(srv.URL(), nats.Timeout(100*time.Millisecond))
	if err == nil {
		nc.Close()
		return errors.New("a server that says nothing was taken for one")
	}
	fmt.Fprintln(w, "no connection:", err)
	fmt.Fprintln(w, "it took 100 milliseconds:", time.Since(start).Round(time.Millisecond) >= 100*time.Millisecond)

	if err := srv.Up(); err != nil {
		return err
	}
	nc, err = nats.Connect(srv.URL(), nats.Timeout(10*time.Second))
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintln(w, "the server answers again:", nc.Status())
	return nil
}

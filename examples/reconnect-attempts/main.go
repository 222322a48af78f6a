// Reconnect-attempts bounds what a connection does to come back, or switches it off.
//
// Look at MaxReconnects: so many times each server is tried before it is given up, 60
// unless it is set; -1 is what most services want: no limit. NoReconnect closes the
// connection when its server is lost. ClosedHandler is where a program hears of it.
//
// Output:
//
//	NoReconnect: closed after 0 attempts
//	MaxReconnects(3): closed after 3 attempts
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

	attempts, err := untilClosed(srv, nats.NoReconnect())
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "NoReconnect: closed after %d attempts\n", attempts)

	attempts, err = untilClosed(srv, nats.MaxReconnects(3), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "MaxReconnects(3): closed after %d attempts\n", attempts)
	return nil
}

// untilClosed connects, takes the server down, and counts the attempts to reconnect.
func untilClosed(srv *demo.Unsteady, options ...nats.Option) (attempts int, err error) {
	if err := srv.Up(); err != nil {
		return 0, err
	}
	closed := make(chan bool)
	options = append(options,
		nats.ReconnectErrHandler(func(*nats.Conn, error) { attempts++ }),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) })) // the last handler that is called
	nc, err := nats.Connect(srv.URL(), options...)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	srv.Down()
	<-closed
	return attempts, nil
}

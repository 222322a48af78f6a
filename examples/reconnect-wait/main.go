// Reconnect-wait sets how long a connection pauses between attempts to come back.
//
// Look at CustomReconnectDelay, which is called before each pause with its number in
// this outage. Where the same pause will do, ReconnectWait (2 seconds unless it is
// set) is enough; it adds ReconnectJitter, up to 100 milliseconds at random.
//
// Output:
//
//	lost the server
//	pause 1: 10ms
//	pause 2: 20ms
//	pause 3: 40ms, meanwhile the server comes back
//	connected again
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

	back := make(chan bool)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(func(attempts int) time.Duration {
			pause := 5 * time.Millisecond << attempts
			switch attempts {
			case 1:
				fmt.Fprintln(w, "lost the server")
			case 3:
				fmt.Fprintf(w, "pause %d: %v, meanwhile the server comes back\n", attempts, pause)
				_ = srv.Up() // if it fails there is another pause
				return pause
			}
			fmt.Fprintf(w, "pause %d: %v\n", attempts, pause)
			return pause
		}),
		nats.ReconnectHandler(func(*nats.Conn) { close(back) }),
	)
	if err != nil {
		return err
	}
	defer nc.Close()

	srv.Down()
	<-back
	fmt.Fprintln(w, "connected again")
	return nil
}

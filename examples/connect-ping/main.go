// Connect-ping finds out that a server is gone although the connection looks fine.
//
// Look at PingInterval and MaxPingsOutstanding: the client asks the server now and then
// whether it is there, and takes the connection for lost when too many of its PINGs are
// unanswered. The defaults, 2 minutes and 2, are for quiet networks.
//
// Output:
//
//	the server answers a PING: true
//	the way back from the server is broken
//	lost: nats: stale connection
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

	back := make(chan bool, 1)
	nc, err := nats.Connect(srv.URL(),
		nats.PingInterval(100*time.Millisecond),
		nats.MaxPingsOutstanding(3),
		nats.ReconnectWait(50*time.Millisecond),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: the program has closed the connection
				fmt.Fprintln(w, "lost:", err)
			}
		}),
		nats.ReconnectHandler(func(*nats.Conn) { back <- true }),
	)
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = nc.RTT() // sends a PING too, and waits for the answer
	fmt.Fprintln(w, "the server answers a PING:", err == nil)

	fmt.Fprintln(w, "the way back from the server is broken")
	srv.Link.Live().StopForwarding(faultproxy.Down, faultproxy.Drop)
	<-back
	fmt.Fprintln(w, "connected again")
	return nil
}

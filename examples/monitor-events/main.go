// Monitor-events shows all that a connection can tell of itself and of its servers, for
// a log or a dashboard.
//
// Look at the lame duck event: a server that is about to stop says so, before it drops
// its clients one by one. New servers of the cluster are told of too. StatusChanged is
// the same as a channel, for programs that wait for a state.
//
// Output:
//
//	a server was discovered, 2 are known
//	s0 is about to stop
//	lost s0
//	connected to s1
//	closed
//	the states were: RECONNECTING, CONNECTED, CLOSED
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
	cluster, err := demo.StartCluster(2)
	if err != nil {
		return err
	}
	defer cluster.Close()
	s0, s1 := cluster.Servers[0], cluster.Servers[1]
	if err := demo.Leave(cluster, s1); err != nil { // it joins later
		return err
	}
	events := make(chan string, 20)
	nc, err := nats.Connect(s0.URL(), nats.ReconnectWait(20*time.Millisecond),
		nats.DiscoveredServersHandler(func(nc *nats.Conn) {
			events <- fmt.Sprintf("a server was discovered, %d are known", len(nc.Servers()))
		}),
		nats.LameDuckModeHandler(func(nc *nats.Conn) {
			events <- nc.ConnectedServerName() + " is about to stop"
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: the program has closed the connection
				events <- "lost s0"
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { events <- "connected to " + nc.ConnectedServerName() }),
		nats.ClosedHandler(func(*nats.Conn) { events <- "closed" }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { events <- err.Error() }),
	)
	if err != nil {
		return err
	}
	defer nc.Close()
	states := nc.StatusChanged(nats.RECONNECTING, nats.CONNECTED, nats.CLOSED)

	if err := s1.Start(); err != nil {
		return err
	}
	fmt.Fprintln(w, <-events)
	s0.LameDuck() // returns when it has stopped
	for range 3 {
		fmt.Fprintln(w, <-events)
	}
	nc.Close()
	fmt.Fprintln(w, <-events)
	fmt.Fprintf(w, "the states were: %v, %v, %v\n", <-states, <-states, <-states)
	return nil
}

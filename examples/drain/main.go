// Drain ends things in order: what has arrived is still handled, what was published is
// still sent.
//
// Look at the difference to Unsubscribe and Close, which end at once. A subscription
// that drains lets the others go on; a connection that drains lets all its handlers
// finish, sends their answers, and is closed. It tells ClosedHandler when it is done.
//
// Output:
//
//	draining the subscription: 3 orders are waiting
//	handled order 1
//	handled order 2
//	handled order 3
//	draining the connection
//	handled bill 1
//	handled bill 2
//	closed, and all bills were confirmed: 2
package main

import (
	"fmt"
	"io"
	"log"
	"os"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	srv, err := demo.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	watcher, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer watcher.Close()
	confirmed, err := watcher.SubscribeSync("confirmed")
	if err != nil {
		return err
	}
	if err := watcher.Flush(); err != nil {
		return err
	}

	closed := make(chan bool)
	nc, err := nats.Connect(srv.URL(), nats.ClosedHandler(func(*nats.Conn) { close(closed) }))
	if err != nil {
		return err
	}
	defer nc.Close()
	busy := make(chan bool) // closed when the handlers may begin
	orders, err := nc.Subscribe("orders", func(m *nats.Msg) {
		<-busy
		fmt.Fprintf(w, "handled %s\n", m.Data)
	})
	if err != nil {
		return err
	}
	ordersEnded := make(chan bool)
	orders.SetClosedHandler(func(string) { close(ordersEnded) })
	if _, err := nc.Subscribe("bills", func(m *nats.Msg) {
		<-ordersEnded
		fmt.Fprintf(w, "handled %s\n", m.Data)
		_ = nc.Publish("confirmed", m.Data) // a draining connection still takes it
	}); err != nil {
		return err
	}
	for _, text := range []string{"order 1", "order 2", "order 3", "bill 1", "bill 2"} {
		if err := nc.Publish(text[:len(text)-2]+"s", []byte(text)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}

	waiting, _, err := orders.Pending()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "draining the subscription: %d orders are waiting\n", waiting)
	if err := orders.Drain(); err != nil {
		return err
	}
	close(busy)
	<-ordersEnded
	fmt.Fprintln(w, "draining the connection")
	if err := nc.Drain(); err != nil {
		return err
	}
	<-closed
	if err := watcher.Flush(); err != nil {
		return err
	}
	n, _, err := confirmed.Pending()
	fmt.Fprintln(w, "closed, and all bills were confirmed:", n)
	return err
}

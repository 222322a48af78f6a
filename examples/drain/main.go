// Drain ends things in order: what has arrived is still handled, what was published is
// still sent.
//
// Look at the difference to Unsubscribe and Close, which end at once. A subscription
// that drains lets the others go on; a connection that drains lets all its handlers
// finish, sends their answers, and is closed. It tells ClosedHandler when it is done.
//
// Output:
//
//	the subscription drains: 3 orders are waiting
//	handled order 1
//	handled order 2
//	handled order 3
//	the connection drains: a request waits for its answer
//	closed
//	the answer came: done
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
	srv, err := demo.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer nc.Close()

	if err := subscription(w, nc); err != nil {
		return err
	}
	return connection(w, nc, srv.URL())
}

func subscription(w io.Writer, nc *nats.Conn) error {
	begin, ended := make(chan bool), make(chan bool)
	sub, err := nc.Subscribe("orders", func(m *nats.Msg) {
		<-begin
		fmt.Fprintf(w, "handled %s\n", m.Data)
	})
	if err != nil {
		return err
	}
	sub.SetClosedHandler(func(string) { close(ended) })
	for i := range 3 {
		if err := nc.Publish("orders", fmt.Appendf(nil, "order %d", i+1)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	waiting, _, err := sub.Pending()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "the subscription drains: %d orders are waiting\n", waiting)
	if err := sub.Drain(); err != nil { // returns at once
		return err
	}
	close(begin)
	<-ended
	return nil
}

func connection(w io.Writer, asker *nats.Conn, url string) error {
	closed := make(chan bool)
	nc, err := nats.Connect(url, nats.ClosedHandler(func(*nats.Conn) {
		fmt.Fprintln(w, "closed")
		close(closed)
	}))
	if err != nil {
		return err
	}
	defer nc.Close()
	if _, err := nc.Subscribe("work", func(m *nats.Msg) {
		fmt.Fprintln(w, "the connection drains: a request waits for its answer")
		if err := errors.Join(nc.Drain(), m.Respond([]byte("done"))); err != nil {
			log.Print(err)
		}
	}); err != nil {
		return err
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	answer, err := asker.Request("work", nil, 5*time.Second)
	if err != nil {
		return err
	}
	<-closed
	fmt.Fprintf(w, "the answer came: %s\n", answer.Data)
	return nil
}

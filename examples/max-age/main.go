// Max-age gives up what has become too old by the time there is a server again.
//
// Look at the three kinds of messages. The order is good for a minute, as the option
// says for all of the connection; the position is of no use after 10 milliseconds; the
// question is not to wait for a server at all.
//
// Output:
//
//	question: nats: server is disconnected
//	given up: position (nats: message expired …)
//	received: order
package main

import (
	"context"
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

	reported := make(chan bool, 10)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufMaxAge(time.Minute),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) {
			fmt.Fprintf(w, "given up: %s (%v)\n", u.Msg.Data, u.Err)
			reported <- true
		}))
	if err != nil {
		return err
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("ship")
	if err != nil {
		return err
	}
	srv.Down(nc)

	if err := nc.Publish("ship", []byte("order")); err != nil {
		return err
	}
	ctx := context.Background()
	position := &nats.Msg{Subject: "ship", Data: []byte("position")}
	if err := nc.PublishMsgWithContext(ctx, position, nats.MaxAge(10*time.Millisecond)); err != nil {
		return err
	}
	question := &nats.Msg{Subject: "ship", Data: []byte("question")}
	fmt.Fprintln(w, "question:", nc.PublishMsgWithContext(ctx, question, nats.NoBuffer()))

	time.Sleep(20 * time.Millisecond) // the outage
	if err := srv.Up(); err != nil {
		return err
	}
	<-reported
	m, err := sub.NextMsg(10 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "received: %s\n", m.Data)
	return nil
}

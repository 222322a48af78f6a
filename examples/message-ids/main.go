// Message-ids makes a stream store each message once, although it was sent twice.
//
// Look at MsgIDHeader: every message gets a Nats-Msg-Id, which stays the same when
// AtLeastOnce sends it again. Here the messages arrive and the answers do not, so all of
// them are repeated; JetStream knows the ids (for 2 minutes unless the stream says
// otherwise) and stores none of them again. JetStream is spoken to by plain requests.
//
// Output:
//
//	AtLeastOnce: 5 messages, 5 sent again, the next one is number 11 of the stream
//	with MsgIDHeader: 5 messages, 5 sent again, the next one is number 6 of the stream
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	if err := outage(w, "AtLeastOnce", nats.AtLeastOnce()); err != nil {
		return err
	}
	return outage(w, "with MsgIDHeader", nats.AtLeastOnce(), nats.MsgIDHeader())
}

func outage(w io.Writer, name string, options ...nats.Option) error {
	srv, err := demo.StartUnsteady(testserver.JetStream())
	if err != nil {
		return err
	}
	defer srv.Close()
	admin, err := nats.Connect(srv.Server.URL()) // a way of its own
	if err != nil {
		return err
	}
	defer admin.Close()
	const stream = `{"name":"ORDERS","subjects":["orders"],"storage":"memory"}`
	if _, err := ask(admin, "$JS.API.STREAM.CREATE.ORDERS", stream); err != nil {
		return err
	}
	defer ask(admin, "$JS.API.STREAM.DELETE.ORDERS", "")

	options = append(options, nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	nc, err := nats.Connect(srv.URL(), options...)
	if err != nil {
		return err
	}
	defer nc.Close()
	srv.Link.Live().StopForwarding(faultproxy.Down, faultproxy.Drop) // no answer comes
	for i := range 5 {
		if err := nc.Publish("orders", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	for stored := 0; stored < 5; {
		info, err := ask(admin, "$JS.API.STREAM.INFO.ORDERS", "")
		if err != nil {
			return err
		}
		stored = info.State.Messages
	}
	back := nc.StatusChanged(nats.CONNECTED)
	srv.Link.Live().Cut(faultproxy.RST)
	<-back

	ack, err := ask(nc, "orders", "5") // the stream answers to what it has stored
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: 5 messages, %d sent again, the next one is number %d of the stream\n",
		name, nc.BufferStats().Repeated, ack.Seq)
	return nil
}

// answer is what is used here of JetStream's answers.
type answer struct {
	Seq   int
	State struct{ Messages int }
	Error *struct{ Description string }
}

func ask(nc *nats.Conn, subject, body string) (a answer, err error) {
	m, err := nc.Request(subject, []byte(body), 10*time.Second)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(m.Data, &a); err != nil {
		return a, err
	}
	if a.Error != nil {
		return a, errors.New(a.Error.Description)
	}
	return a, nil
}

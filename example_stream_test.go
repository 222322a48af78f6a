package nats_test

import (
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

// Payments into a stream, each of them once: AtLeastOnce repeats what may not have
// arrived, and by its id the stream knows what it has. There is no API for JetStream
// in this package yet, but a stream is created and asked with plain requests.
func ExampleMsgIDHeader() {
	server := newServer(testserver.JetStream())
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.AtLeastOnce(), nats.MsgIDHeader(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	_, err = nc.Request("$JS.API.STREAM.CREATE.PAYMENTS",
		[]byte(`{"name": "PAYMENTS", "subjects": ["payments"], "storage": "file"}`), 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}

	// The acknowledgement of the last one says how many the stream has.
	for range 99 {
		if err := nc.Publish("payments", []byte("12.00")); err != nil {
			log.Fatal(err)
		}
	}
	reply, err := nc.Request("payments", []byte("12.00"), 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	var ack struct {
		Stream string
		Seq    int
	}
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		log.Fatal(err)
	}
	fmt.Println(ack.Stream, ack.Seq)
	// Output: PAYMENTS 100
}

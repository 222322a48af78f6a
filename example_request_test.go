package nats_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
)

func ExampleConn_Request() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Subscribe("double", func(m *nats.Msg) {
		_ = m.Respond(append(m.Data, m.Data...))
	}); err != nil {
		log.Fatal(err)
	}

	reply, err := nc.Request("double", []byte("ha"), 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply.Data))

	_, err = nc.Request("nobody.home", nil, 5*time.Second)
	fmt.Println(errors.Is(err, nats.ErrNoResponders)) // at once, not after 5 s
	// Output:
	// haha
	// true
}

// A request that waits as long as its context. If the context ends while the request
// is still unsent, it is not sent any more.
func ExampleConn_RequestWithContext() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = nc.RequestWithContext(ctx, "price", []byte("chair"))
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	fmt.Println("waiting to be sent:", nc.BufferStats().Msgs)
	// Output:
	// true
	// waiting to be sent: 0
}

// A service: it answers requests, as one of a group of equal processes.
func ExampleMsg_Respond() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	_, err = nc.QueueSubscribe("time.utc", "clocks", func(m *nats.Msg) {
		if err := m.Respond([]byte("12:00")); err != nil {
			log.Println(err) // ErrMsgNoReply: it was no request
		}
	})
	if err != nil {
		log.Fatal(err)
	}

	reply, err := nc.Request("time.utc", nil, 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply.Data))
	// Output: 12:00
}

// An answer with headers.
func ExampleMsg_RespondMsg() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	if _, err := nc.Subscribe("stock", func(m *nats.Msg) {
		answer := nats.NewMsg("") // RespondMsg sets the subject
		answer.Header.Set("Unit", "pieces")
		answer.Data = []byte("7")
		_ = m.RespondMsg(answer)
	}); err != nil {
		log.Fatal(err)
	}

	question := nats.NewMsg("stock")
	question.Header.Set("Item", "chair")
	reply, err := nc.RequestMsg(question, 5*time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(reply.Data), reply.Header.Get("Unit"))
	// Output: 7 pieces
}

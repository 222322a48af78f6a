package nats_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/natsring/nats.go"
)

// A small buffer. The limit is compared before a message is added, so the last one
// may pass it.
func ExampleReconnectBufSize() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectBufSize(1000))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	taken := 0
	for err = nc.Publish("logs", make([]byte, 300)); err == nil; err = nc.Publish("logs", make([]byte, 300)) {
		taken++
	}
	fmt.Println(taken, "taken, then", errors.Is(err, nats.ErrReconnectBufExceeded))
	st := nc.BufferStats()
	fmt.Println(st.Msgs, "held,", st.Bytes, "bytes on the wire,", st.Rejected, "rejected")
	// Output:
	// 4 taken, then true
	// 4 held, 1264 bytes on the wire, 1 rejected
}

// A negative size switches the buffer off: without a server nothing is taken.
func ExampleReconnectBufSize_off() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1), nats.ReconnectBufSize(-1))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	fmt.Println(errors.Is(nc.Publish("logs", nil), nats.ErrReconnectBufExceeded))
	// Output: true
}

// Fresh readings are worth more than old ones: the buffer keeps the newest three.
func ExampleReconnectBufOverflow() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ReconnectBufMsgs(3), nats.ReconnectBufOverflow(nats.OverflowDropOldest))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	readings := make(chan *nats.Msg, 10)
	if _, err := nc.ChanSubscribe("temperature", readings); err != nil {
		log.Fatal(err)
	}
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	for _, t := range []string{"17", "18", "19", "20", "21"} {
		if err := nc.Publish("temperature", []byte(t)); err != nil {
			log.Fatal(err)
		}
	}
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	for range 3 {
		fmt.Println(string((<-readings).Data))
	}
	fmt.Println("dropped:", nc.BufferStats().Dropped)
	// Output:
	// 19
	// 20
	// 21
	// dropped: 2
}

// Some subjects are not worth to be kept.
func ExampleReconnectBufFilter() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1),
		nats.ReconnectBufFilter(func(subject string) bool { return subject != "heartbeat" }))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	fmt.Println(nc.Publish("orders.new", nil))
	fmt.Println(errors.Is(nc.Publish("heartbeat", nil), nats.ErrDisconnected))
	// Output:
	// <nil>
	// true
}

// The program is told when the buffer is half full, and when it is empty again.
func ExampleReconnectBufWatermark() {
	server := newServer()
	defer server.Close()
	marks := make(chan bool, 10)
	nc, err := nats.Connect(server.URL(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectBufMsgs(10),
		nats.ReconnectBufWatermark(0.5, 0, func(_ *nats.Conn, above bool) { marks <- above }))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	for range 5 {
		if err := nc.Publish("logs", nil); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("half full:", <-marks)
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("half full:", <-marks)
	// Output:
	// half full: true
	// half full: false
}

// Nothing vanishes silently: what was accepted and is given up comes back, with the
// reason.
func ExampleUndeliveredHandler() {
	server := newServer()
	defer server.Close()
	undelivered := make(chan nats.Undelivered, 10)
	nc, err := nats.Connect(server.URL(), nats.MaxReconnects(-1),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) { undelivered <- u }))
	if err != nil {
		log.Fatal(err)
	}
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost
	if err := nc.Publish("orders.new", []byte("one chair")); err != nil {
		log.Fatal(err)
	}
	nc.Close() // there is no server, and there will be none

	switch u := <-undelivered; {
	case u.Msg == nil:
		fmt.Println(u.Count, "more, because", u.Err) // the handler has fallen behind
	case errors.Is(u.Err, nats.ErrConnectionClosed):
		fmt.Printf("left at Close: %s: %s\n", u.Msg.Subject, u.Msg.Data)
	case errors.Is(u.Err, nats.ErrDropped), errors.Is(u.Err, nats.ErrExpired):
		fmt.Println("as was asked for")
	default:
		fmt.Println("the server would not take it:", u.Err)
	}
	// Output: left at Close: orders.new: one chair
}

// Every message is kept until the server has confirmed it.
func ExampleAtLeastOnce() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.AtLeastOnce(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	for range 1000 {
		if err := nc.Publish("payments", []byte("12.00")); err != nil {
			log.Fatal(err)
		}
	}
	server.CutClients() // some of them were on their way
	if err := nc.Flush(); err != nil {
		log.Fatal(err)
	}
	st := nc.BufferStats()
	fmt.Println("confirmed:", st.Confirmed, "unconfirmed:", st.UnconfirmedMsgs, "in doubt:", st.InDoubt)
	// Output: confirmed: 1000 unconfirmed: 0 in doubt: 0
}

// What the outbox holds, and what it has seen.
func ExampleConn_BufferStats() {
	server := newServer()
	defer server.Close()
	nc, err := nats.Connect(server.URL(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectBufMsgs(2))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	lost := nc.StatusChanged(nats.RECONNECTING)
	server.Stop()
	<-lost

	for range 3 {
		_ = nc.Publish("logs", nil)
	}
	st := nc.BufferStats()
	fmt.Println("held", st.Msgs, "buffered", st.Buffered, "replayed", st.Replayed, "rejected", st.Rejected)

	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		log.Fatal(err)
	}
	st = nc.BufferStats()
	fmt.Println("held", st.Msgs, "buffered", st.Buffered, "replayed", st.Replayed, "the most ever", st.MaxMsgs)
	// Output:
	// held 2 buffered 2 replayed 0 rejected 1
	// held 0 buffered 2 replayed 2 the most ever 2
}

// The program takes back what waits, for instance to write it to a file.
func ExampleConn_PurgeBuffer() {
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
	for _, text := range []string{"one", "two"} {
		if err := nc.Publish("notes", []byte(text)); err != nil {
			log.Fatal(err)
		}
	}

	for _, m := range nc.PurgeBuffer() {
		fmt.Printf("%s: %s\n", m.Subject, m.Data)
	}
	fmt.Println("waiting:", nc.BufferStats().Msgs)
	// Output:
	// notes: one
	// notes: two
	// waiting: 0
}

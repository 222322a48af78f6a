package nats_test

import (
	"errors"
	"fmt"
	"log"
	"sync"
	"time"

	"github.com/natsring/nats.go"
)

// The handler is called for one message after the other, in their order.
func ExampleConn_Subscribe() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	done := make(chan struct{})
	_, err = nc.Subscribe("weather.>", func(m *nats.Msg) {
		fmt.Printf("%s: %s\n", m.Subject, m.Data)
		close(done)
	})
	if err != nil {
		log.Fatal(err)
	}

	if err := nc.Publish("weather.oslo.wind", []byte("strong")); err != nil {
		log.Fatal(err)
	}
	<-done
	// Output: weather.oslo.wind: strong
}

// The program asks for each message.
func ExampleConn_SubscribeSync() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	sub, err := nc.SubscribeSync("jobs")
	if err != nil {
		log.Fatal(err)
	}
	if err := nc.Publish("jobs", []byte("paint")); err != nil {
		log.Fatal(err)
	}
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(m.Data))

	if _, err = sub.NextMsg(time.Millisecond); errors.Is(err, nats.ErrTimeout) {
		fmt.Println("nothing more")
	}
	// Output:
	// paint
	// nothing more
}

// Messages come on a channel of the program. What finds it full is dropped, so it
// should have room for a burst.
func ExampleConn_ChanSubscribe() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	ch := make(chan *nats.Msg, 1024)
	sub, err := nc.ChanSubscribe("ticks", ch)
	if err != nil {
		log.Fatal(err)
	}
	for i := range 3 {
		if err := nc.Publish("ticks", fmt.Append(nil, i)); err != nil {
			log.Fatal(err)
		}
	}
	for range 3 {
		fmt.Print(string((<-ch).Data), " ")
	}
	if err := sub.Unsubscribe(); err != nil { // the channel stays open: it is the program's
		log.Fatal(err)
	}
	// Output: 0 1 2
}

// Each message goes to one member of the group.
func ExampleConn_QueueSubscribe() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	var done sync.WaitGroup
	done.Add(100)
	for range 4 {
		_, err := nc.QueueSubscribe("thumbnails", "workers", func(*nats.Msg) { done.Done() })
		if err != nil {
			log.Fatal(err)
		}
	}
	for range 100 {
		if err := nc.Publish("thumbnails", nil); err != nil {
			log.Fatal(err)
		}
	}
	done.Wait() // a second delivery of any of them would panic
	fmt.Println("100 messages, each to one of 4 workers")
	// Output: 100 messages, each to one of 4 workers
}

// A loop over messages; it ends with the first error, here with that of
// AutoUnsubscribe.
func ExampleSubscription_Msgs() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	sub, err := nc.SubscribeSync("lines")
	if err != nil {
		log.Fatal(err)
	}
	if err := sub.AutoUnsubscribe(2); err != nil {
		log.Fatal(err)
	}
	for _, line := range []string{"first", "second", "third"} {
		if err := nc.Publish("lines", []byte(line)); err != nil {
			log.Fatal(err)
		}
	}

	for m, err := range sub.Msgs() {
		if err != nil {
			fmt.Println(errors.Is(err, nats.ErrMaxMessages))
			break
		}
		fmt.Println(string(m.Data))
	}
	// Output:
	// first
	// second
	// true
}

// The same with a limit for each wait, which does not end the loop.
func ExampleSubscription_MsgsTimeout() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("alarms")
	if err != nil {
		log.Fatal(err)
	}

	for m, err := range sub.MsgsTimeout(10 * time.Millisecond) {
		if errors.Is(err, nats.ErrTimeout) {
			fmt.Println("all quiet")
			if err := nc.Publish("alarms", []byte("smoke")); err != nil {
				log.Fatal(err)
			}
			continue
		}
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(m.Data))
		break
	}
	// Unordered output:
	// all quiet
	// smoke
}

// How many messages may wait for the handler; what is beyond is dropped, and told.
func ExampleSubscription_SetPendingLimits() {
	dropped := make(chan error, 10)
	nc, err := nats.Connect(serverURL(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { dropped <- err }))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	sub, err := nc.SubscribeSync("flood")
	if err != nil {
		log.Fatal(err)
	}
	if err := sub.SetPendingLimits(10, -1); err != nil {
		log.Fatal(err)
	}
	for range 30 {
		if err := nc.Publish("flood", nil); err != nil {
			log.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(errors.Is(<-dropped, nats.ErrSlowConsumer))
	n, err := sub.Dropped()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n, "dropped")
	// Output:
	// true
	// 20 dropped
}

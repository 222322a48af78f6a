// Slow-consumer shows what happens when messages come faster than they are handled.
//
// Look at SetPendingLimits: so much may wait for the handler (500,000 messages or 64 MiB
// unless it is set). What comes beyond that is dropped, for this subscription only, and
// the ErrorHandler is told when it begins; Dropped counts them. The server has limits
// too: for a client that does not read at all, it closes the connection.
//
// Output:
//
//	nats: slow consumer, messages dropped, on "firehose"
//	of 100 messages 90 were dropped
//	the handler was called for the first 10
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

	told := make(chan bool, 100)
	nc, err := nats.Connect(srv.URL(), nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
		fmt.Fprintf(w, "%v, on %q\n", err, sub.Subject)
		told <- true
	}))
	if err != nil {
		return err
	}
	defer nc.Close()

	stuck := make(chan bool) // the handler is as slow as can be
	handled := 0
	sub, err := nc.Subscribe("firehose", func(*nats.Msg) {
		<-stuck
		handled++
	})
	if err != nil {
		return err
	}
	if err := sub.SetPendingLimits(10, -1); err != nil { // no limit in bytes
		return err
	}
	for i := range 100 {
		if err := nc.Publish("firehose", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	<-told
	dropped, err := sub.Dropped()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "of 100 messages %d were dropped\n", dropped)

	done := make(chan bool)
	sub.SetClosedHandler(func(string) { close(done) })
	close(stuck)
	if err := sub.Drain(); err != nil {
		return err
	}
	<-done
	fmt.Fprintf(w, "the handler was called for the first %d\n", handled)
	return nil
}

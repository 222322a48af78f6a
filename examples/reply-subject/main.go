// Reply-subject sends a message that says where answers go, and answers one.
//
// Look at the two sides: the sender makes an inbox (a subject nobody else uses), listens
// there and publishes with PublishRequest; the receiver need not know any of that, it
// uses Respond. So one question can have many answers; where the first one will do,
// Request does all of this (see the page request-reply).
//
// Output:
//
//	asked, with an inbox for answers: _INBOX.…
//	answer: 09:00 in london
//	answer: 10:00 in paris
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"slices"
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

	for _, clock := range []struct{ hour, city string }{{"09:00", "london"}, {"10:00", "paris"}} {
		if _, err := nc.Subscribe("time", func(m *nats.Msg) {
			if err := m.Respond([]byte(clock.hour + " in " + clock.city)); err != nil {
				log.Print(err)
			}
		}); err != nil {
			return err
		}
	}

	inbox := nc.NewInbox()
	answers, err := nc.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	if err := nc.PublishRequest("time", inbox, nil); err != nil {
		return err
	}
	fmt.Fprintln(w, "asked, with an inbox for answers:", inbox)

	var all []string
	for range 2 { // they come in any order
		m, err := answers.NextMsg(5 * time.Second)
		if err != nil {
			return err
		}
		all = append(all, string(m.Data))
	}
	slices.Sort(all)
	for _, text := range all {
		fmt.Fprintln(w, "answer:", text)
	}
	return nil
}

// Receive-wildcards subscribes to many subjects at once.
//
// Look at what each pattern gets: "*" stands for one token between dots, ">" for all
// that follow, at least one. The subject of the message says which it was.
//
// Output:
//
//	time.*.east gets time.us.east
//	time.*.east gets time.eu.east
//	time.us.*   gets time.us.east
//	time.us.*   gets time.us.west
//	time.>      gets time.us.east
//	time.>      gets time.us.west
//	time.>      gets time.eu.east
//	time.>      gets time.us.east.atlanta
package main

import (
	"errors"
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

	nc, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer nc.Close()

	patterns := []string{"time.*.east", "time.us.*", "time.>"}
	var subs []*nats.Subscription
	for _, pattern := range patterns {
		sub, err := nc.SubscribeSync(pattern)
		if err != nil {
			return err
		}
		subs = append(subs, sub)
	}
	for _, subject := range []string{"time.us.east", "time.us.west", "time.eu.east", "time.us.east.atlanta"} {
		if err := nc.Publish(subject, nil); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil { // behind it all messages are here
		return err
	}

	for _, sub := range subs {
		for {
			m, err := sub.NextMsg(0) // only what is here
			if errors.Is(err, nats.ErrTimeout) {
				break
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(w, "%-11s gets %s\n", sub.Subject, m.Subject)
		}
	}
	return nil
}

package main

import (
	"time"

	incumbent "github.com/nats-io/nats.go"
)

const streamName = "FAULTS"

// JetStream by the incumbent's API, on a connection of its own that meets no faults.
func withJetStream(url string, do func(incumbent.JetStreamContext) error) error {
	nc, err := incumbent.Connect(url)
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := nc.JetStream(incumbent.MaxWait(patience))
	if err != nil {
		return err
	}
	return do(js)
}

// createStream makes a stream with a duplicate window that no run outlasts.
func createStream(url string) error {
	return withJetStream(url, func(js incumbent.JetStreamContext) error {
		_, err := js.AddStream(&incumbent.StreamConfig{Name: streamName, Subjects: []string{subject},
			Storage: incumbent.FileStorage, Duplicates: time.Hour})
		return err
	})
}

// readStream shows the ledger all that the stream holds, in its order. The stream has
// taken everything that came before, once it has taken a message of ours.
func readStream(url string, l *ledger) error {
	return withJetStream(url, func(js incumbent.JetStreamContext) error {
		if _, err := js.Publish(subject, []byte("end")); err != nil {
			return err
		}
		sub, err := js.SubscribeSync(subject, incumbent.OrderedConsumer())
		if err != nil {
			return err
		}
		defer func() { _ = sub.Unsubscribe() }()
		for {
			m, err := sub.NextMsg(patience)
			if err != nil {
				return err
			}
			if len(m.Data) != messageSize {
				return nil
			}
			l.see(m.Data)
		}
	})
}

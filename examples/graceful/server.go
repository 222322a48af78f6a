package main

import (
	"strconv"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

// ownServer starts a server, and somebody who has a job every 50 ms.
func ownServer() (url string, end func(), err error) {
	s, err := testserver.New(testserver.Config{})
	if err != nil {
		return "", nil, err
	}
	nc, err := nats.Connect(s.URL())
	if err != nil {
		_ = s.Close()
		return "", nil, err
	}
	done := make(chan struct{})
	go func() { // ends with the connection
		defer close(done)
		for n := 1; nc.Publish("jobs", strconv.AppendInt(nil, int64(n), 10)) == nil; n++ {
			time.Sleep(50 * time.Millisecond)
		}
	}()
	return s.URL(), func() {
		nc.Close()
		<-done
		_ = s.Close()
	}, nil
}

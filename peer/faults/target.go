package main

import (
	"fmt"

	"github.com/natsring/nats.go/internal/testserver"
)

// target is the server behind the faults.
type target interface {
	Addr() string
	URL() string
	Kill()
	Start() error
	Close() error
	quiet() bool // nothing is left of connections that have ended
}

// newTarget starts a server: in a process of its own if it is to be killed. It drops
// nobody who is slow, and its streams drop nothing that they cannot keep up with.
func newTarget(mortal, stream bool) (target, error) {
	text := fmt.Sprintf("max_pending: %d\nwrite_deadline: %q\n", 1<<30, patience)
	if stream {
		text += fmt.Sprintf("jetstream: { max_buffered_msgs: %d, max_buffered_size: %d }\n", 1<<22, 1<<30)
	}
	if mortal {
		p, err := testserver.NewProcess(text)
		if err != nil {
			return nil, err
		}
		return process{p}, nil
	}
	s, err := testserver.New(testserver.Config{Text: text})
	if err != nil {
		return nil, err
	}
	return server{s}, nil
}

type server struct{ *testserver.Server }

// quiet: there are the subscriber, or who has made the stream, and the client.
func (s server) quiet() bool { return s.NumClients() == 2 }

type process struct{ *testserver.Process }

// quiet: what a server that was killed had is gone, and the last one has no connection
// that has ended.
func (process) quiet() bool { return true }

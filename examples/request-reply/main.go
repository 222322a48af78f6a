// Request-reply asks a service and waits for the first answer.
//
// Look at the errors, for they are different things: nobody listens (known at once, the
// server says so), and nobody has answered in time. A context can end the wait as well
// as a time. A service is just a subscription that responds; in a queue group there can
// be many of it.
//
// Output:
//
//	upper("hello") is "HELLO"
//	nobody listens: nats: no responders available for request
//	no answer in time: nats: timeout
//	no answer until the context ends: context deadline exceeded
package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"os"
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

	if _, err := nc.QueueSubscribe("upper", "services", func(m *nats.Msg) {
		if err := m.Respond(bytes.ToUpper(m.Data)); err != nil {
			log.Print(err)
		}
	}); err != nil {
		return err
	}
	if _, err := nc.Subscribe("lazy", func(*nats.Msg) {}); err != nil {
		return err
	}

	reply, err := nc.Request("upper", []byte("hello"), 5*time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "upper(%q) is %q\n", "hello", reply.Data)

	_, err = nc.Request("nobody", nil, 5*time.Second)
	fmt.Fprintln(w, "nobody listens:", err)
	_, err = nc.Request("lazy", nil, 20*time.Millisecond)
	fmt.Fprintln(w, "no answer in time:", err)

	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = nc.RequestWithContext(ctx, "lazy", nil)
	fmt.Fprintln(w, "no answer until the context ends:", err)
	return nil
}

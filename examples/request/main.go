// Request publishes a request and prints the reply.
//
//	go run ./examples/request time ''
//	go run ./examples/request -timeout 10s -raw orders.price '{"id": 1}'
//
// Without a server the request waits for one, as long as its timeout is.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
)

func main() { program().Main() }

const about = `Publishes the message as a request and prints the reply; the message - is all of the
standard input. In an outage the request waits for a server, until it times out.`

// A config is the command line.
type config struct {
	server  cli.Server
	header  nats.Header
	timeout time.Duration
	print   cli.Printer
	subject string
	message string
}

func program() cli.Program {
	c := &config{server: cli.Server{URL: nats.DefaultURL, Name: "request"}, header: make(nats.Header)}
	return cli.Program{
		Name: "request", Args: "[flags] subject message", About: about,
		Flags: c.flags, Check: c.check, Run: c.run,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	c.server.Flags(fs)
	c.print.Flags(fs)
	cli.Header(fs, c.header)
	fs.DurationVar(&c.timeout, "timeout", 2*time.Second, "how `long` to wait for the reply")
}

func (c *config) check(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("a subject is missing")
	case len(args) == 1:
		return errors.New(`a message is missing; "" is an empty one, - the standard input`)
	case len(args) > 2:
		return fmt.Errorf("unexpected argument %q", args[2])
	case c.timeout <= 0:
		return fmt.Errorf("-timeout %v: must be more than 0", c.timeout)
	}
	c.subject, c.message = args[0], args[1]
	return c.server.Check()
}

func (c *config) run(ctx context.Context, std cli.Std) error {
	data, err := cli.Payload(c.message, std.In)
	if err != nil {
		return err
	}
	nc, err := c.server.Connect(std.Err)
	if err != nil {
		return err
	}
	defer nc.Close()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	reply, err := nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: c.subject, Header: c.header, Data: data})
	switch {
	case errors.Is(err, nats.ErrNoResponders):
		return fmt.Errorf("nobody listens on %q: %w", c.subject, err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no reply within %v", c.timeout)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	c.print.Out = std.Out
	c.print.Print(reply)
	return c.print.Err()
}

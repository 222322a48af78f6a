// Reply answers requests, with their own payload and headers or with a text.
//
//	go run ./examples/reply echo
//	go run ./examples/reply -queue clocks time 'half past nine'
//
// It prints the requests and goes on through outages. Ctrl-C ends it when all
// requests that have come are answered.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
)

func main() { program().Main() }

const about = `Answers the requests to the subject, with the text or, without one, with their own
payload and headers. Prints the requests. Goes on through outages. Ctrl-C ends it when
all requests that have come are answered.`

// A config is the command line.
type config struct {
	server  cli.Server
	queue   string
	print   cli.Printer
	subject string
	text    []byte // nil: echo
}

func program() cli.Program {
	c := &config{server: cli.Server{URL: nats.DefaultURL, Name: "reply"}}
	return cli.Program{
		Name: "reply", Args: "[flags] subject [text]", About: about,
		Flags: c.flags, Check: c.check, Run: c.run,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	c.server.Flags(fs)
	c.print.Flags(fs)
	c.print.Count(fs)
	fs.StringVar(&c.queue, "queue", "", "`group` in which each request goes to one member only")
}

func (c *config) check(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("a subject is missing")
	case len(args) > 2:
		return fmt.Errorf("unexpected argument %q", args[2])
	case c.print.Most < 0:
		return fmt.Errorf("-count %d: must be 0 (no limit) or more", c.print.Most)
	}
	c.subject = args[0]
	if len(args) == 2 {
		c.text = []byte(args[1])
	}
	return c.server.Check()
}

func (c *config) run(ctx context.Context, std cli.Std) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.print.Out, c.print.Full = std.Out, stop
	nc, err := c.server.Connect(std.Err)
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = nc.QueueSubscribe(c.subject, c.queue, func(m *nats.Msg) {
		if !c.print.Print(m) {
			return
		}
		if err := c.answer(m); err != nil {
			fmt.Fprintf(std.Err, "no answer to a request on %s: %v\n", m.Subject, err)
		}
	})
	if err != nil {
		return fmt.Errorf("%s: %w", c.subject, err)
	}
	fmt.Fprintln(std.Err, "answering on", c.subject)
	if err := nc.Wait(ctx); err != nil {
		return err
	}
	return errors.Join(nc.Finish(ctx), c.print.Err())
}

// answer replies to a request. A message that is none gets no answer.
func (c *config) answer(m *nats.Msg) error {
	if m.Reply == "" {
		return nil
	}
	if c.text != nil {
		return m.Respond(c.text)
	}
	return m.RespondMsg(&nats.Msg{Header: m.Header, Data: m.Data})
}

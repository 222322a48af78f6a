// Sub prints the messages of one subject or several.
//
//	go run ./examples/sub 'orders.>' time
//	go run ./examples/sub -queue workers -count 10 -raw orders.new
//
// It goes on through outages. Ctrl-C ends it when all that has come is printed.
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

const about = `Prints the messages of each subject, with their headers; * and > are wildcards.
Goes on through outages. Ctrl-C ends it when all that has come is printed.`

// A config is the command line.
type config struct {
	server   cli.Server
	queue    string
	print    cli.Printer
	subjects []string
}

func program() cli.Program {
	c := &config{server: cli.Server{URL: nats.DefaultURL, Name: "sub"}}
	return cli.Program{
		Name: "sub", Args: "[flags] subject ...", About: about,
		Flags: c.flags, Check: c.check, Run: c.run,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	c.server.Flags(fs)
	c.print.Flags(fs)
	c.print.Count(fs)
	fs.StringVar(&c.queue, "queue", "", "`group` in which each message goes to one member only")
}

func (c *config) check(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("a subject is missing")
	case c.print.Most < 0:
		return fmt.Errorf("-count %d: must be 0 (no limit) or more", c.print.Most)
	}
	c.subjects = args
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
	subs := make([]*nats.Subscription, len(c.subjects))
	for i, subject := range c.subjects {
		subs[i], err = nc.QueueSubscribe(subject, c.queue, func(m *nats.Msg) { c.print.Print(m) })
		if err != nil {
			return fmt.Errorf("%s: %w", subject, err)
		}
		fmt.Fprintln(std.Err, "listening on", subject)
	}
	if err := nc.Wait(ctx); err != nil {
		return err
	}
	return errors.Join(nc.Leave(ctx, subs...), c.print.Err())
}

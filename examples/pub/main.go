// Pub publishes messages.
//
//	go run ./examples/pub orders.new 'first' 'second'
//	go run ./examples/pub -header Trace:7 -reply orders.done orders.new '{"id": 1}'
//	go run ./examples/pub -at-least-once -count 1000 orders.new hello
//	date | go run ./examples/pub -server tls://example.com -tls-ca ca.pem time -
//
// It goes on through outages, and ends when the server has all messages.
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

const about = `Publishes each message to the subject; the message - is all of the standard input.
Goes on through outages, and ends when the server has everything.`

// A config is the command line.
type config struct {
	server      cli.Server
	header      nats.Header
	reply       string
	count       int
	atLeastOnce bool
	subject     string
	messages    []string
}

func program() cli.Program {
	c := &config{server: cli.Server{URL: nats.DefaultURL, Name: "pub"}, header: make(nats.Header)}
	return cli.Program{
		Name: "pub", Args: "[flags] subject message ...", About: about,
		Flags: c.flags, Check: c.check, Run: c.run,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	c.server.Flags(fs)
	cli.Header(fs, c.header)
	fs.StringVar(&c.reply, "reply", "", "`subject` for answers")
	fs.IntVar(&c.count, "count", 1, "how many `times` to publish the messages")
	fs.BoolVar(&c.atLeastOnce, "at-least-once", false, "send again, after an outage, what the server has not confirmed; it may come twice")
}

func (c *config) check(args []string) error {
	switch {
	case len(args) == 0:
		return errors.New("a subject is missing")
	case len(args) == 1:
		return errors.New(`a message is missing; "" is an empty one, - the standard input`)
	case c.count < 1:
		return fmt.Errorf("-count %d: must be 1 or more", c.count)
	}
	c.subject, c.messages = args[0], args[1:]
	return c.server.Check()
}

func (c *config) run(ctx context.Context, std cli.Std) error {
	msgs, err := c.read(std)
	if err != nil {
		return err
	}
	// A full buffer makes it wait: there is no hurry, and nobody else to tell.
	opts := []nats.Option{nats.ReconnectBufOverflow(nats.OverflowBlock)}
	if c.atLeastOnce {
		opts = append(opts, nats.AtLeastOnce())
	}
	nc, err := c.server.Connect(std.Err, opts...)
	if err != nil {
		return err
	}
	defer nc.Close()
	done, err := publish(ctx, nc, msgs, c.count)
	if err := errors.Join(err, nc.Finish(ctx)); err != nil {
		return err
	}
	if n := nc.BufferStats().InDoubt; n > 0 {
		return fmt.Errorf("published %d messages, %d of which may not have arrived: they were under way when the connection broke", done, n)
	}
	fmt.Fprintf(std.Err, "published %d, and the server has them\n", done)
	return nil
}

// read makes the messages of the command line.
func (c *config) read(std cli.Std) (msgs []*nats.Msg, err error) {
	for _, arg := range c.messages {
		m := &nats.Msg{Subject: c.subject, Reply: c.reply, Header: c.header}
		if m.Data, err = cli.Payload(arg, std.In); err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
	}
	return msgs, nil
}

// publish publishes all messages so many times, or until the context ends. It returns
// how many Publish took.
func publish(ctx context.Context, nc *cli.Conn, msgs []*nats.Msg, times int) (done int, err error) {
	for range times {
		for _, m := range msgs {
			err := nc.PublishMsgWithContext(ctx, m)
			if ctx.Err() != nil {
				return done, fmt.Errorf("interrupted after %d messages", done)
			}
			if err != nil {
				return done, err
			}
			done++
		}
	}
	return done, nil
}

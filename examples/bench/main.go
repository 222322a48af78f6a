// Bench measures how fast messages go through a server.
//
//	go run ./examples/bench
//	go run ./examples/bench -pubs 4 -subs 2 -size 1024 -msgs 1000000
//	go run ./examples/bench -server nats://127.0.0.1:4222 -at-least-once -svg rates.svg -csv results.csv
//
// Without -server one runs in this process, and takes its share of the processors. Every
// publisher and every subscriber has a connection of its own, and every subscriber gets
// all messages. A publisher is done when the server has confirmed all that it published.
//
// worker.go has the publishers and subscribers, stats.go what their times come to,
// series.go the rates over time; output.go prints and writes.
package main

import (
	"errors"
	"flag"
	"fmt"

	"github.com/natsring/nats.go/examples/internal/cli"
)

func main() { program().Main() }

const about = `Measures how fast messages go through a server: rates for each publisher and subscriber,
and in all. Without -server one runs in this process.`

const maxSize = 64 << 20 // what a server can be configured to take

// A config is the command line.
type config struct {
	server      cli.Server
	subject     string
	pubs, subs  int
	size, msgs  int
	atLeastOnce bool
	plain       bool
	csv, svg    string
}

func program() cli.Program {
	c := &config{server: cli.Server{Name: "bench", Optional: true}}
	return cli.Program{
		Name: "bench", Args: "[flags]", About: about,
		Flags: c.flags, Check: c.check, Run: c.run,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	c.server.Flags(fs)
	fs.StringVar(&c.subject, "subject", "", "`subject` to use; without it one that nobody else has")
	fs.IntVar(&c.pubs, "pubs", 1, "`publishers`")
	fs.IntVar(&c.subs, "subs", 1, "`subscribers`, each of which gets all messages")
	fs.IntVar(&c.size, "size", 128, "`bytes` of payload")
	fs.IntVar(&c.msgs, "msgs", 500_000, "`messages`, of all publishers together")
	fs.BoolVar(&c.atLeastOnce, "at-least-once", false, "keep every message until the server has confirmed it")
	fs.BoolVar(&c.plain, "plain", false, "a line a second instead of a progress bar (always so without a terminal)")
	fs.StringVar(&c.csv, "csv", "", "`file` for the results as comma-separated values")
	fs.StringVar(&c.svg, "svg", "", "`file` for a plot of the rates over time")
}

func (c *config) check(args []string) error {
	switch {
	case len(args) > 0:
		return cli.NoArgs(args)
	case c.pubs < 0 || c.subs < 0:
		return fmt.Errorf("-pubs %d -subs %d: must be 0 or more", c.pubs, c.subs)
	case c.pubs == 0 && c.subs == 0:
		return errors.New("-pubs 0 -subs 0: there is nothing to do")
	case c.pubs == 0 && c.subject == "":
		return errors.New("-pubs 0: -subject is missing, on which somebody else publishes")
	case c.pubs == 0 && c.server.URL == "":
		return errors.New("-pubs 0: -server is missing, at which somebody else publishes")
	case c.msgs < max(1, c.pubs):
		return fmt.Errorf("-msgs %d: must be at least one for each publisher", c.msgs)
	case c.size < 0 || c.size > maxSize:
		return fmt.Errorf("-size %d: must be 0 to %d", c.size, maxSize)
	}
	return c.server.Check()
}

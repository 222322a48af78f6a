// Outage-lab shows what becomes of messages in an outage that you make with keys.
//
// It publishes at a steady rate, through a proxy, to a server in this process, and
// subscribes directly at the server. Cut the connection, stop the server or swallow
// what is sent, and see the client's buffer fill and empty, and what arrives.
//
//	go run ./examples/outage-lab
//	go run ./examples/outage-lab -mode at-least-once -rate 20000 -buf-bytes 200000 -overflow drop-oldest
//	go run ./examples/outage-lab -plain -script "1s stop; 3s start" -svg outage.svg
//
// The exit status is 1 if more was lost than the client counted as in doubt, or if
// something was lost at least once.
//
// view.go draws, screen.go has the terminal, keys.go says what keys do.
package main

import (
	"errors"
	"flag"
	"fmt"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
	"github.com/natsring/nats.go/internal/outagelab"
)

func main() { program().Main() }

const about = `Publishes through a proxy to a server in this process, and shows what an outage does to
it. On a terminal the keys make the outage:

  c cut        b black hole   h half-close   t throttle   r refuse new connections
  s stop or start the server  + - change the rate         q quit

With -script it needs no terminal. The steps have a time since the start and one of:
cut, half-close, blackhole, throttle, refuse, no-blackhole, no-throttle, no-refuse,
stop, start, heal (which ends all faults that last).`

// The modes.
const (
	modeDefault     = "default"
	modeAtLeastOnce = "at-least-once"
)

const (
	// afterScript is how long a run goes on behind its last step.
	afterScript = 2 * time.Second
	// endPatience is how long the end may wait for what is still on its way.
	endPatience = 20 * time.Second

	maxRate = 1_000_000
	maxSize = 1 << 20 // what a server takes unless it is told otherwise
)

// A config is the command line.
type config struct {
	mode     string
	rate     int
	size     int
	bufBytes int
	bufMsgs  int
	overflow nats.OverflowPolicy
	throttle int64
	duration time.Duration
	plain    bool
	svg      string

	text   string // of the script
	script outagelab.Script
}

func program() cli.Program {
	c := new(config)
	return cli.Program{
		Name: "outage-lab", Args: "[flags]", About: about,
		Flags: c.flags, Check: c.check, Run: c.run,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.mode, "mode", modeDefault, "`mode` of the client, "+modeDefault+" or "+modeAtLeastOnce)
	fs.IntVar(&c.rate, "rate", 5000, "`messages` per second at first")
	fs.IntVar(&c.size, "size", 128, fmt.Sprintf("`bytes` of payload, %d to %d", outagelab.MinSize, maxSize))
	fs.IntVar(&c.bufBytes, "buf-bytes", 1<<20, "`bytes` of the reconnect buffer")
	fs.IntVar(&c.bufMsgs, "buf-msgs", 0, "`messages` of the reconnect buffer, beside -buf-bytes; 0: no limit in messages")
	cli.Overflow(fs, &c.overflow)
	fs.Int64Var(&c.throttle, "throttle", 100_000, "`bytes` per second that get through while throttled")
	fs.StringVar(&c.text, "script", "", "`steps` like \"2s cut; 3s stop; 5s start\" instead of keys, or beside them")
	fs.DurationVar(&c.duration, "for", 0, "how `long` to publish; 0: until q, or 2s behind the last step")
	fs.BoolVar(&c.plain, "plain", false, "lines instead of the live view (always so without a terminal); wants -script or -for")
	fs.StringVar(&c.svg, "svg", "", "`file` for a plot of the run")
}

func (c *config) check(args []string) error {
	switch {
	case len(args) > 0:
		return cli.NoArgs(args)
	case c.mode != modeDefault && c.mode != modeAtLeastOnce:
		return fmt.Errorf("-mode %s: must be %s or %s", c.mode, modeDefault, modeAtLeastOnce)
	case c.rate < 1 || c.rate > maxRate:
		return fmt.Errorf("-rate %d: must be 1 to %d", c.rate, maxRate)
	case c.size < outagelab.MinSize || c.size > maxSize:
		return fmt.Errorf("-size %d: must be %d to %d", c.size, outagelab.MinSize, maxSize)
	case c.bufBytes < 1:
		return fmt.Errorf("-buf-bytes %d: must be at least 1", c.bufBytes)
	case c.bufMsgs < 0:
		return fmt.Errorf("-buf-msgs %d: must be 0 (no limit) or more", c.bufMsgs)
	case c.throttle < 1:
		return fmt.Errorf("-throttle %d: must be at least 1", c.throttle)
	case c.duration < 0:
		return fmt.Errorf("-for %v: must be 0 or more", c.duration)
	}
	if c.text != "" {
		var err error
		if c.script, err = outagelab.ParseScript(c.text); err != nil {
			return fmt.Errorf("-script: %w", err)
		}
		if c.duration == 0 {
			c.duration = c.script[len(c.script)-1].At + afterScript
		}
	}
	if c.plain && c.duration == 0 {
		return errNeverEnds
	}
	return nil
}

var errNeverEnds = errors.New("without a terminal nobody can press a key: -script or -for is missing")

// options are those of the client.
func (c *config) options() []nats.Option {
	opts := []nats.Option{
		nats.ReconnectBufSize(c.bufBytes), nats.ReconnectBufMsgs(c.bufMsgs), nats.ReconnectBufOverflow(c.overflow),
	}
	if c.mode == modeAtLeastOnce {
		opts = append(opts, nats.AtLeastOnce())
	}
	return opts
}

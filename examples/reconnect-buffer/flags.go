package main

import (
	"flag"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
)

const (
	// upTime is how long the embedded server stays up between outages.
	upTime = 2 * time.Second
	// endPatience is how long the end of a run may wait for a server.
	endPatience = 10 * time.Second

	maxRate = 10_000_000
	maxSize = 1 << 20 // what a server takes unless it is told otherwise
)

// parseFlags makes a config of the command line. Errors have been printed to out
// with the usage when it returns; flag.ErrHelp means that help was asked for.
func parseFlags(args []string, out io.Writer) (config, error) {
	c := config{up: upTime, patience: endPatience}
	plain := false
	fs := flag.NewFlagSet("reconnect-buffer", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.StringVar(&c.url, "url", "", "nats:// `URL` of a server of yours, which you take down and bring back; without it one runs in this process")
	fs.IntVar(&c.rate, "rate", 5000, "`messages` per second")
	fs.IntVar(&c.size, "size", 128, fmt.Sprintf("`bytes` of payload, %d to %d", digits, maxSize))
	fs.DurationVar(&c.duration, "for", 15*time.Second, "how long to publish")
	fs.DurationVar(&c.down, "outage", time.Second, "how long the server stays down each time")
	fs.IntVar(&c.bufBytes, "buf-bytes", nats.DefaultReconnectBufSize, "`bytes` of the reconnect buffer; -1: off")
	fs.IntVar(&c.bufMsgs, "buf-msgs", 0, "`messages` of the reconnect buffer, beside -buf-bytes; 0: no limit in messages")
	cli.Overflow(fs, &c.overflow)
	fs.DurationVar(&c.maxAge, "max-age", 0, "how long a message may be buffered before it is given up; 0: no limit")
	fs.IntVar(&c.replayRate, "replay-rate", 0, "`bytes` per second at which what was buffered is sent; 0: as fast as it goes")
	fs.BoolVar(&c.atLeastOnce, "at-least-once", false, "keep messages until the server has confirmed them, and send them again until it has")
	fs.BoolVar(&plain, "plain", false, "no live line, one line a second instead (always so if the output is no terminal)")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	outageSet := false
	fs.Visit(func(f *flag.Flag) { outageSet = outageSet || f.Name == "outage" })
	if err := c.check(fs.Args(), outageSet); err != nil {
		fmt.Fprintf(out, "reconnect-buffer: %v\n", err)
		return c, err
	}
	c.live = !plain
	// A short run gets an outage too.
	c.up = min(c.up, c.duration/3)
	return c, nil
}

// check returns what is wrong with a command line.
func (c *config) check(rest []string, outageSet bool) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("unexpected argument %q", rest[0])
	case c.rate < 1 || c.rate > maxRate:
		return fmt.Errorf("-rate %d: must be 1 to %d", c.rate, maxRate)
	case c.size < digits || c.size > maxSize:
		return fmt.Errorf("-size %d: must be %d to %d", c.size, digits, maxSize)
	case c.duration <= 0:
		return fmt.Errorf("-for %v: must be more than 0", c.duration)
	case c.down <= 0:
		return fmt.Errorf("-outage %v: must be more than 0", c.down)
	case c.bufBytes < 1 && c.bufBytes != -1:
		return fmt.Errorf("-buf-bytes %d: must be -1 (off) or at least 1", c.bufBytes)
	case c.bufMsgs < 0:
		return fmt.Errorf("-buf-msgs %d: must be 0 (no limit) or more", c.bufMsgs)
	case c.overflow != nats.OverflowReject && c.bufBytes == -1:
		return fmt.Errorf("-overflow %s has no meaning with -buf-bytes -1: without a buffer all is rejected", cli.OverflowName(c.overflow))
	case c.atLeastOnce && c.bufBytes == -1:
		return fmt.Errorf("-at-least-once has no meaning with -buf-bytes -1: what is unconfirmed is kept in the buffer")
	case c.maxAge < 0:
		return fmt.Errorf("-max-age %v: must be 0 (no limit) or more", c.maxAge)
	case c.replayRate < 0:
		return fmt.Errorf("-replay-rate %d: must be 0 (no bound) or more", c.replayRate)
	case c.url == "":
		return nil
	case outageSet:
		return fmt.Errorf("-outage has no meaning with -url: the server is yours to take down")
	}
	return checkURL(c.url)
}

// checkURL refuses what the accounting cannot follow: it has to read the stream,
// so no encryption and no framing, and to know which server the subscriber is on,
// so one server only.
func checkURL(s string) error {
	if strings.Contains(s, ",") {
		return fmt.Errorf("-url: one server only")
	}
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Errorf("-url: %w", err)
	}
	if u.Scheme != "nats" || u.Host == "" {
		return fmt.Errorf("-url %s: must be like nats://host:4222", u.Redacted())
	}
	return nil
}

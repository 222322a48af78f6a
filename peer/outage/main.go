// Outage puts this client, by default and with AtLeastOnce, and the incumbent through
// the same outages, one after the other, and draws what each has accepted, buffered,
// delivered and lost.
//
//	go run ./outage                      # in peer; writes ../docs/outage.svg
//	go run ./outage -script "1s blackhole; 4s heal" -for 6s -svg /tmp/hole.svg
//
// Each client has a server and a proxy of its own and publishes to a subscriber that is
// directly at the server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"time"

	ring "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/outagelab"
	"github.com/natsring/nats.go/internal/svgplot"
)

const (
	// defaultScript has a server that goes and comes back, cuts, a network without a
	// route, and a server that is lost in the middle of a slow catching up.
	defaultScript = "1s cut; 2s stop; 4s start; 5.5s blackhole; 8s no-blackhole; 9.5s stop; 10.5s throttle; 11s start; 11.3s cut; 12s heal"
	// patience is how long the end may take for each client.
	patience = 30 * time.Second
	// each is the time between two points of a line.
	each = 40 * time.Millisecond
)

// clients are what is compared.
var clients = []struct {
	name string
	dial outagelab.Dial
}{
	{"this client, default", outagelab.Ours()},
	{"this client, AtLeastOnce", outagelab.Ours(ring.AtLeastOnce())},
	{"the incumbent", dialIncumbent},
}

// A config is the command line.
type config struct {
	script   outagelab.Script
	duration time.Duration
	rate     int
	size     int
	throttle int64
	svg      string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = c.run(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "outage:", err)
		os.Exit(1)
	}
}

func parse(args []string, out io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("outage", flag.ContinueOnError)
	fs.SetOutput(out)
	script := fs.String("script", defaultScript, "what is done and when: `steps` of a time and an action")
	fs.DurationVar(&c.duration, "for", 14*time.Second, "how long to publish")
	fs.IntVar(&c.rate, "rate", 5000, "`messages` per second")
	fs.IntVar(&c.size, "size", 128, "`bytes` of payload")
	fs.Int64Var(&c.throttle, "throttle", 200_000, "`bytes` per second that get through while throttled")
	fs.StringVar(&c.svg, "svg", "../docs/outage.svg", "`file` for the plot")
	if err := fs.Parse(args); err != nil {
		return c, err
	}
	switch {
	case fs.NArg() > 0:
		return c, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case c.rate < 1 || c.size < outagelab.MinSize || c.throttle < 1 || c.duration <= 0:
		return c, fmt.Errorf("-rate, -throttle and -for must be positive, -size %d at least", outagelab.MinSize)
	}
	var err error
	c.script, err = outagelab.ParseScript(*script)
	return c, err
}

// run puts all clients through the script and writes the plot.
func (c *config) run(ctx context.Context, out io.Writer) error {
	fig := svgplot.Figure{
		Title: fmt.Sprintf("%d messages a second through the same outages", c.rate),
		Width: 980, PanelHeight: 300, SameAxes: true,
	}
	for _, client := range clients {
		samples, err := c.measure(ctx, client.dial)
		if err != nil {
			return fmt.Errorf("%s: %w", client.name, err)
		}
		end := samples[len(samples)-1]
		fmt.Fprintf(out, "%-26s accepted %7d  refused %6d  delivered %7d  repeated %6d  lost %6d  done after %v\n",
			client.name, end.Accepted, end.Refused, end.Delivered, end.Repeated, end.Lost, end.At.Round(10*time.Millisecond))
		fig.Panels = append(fig.Panels, outagelab.Panel(client.name, samples, c.script))
	}
	file, err := os.Create(c.svg)
	if err != nil {
		return err
	}
	return errors.Join(fig.Write(file), file.Close())
}

// measure puts one client through the script. The last sample is how it ended.
func (c *config) measure(ctx context.Context, dial outagelab.Dial) (samples []outagelab.Sample, err error) {
	lab, err := outagelab.New(outagelab.Config{Rate: c.rate, Size: c.size, Throttle: c.throttle, Dial: dial})
	if err != nil {
		return nil, err
	}
	defer lab.Close()
	watch, unwatch := context.WithCancel(ctx)
	var watching sync.WaitGroup
	// Ends with watch.
	watching.Go(func() { lab.Watch(watch, each, func(s outagelab.Sample) { samples = append(samples, s) }) })
	err = c.act(ctx, lab)
	if err == nil {
		end, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		err = lab.Finish(end)
	}
	unwatch()
	watching.Wait()
	return append(samples, lab.Sample(err == nil)), err
}

// act publishes for the configured time while the script is played.
func (c *config) act(ctx context.Context, lab *outagelab.Lab) error {
	ctx, cancel := context.WithTimeout(ctx, c.duration)
	defer cancel()
	var published error
	var work sync.WaitGroup
	// Ends with ctx, or when the connection is closed for good.
	work.Go(func() { published = lab.Publish(ctx) })
	played := lab.Play(ctx, c.script)
	work.Wait()
	return errors.Join(played, published)
}

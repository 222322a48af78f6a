package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/natsring/nats.go/examples/internal/cli"
	"github.com/natsring/nats.go/examples/internal/human"
	"github.com/natsring/nats.go/examples/internal/terminal"
	"github.com/natsring/nats.go/internal/outagelab"
	"github.com/natsring/nats.go/internal/svgplot"
)

// each is the time between two samples.
const each = 50 * time.Millisecond

// A job is everything that a run has going.
type job struct {
	*config
	lab    *outagelab.Lab
	events *events
	// quit ends the publishing, and once that is over the wait for the rest.
	quit    chan struct{}
	samples []outagelab.Sample // of the goroutine that watches
}

func (c *config) run(ctx context.Context, std cli.Std) error {
	live := !c.plain && terminal.Is(std.In) && terminal.Is(std.Out)
	if !live && c.duration == 0 {
		return errNeverEnds
	}
	// Two quits need not wait for anybody.
	j := &job{config: c, events: newEvents(), quit: make(chan struct{}, 2)}
	last, err := j.play(ctx, std, live)
	if err != nil {
		return err
	}
	report(std.Out, last)
	if c.svg != "" {
		if err := j.plot(); err != nil {
			return err
		}
	}
	return c.verdict(last)
}

// play runs the lab to its end and returns how it ended. The terminal is as before then.
func (j *job) play(ctx context.Context, std cli.Std, live bool) (last outagelab.Sample, err error) {
	display := terminal.NewDisplay(std.Out, false)
	if !live {
		j.events.print = display.Event
	}
	j.lab, err = outagelab.New(outagelab.Config{
		Rate: j.rate, Size: j.size, Throttle: j.throttle, Dial: outagelab.Ours(j.options()...), Event: j.events.add,
	})
	if err != nil {
		return last, err
	}
	defer j.lab.Close()
	if live {
		s, err := openScreen(std)
		if err != nil {
			return last, err
		}
		defer s.close()
		defer j.show(s)()
		go j.keys(std.In) // ends with the input, at the latest with the process
	} else {
		defer display.Show(j.line)()
	}
	defer j.watch(ctx, &last)()
	if err := j.publish(ctx); err != nil {
		return last, err
	}
	return last, j.finish(ctx)
}

// publish publishes until the time is over, the context ends, or somebody quits, and
// plays the script meanwhile.
func (j *job) publish(ctx context.Context) error {
	ctx, cancel := j.until(ctx, j.duration)
	defer cancel()
	var published, played error
	var work sync.WaitGroup
	// Owned here: each ends with the context, or ends it with its error.
	work.Go(func() { defer cancel(); published = j.lab.Publish(ctx) })
	work.Go(func() {
		if played = j.lab.Play(ctx, j.script); played != nil {
			cancel()
		}
	})
	work.Wait()
	return errors.Join(played, published)
}

// finish waits until all is where it goes. A Ctrl-C that ended the publishing does not
// end this, but a further quit does.
func (j *job) finish(ctx context.Context) error {
	j.events.add("lab: publishing is over, waiting for the rest")
	ctx, cancel := j.until(context.WithoutCancel(ctx), endPatience)
	defer cancel()
	if err := j.lab.Finish(ctx); err != nil {
		return fmt.Errorf("the end was not waited for: %w", err)
	}
	return nil
}

// until returns a context that ends after d, if that is not 0, or when somebody quits.
func (j *job) until(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	var cancel context.CancelFunc
	if d > 0 {
		ctx, cancel = context.WithTimeout(ctx, d)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	// Ends with the context.
	go func() {
		select {
		case <-j.quit:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// watch takes samples until the returned function is called, which takes the last.
func (j *job) watch(ctx context.Context, last *outagelab.Sample) (end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var watching sync.WaitGroup
	if j.svg != "" {
		// Ends when end is called, which waits for it.
		watching.Go(func() { j.lab.Watch(ctx, each, func(s outagelab.Sample) { j.samples = append(j.samples, s) }) })
	}
	return func() {
		cancel()
		watching.Wait()
		*last = j.lab.Sample(true)
		j.samples = append(j.samples, *last)
	}
}

// line is the state in one line.
func (j *job) line() string {
	s := j.lab.Sample(false)
	text := fmt.Sprintf("%-12s accepted %s  buffered %s (%s)  delivered %s", s.Status,
		human.Commas(s.Accepted), human.Commas(s.Msgs), human.Size(s.Bytes), human.Commas(s.Delivered))
	for _, extra := range counters(s)[3:] {
		if extra.n > 0 {
			text += fmt.Sprintf("  %s %s", extra.name, human.Commas(extra.n))
		}
	}
	return text
}

func (j *job) plot() error {
	file, err := os.Create(j.svg)
	if err != nil {
		return err
	}
	fig := svgplot.Figure{Panels: []svgplot.Panel{outagelab.Panel("mode "+j.mode, j.samples, j.script)}}
	return errors.Join(fig.Write(file), file.Close())
}

// report prints how it ended.
func report(w io.Writer, s outagelab.Sample) {
	fmt.Fprintln(w)
	for _, c := range []counter{
		{"accepted", s.Accepted}, {"  delivered", s.Delivered}, {"  given up by the client", s.GivenUp},
		{"  lost", s.Lost}, {"refused", s.Refused}, {"repeated", s.Repeated}, {"in doubt, says the client", s.InDoubt},
	} {
		fmt.Fprintf(w, "%-28s %12s\n", c.name, human.Commas(c.n))
	}
}

// verdict is what the client must not have done.
func (c *config) verdict(s outagelab.Sample) error {
	switch {
	case c.mode == modeAtLeastOnce && s.Lost > 0:
		return fmt.Errorf("%d messages were lost, with -mode %s", s.Lost, modeAtLeastOnce)
	case s.Lost > s.InDoubt:
		return fmt.Errorf("%d messages were lost, but the client counts only %d as in doubt", s.Lost, s.InDoubt)
	}
	return nil
}

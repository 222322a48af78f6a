package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
	"github.com/natsring/nats.go/examples/internal/terminal"
	"github.com/natsring/nats.go/internal/testserver"
)

// A job is everything that a run has going.
type job struct {
	*config
	std        cli.Std
	publishers []*worker
	receivers  []*worker
	start      time.Time // of the publishing
}

func (c *config) run(ctx context.Context, std cli.Std) error {
	j := &job{config: c, std: std}
	if c.server.URL == "" {
		srv, err := c.serve()
		if err != nil {
			return err
		}
		defer func() { _ = srv.Close() }() // its files are temporary ones
		c.server.URL = srv.URL()
	}
	if c.subject == "" {
		c.subject = "bench." + strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix)
	}
	defer j.close()
	if err := j.connect(); err != nil {
		return err
	}
	rates, err := j.measure(ctx)
	if err != nil {
		return err
	}
	j.report(std.Out)
	return errors.Join(j.writeCSV(), j.writeSVG(rates), j.missing())
}

// serve starts a server that never takes a subscriber for too slow: what is measured
// is how fast it gets its messages.
func (c *config) serve() (*testserver.Server, error) {
	text := fmt.Sprintf("max_pending: %d\nmax_payload: %d\nwrite_deadline: \"60s\"\n", 4<<30, max(c.size, 1<<20))
	srv, err := testserver.New(testserver.Config{Text: text})
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	return srv, nil
}

// connect makes all connections, those of the subscribers first.
func (j *job) connect() error {
	for i := range j.subs {
		w, err := j.newReceiver(i + 1)
		if err != nil {
			return fmt.Errorf("subscriber %d: %w", i+1, err)
		}
		j.receivers = append(j.receivers, w)
	}
	for i := range j.pubs {
		w, err := j.newPublisher(i + 1)
		if err != nil {
			return fmt.Errorf("publisher %d: %w", i+1, err)
		}
		j.publishers = append(j.publishers, w)
	}
	return nil
}

func (j *job) close() {
	for _, w := range append(j.publishers, j.receivers...) {
		w.nc.Close()
	}
}

// measure lets all of them work to their end and returns the rates over time.
func (j *job) measure(ctx context.Context) (*series, error) {
	live := !j.plain && terminal.Is(j.std.Err)
	display := terminal.NewDisplay(j.std.Err, live)
	rates := newSeries(j)
	j.start = time.Now()
	defer display.Show(j.progress(live))()
	defer rates.watch()()
	err := all(j.publishers, func(w *worker) error { return w.publish(ctx, j) })
	if err != nil {
		return nil, err
	}
	return rates, all(j.receivers, func(w *worker) error { return w.receive(ctx, j) })
}

// all has every worker do something at the same time, and waits for them.
func all(workers []*worker, do func(*worker) error) error {
	errs := make([]error, len(workers))
	var working sync.WaitGroup
	for i, w := range workers {
		// Owned here: ends with its work or with the context.
		working.Go(func() {
			if err := do(w); err != nil {
				errs[i] = fmt.Errorf("%s: %w", w.name, err)
			}
		})
	}
	working.Wait()
	return errors.Join(errs...)
}

// missing says what did not arrive, or need not have.
func (j *job) missing() error {
	var errs []error
	for _, w := range j.receivers {
		if n := int64(w.want) - w.done.Load(); n > 0 {
			errs = append(errs, fmt.Errorf("%s: %d messages did not arrive", w.name, n))
		}
	}
	for _, w := range j.publishers {
		if n := w.nc.BufferStats().InDoubt; n > 0 {
			errs = append(errs, fmt.Errorf("%s: %d messages may not have reached the server, because it was lost", w.name, n))
		}
	}
	return errors.Join(errs...)
}

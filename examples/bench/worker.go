package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
)

// A worker is one publisher or subscriber.
type worker struct {
	name string
	nc   *cli.Conn
	want int          // messages it is to publish or to get
	done atomic.Int64 // messages it has

	// Of the goroutine that works, until all have ended.
	start, end time.Time
	all        chan struct{} // closed when a subscriber has what it wants
}

// took is how long it has worked.
func (w *worker) took() time.Duration { return w.end.Sub(w.start) }

// newPublisher connects the n-th publisher. The last ones publish one message less
// where the number cannot be divided.
func (j *job) newPublisher(n int) (*worker, error) {
	// What is full makes it wait: a benchmark has nobody to tell.
	opts := []nats.Option{nats.ReconnectBufOverflow(nats.OverflowBlock)}
	if j.atLeastOnce {
		opts = append(opts, nats.AtLeastOnce())
	}
	nc, err := j.server.Connect(j.std.Err, opts...)
	if err != nil {
		return nil, err
	}
	w := &worker{name: fmt.Sprintf("pub %d", n), nc: nc, want: j.msgs / j.pubs}
	if n <= j.msgs%j.pubs {
		w.want++
	}
	return w, nil
}

// publish publishes what the worker wants and waits until the server has it.
func (w *worker) publish(ctx context.Context, j *job) error {
	data := make([]byte, j.size)
	w.start = time.Now()
	for range w.want {
		if err := w.nc.PublishWithContext(ctx, j.subject, data); err != nil {
			return interrupted(ctx, err)
		}
		w.done.Add(1)
	}
	err := w.flush(ctx)
	w.end = time.Now()
	return err
}

// flush waits until the server has answered, over any number of outages.
func (w *worker) flush(ctx context.Context) error {
	// A flush insists on a deadline; what ends this one is the context.
	ctx, cancel := context.WithTimeout(ctx, 24*time.Hour)
	defer cancel()
	for {
		err := w.nc.FlushWithContext(ctx)
		if err == nil || w.nc.IsClosed() || ctx.Err() != nil {
			return interrupted(ctx, err)
		}
	}
}

// newReceiver connects and subscribes the n-th subscriber.
func (j *job) newReceiver(n int) (*worker, error) {
	nc, err := j.server.Connect(j.std.Err)
	if err != nil {
		return nil, err
	}
	w := &worker{name: fmt.Sprintf("sub %d", n), nc: nc, want: j.msgs, all: make(chan struct{})}
	if err := w.subscribe(j.subject); err != nil {
		nc.Close()
		return nil, err
	}
	return w, nil
}

func (w *worker) subscribe(subject string) error {
	sub, err := w.nc.Subscribe(subject, func(*nats.Msg) {
		switch w.done.Add(1) {
		case 1:
			w.start = time.Now()
			if w.want > 1 {
				return
			}
			fallthrough
		case int64(w.want):
			w.end = time.Now()
			close(w.all)
		}
	})
	if err != nil {
		return err
	}
	// Nothing is to be dropped on this side.
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return err
	}
	return w.nc.Flush()
}

// receive waits for what the worker wants. Where the publishers are ours, all that the
// server had of theirs has come once it answers, and what is missing then is lost.
func (w *worker) receive(ctx context.Context, j *job) error {
	if j.pubs > 0 {
		if err := w.flush(ctx); err != nil {
			return err
		}
		handled := make(chan struct{})
		if err := w.nc.Barrier(func() { close(handled) }); err != nil {
			return err
		}
		select {
		case <-handled:
		case <-ctx.Done():
		}
		if w.done.Load() < int64(w.want) && ctx.Err() == nil {
			w.end = time.Now()
			if w.done.Load() == 0 {
				w.start = w.end
			}
			return nil
		}
	}
	select {
	case <-w.all:
		return nil
	case <-ctx.Done():
		return interrupted(ctx, ctx.Err())
	case <-w.nc.Done():
		return w.nc.Wait(ctx)
	}
}

// interrupted says so where that is why something failed.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

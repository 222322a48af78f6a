package main

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/human"
	"github.com/natsring/nats.go/examples/internal/terminal"
)

// errGarbled: the accounting rests on reading the publisher's stream.
var errGarbled = errors.New("the outgoing stream was not understood, so the report is not to be trusted")

// config is what the flags say.
type config struct {
	url      string        // a server of the user's own; "": an embedded one
	rate     int           // messages per second
	size     int           // bytes of payload
	duration time.Duration // of publishing
	up, down time.Duration // periods of the embedded server
	bufBytes int           // nats.ReconnectBufSize
	bufMsgs  int           // nats.ReconnectBufMsgs
	live     bool          // draw a live line

	overflow   nats.OverflowPolicy
	maxAge     time.Duration // nats.ReconnectBufMaxAge
	replayRate int           // nats.ReconnectReplayRate

	atLeastOnce bool // nats.AtLeastOnce

	patience time.Duration // how long the end may wait for a server
}

// A job is everything that a run has going.
type job struct {
	config
	ledger   *ledger
	timeline *timeline
	display  *terminal.Display
	tap      *tap
	keeper   *keeper // nil if the server is the user's
	pub      *publisher
	sub      *subscriber
}

// run publishes for the configured time, or until the context ends, and returns
// the report. An error means that there is none, or none to be trusted.
func run(ctx context.Context, c config, out io.Writer) (*report, error) {
	j := &job{config: c, ledger: newLedger(), timeline: new(timeline), display: terminal.NewDisplay(out, c.live)}
	j.ledger.keeps = c.atLeastOnce
	url := c.url
	if url == "" {
		srv, err := startServer()
		if err != nil {
			return nil, err
		}
		defer srv.Close()
		url = srv.URL()
		j.keeper = &keeper{srv: srv, timeline: j.timeline, display: j.display, up: c.up, down: c.down}
	}
	if err := j.connect(ctx, url); err != nil {
		return nil, err
	}
	defer j.sub.nc.Close()
	defer j.pub.nc.Close()
	defer j.display.Show(j.lines())()

	j.display.Event("publishing %s messages a second of %s to %s", human.Commas(c.rate), human.Size(c.size), url)
	start := time.Now()
	err := j.publish(ctx)
	r := j.finish()
	r.took = time.Since(start)
	if err == nil && r.garbled > 0 {
		err = errGarbled
	}
	return r, err
}

// connect makes the two connections, the subscriber's first.
func (j *job) connect(ctx context.Context, url string) (err error) {
	// A subject of its own keeps two runs on one server apart.
	id := strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix)
	lay := newLayout("reconnect-buffer."+id, j.size)
	if j.sub, err = newSubscriber(ctx, url, lay, j.ledger, j.display); err != nil {
		return err
	}
	j.tap = &tap{layout: lay, ledger: j.ledger, timeline: j.timeline, ready: j.sub.ready, keeps: j.atLeastOnce}
	if j.pub, err = newPublisher(url, &j.config, j.tap, j.display); err != nil {
		j.sub.nc.Close()
		return err
	}
	closed := j.pub.nc.IsClosed
	j.tap.closed.Store(&closed)
	return nil
}

// publish publishes while the server goes up and down, and returns when that has
// ended, with the server up if it is ours.
func (j *job) publish(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, j.duration)
	defer cancel()
	var kept, published error
	var both sync.WaitGroup
	if j.keeper != nil {
		// Owned here: ends with the context, or ends it if a start fails.
		both.Go(func() {
			defer cancel()
			kept = j.keeper.run(ctx)
		})
	}
	// Owned here: ends with the context, even while Publish waits, or ends it
	// when the connection is closed.
	both.Go(func() {
		defer cancel()
		published = j.pub.run(ctx)
	})
	<-ctx.Done()
	j.display.Event("publishing is over, waiting up to %v for the rest", j.patience)
	both.Wait()
	return errors.Join(kept, published)
}

// finish waits until everything that was accepted is delivered, or no server has
// been there for the configured patience, and makes the report.
func (j *job) finish() *report {
	ctx, cancel := context.WithTimeout(context.Background(), j.patience)
	defer cancel()
	r := &report{embedded: j.keeper != nil, paced: j.replayRate > 0, blocked: &j.pub.blocked}
	// Behind it the tap has seen the last write return, which may be later than
	// the answer to what was written, and the handlers have told everything.
	r.ending = j.pub.shutdown(ctx)
	r.settled = r.ending.confirmed() && j.sub.settle(ctx) == nil
	r.ended = time.Now()
	j.sub.nc.Close()
	r.outages = j.timeline.outages()
	r.tally = j.ledger.tally(r.settled)
	r.figures = &figures{
		BufferStats: j.pub.nc.BufferStats(), out: j.pub.nc.Stats().OutMsgs,
		frame: j.pub.layout.frame, overflow: j.overflow,
	}
	r.mismatches = append(r.ending.check(j.pub.layout, &r.tally), r.figures.check(&r.tally, r.settled)...)
	return r
}

package outagelab

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

const (
	// pace is how often the publisher looks how many messages are due.
	pace = time.Millisecond
	// mostDue bounds what a publisher that had to wait makes up for.
	mostDue = 100 * time.Millisecond
	// startPatience is how long the subscriber may take to come back to a server.
	startPatience = 20 * time.Second
)

// Publish publishes at the rate until the context ends, or the connection is closed for
// good, which is an error. It pays no attention to outages. Only one call at a time.
func (l *Lab) Publish(ctx context.Context) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	data := make([]byte, max(l.cfg.Size, MinSize))
	due, last := 0.0, time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, rate := time.Now(), float64(l.Rate())
		due = min(due+rate*now.Sub(last).Seconds(), max(1, rate*mostDue.Seconds()))
		last = now
		for ; due >= 1 && ctx.Err() == nil; due-- {
			if err := l.publish(ctx, data); err != nil && l.client.Closed() {
				return err
			}
		}
	}
}

// publish publishes the next number. One that the end of the context has cut off was
// not accepted, and not refused either.
func (l *Lab) publish(ctx context.Context, data []byte) error {
	binary.BigEndian.PutUint64(data, uint64(l.ledger.next()))
	err := l.client.Publish(ctx, data)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	l.ledger.accept(err)
	return err
}

// next is the number that comes next.
func (l *ledger) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted
}

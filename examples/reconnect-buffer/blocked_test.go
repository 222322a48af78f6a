package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/testserver"
)

// begunAgo is a call that began some time ago.
func (b *blocked) begunAgo(d time.Duration) {
	b.base = time.Now().Add(-time.Hour)
	b.since.Store(int64(time.Hour - d))
}

func TestBlockedCountsLongCalls(t *testing.T) {
	t.Parallel()
	var b blocked
	assert.Zero(t, b.now())
	b.end()
	assert.Zero(t, b.calls)

	b.begunAgo(2 * time.Second)
	assert.InDelta(t, 2, b.now().Seconds(), 1)
	b.end()
	assert.Zero(t, b.now())
	b.begunAgo(5 * time.Second)
	b.end()
	assert.Equal(t, 2, b.calls)
	assert.InDelta(t, 7, b.total.Seconds(), 1)
	assert.InDelta(t, 5, b.longest.Seconds(), 1)

	b.base = time.Now().Add(time.Hour) // nothing takes long before its time
	b.begin()
	b.end()
	assert.Equal(t, 2, b.calls)
}

// The end of a run is the end of a Publish that waits for room.
func TestBlockedPublisherEndsWithTheRun(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	c := testConfig()
	c.bufMsgs, c.overflow = 50, nats.OverflowBlock
	j := newPair(t, srv.URL(), c)
	srv.Stop()
	soon(t, j.pub.nc.IsReconnecting, "the loss is noticed")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	// Ends with the context, and is waited for below.
	go func() { done <- j.pub.run(ctx) }()
	soon(t, func() bool { return j.pub.blocked.now() > 0 }, "Publish waits")
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(waitLimit):
		require.Fail(t, "it hangs")
	}
	got := j.ledger.tally(false)
	assert.Equal(t, 50, got.accepted)
	assert.Equal(t, 1, got.cut, "the one that waited")
	assert.Empty(t, got.refused)
	assert.Equal(t, 1, j.pub.blocked.calls)
}

func TestRunThatBlocks(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.bufMsgs, c.overflow = 50, nats.OverflowBlock
	c.duration, c.up, c.down = 800*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
	out := new(clitest.Buffer)
	r, err := run(context.Background(), c, out)
	require.NoError(t, err, out)
	whole(t, r, out.String())
	assert.Empty(t, r.refused)
	assert.Positive(t, r.blocked.calls)
	assert.Contains(t, r.String(), "blocked in Publish")
}

// A paced replay takes its time, and Publish does not wait for it.
func TestRunWithAPacedReplay(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.replayRate = 200_000
	c.duration, c.up, c.down = 800*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
	out := new(clitest.Buffer)
	r, err := run(context.Background(), c, out)
	require.NoError(t, err, out)
	whole(t, r, out.String())
	assert.True(t, r.paced)
	frame := r.figures.frame
	least := time.Duration(r.outages[0].backlog*frame) * time.Second / time.Duration(2*c.replayRate)
	assert.Greater(t, r.outages[0].drain(), least)
	assert.Greater(t, least, 50*time.Millisecond)
}

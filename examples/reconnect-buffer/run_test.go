package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/testserver"
)

func testConfig() config {
	return config{
		rate: 2000, size: 64, duration: 3 * time.Second,
		up: 900 * time.Millisecond, down: 400 * time.Millisecond,
		bufBytes: nats.DefaultReconnectBufSize, patience: waitLimit,
	}
}

// whole checks what must be true of every run that ended with a server.
func whole(t *testing.T, r *report, out string) {
	t.Helper()
	assert.True(t, r.settled, out)
	assert.Zero(t, r.kept, out)
	assert.Zero(t, r.beyond, out)
	assert.Zero(t, r.repeated, out)
	assert.Zero(t, r.disorder, out)
	assert.Zero(t, r.phantoms, out)
	assert.Zero(t, r.damaged, out)
	assert.Zero(t, r.garbled, out)
	assert.False(t, r.untrue(), out)
	assert.Empty(t, r.mismatches, out)
	assert.Empty(t, r.figures.check(&r.tally, true), out)
	given := 0
	for why, n := range r.givenUp {
		given += n
		assert.Equal(t, n, r.told[why], out)
	}
	assert.Equal(t, r.accepted, r.delivered+r.inDoubt+given, out)
	assert.Zero(t, r.code(), out)
}

func TestWholeRun(t *testing.T) {
	t.Parallel()
	out := new(clitest.Buffer)
	r, err := run(context.Background(), testConfig(), out)
	require.NoError(t, err, out)
	whole(t, r, out.String())
	assert.Greater(t, r.accepted, 1000)
	assert.Empty(t, r.refused)
	require.NotEmpty(t, r.outages)
	assert.LessOrEqual(t, len(r.outages), 2)
	for i, o := range r.outages {
		assert.Equal(t, []string{"killed", "stopped"}[i], o.how)
		assert.True(t, o.over())
		assert.Positive(t, o.backlog)
		assert.Positive(t, o.drain())
		assert.Positive(t, o.away(r.ended))
	}
	assert.Contains(t, out.String(), "server: killed")
	assert.Contains(t, out.String(), "CONNECTED")
	assert.NotContains(t, out.String(), "\r", "no live line")
	r.write(out)
	assert.Contains(t, out.String(), "OK:")
}

func TestCommand(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := command(context.Background(), []string{"-for", "600ms", "-outage", "200ms", "-rate", "1000", "-size", "12"}, &out, &errs)
	assert.Zero(t, code, out.String()+errs.String())
	assert.Empty(t, errs.String())
	assert.Equal(t, "0", figure(t, out.String(), "never left the process"))
	assert.Contains(t, out.String(), "OK:")
}

// Without a buffer Publish refuses during outages, and what it refuses is not lost.
func TestBufferOff(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.bufBytes, c.duration, c.up, c.down = -1, 800*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
	out := new(clitest.Buffer)
	r, err := run(context.Background(), c, out)
	require.NoError(t, err, out)
	whole(t, r, out.String())
	assert.Positive(t, r.refused[nats.ErrReconnectBufExceeded.Error()])
	assert.Len(t, r.refused, 1)
}

func TestFullBuffer(t *testing.T) {
	t.Parallel()
	c := testConfig()
	lay := newLayout("reconnect-buffer."+strings.TrimPrefix(nats.NewInbox(), nats.InboxPrefix), c.size)
	c.bufBytes, c.duration, c.up, c.down = 100*lay.frame, 800*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
	out := new(clitest.Buffer)
	r, err := run(context.Background(), c, out)
	require.NoError(t, err, out)
	whole(t, r, out.String())
	assert.Positive(t, r.refused[nats.ErrReconnectBufExceeded.Error()])
	assert.GreaterOrEqual(t, r.outages[0].backlog, 100, "as many as fit, and what was unsent before")
}

func TestFullBufferInMessages(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.bufMsgs, c.duration, c.up, c.down = 50, 800*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond
	out := new(clitest.Buffer)
	r, err := run(context.Background(), c, out)
	require.NoError(t, err, out)
	whole(t, r, out.String())
	assert.Positive(t, r.refused[nats.ErrReconnectBufExceeded.Error()])
	assert.GreaterOrEqual(t, r.outages[0].backlog, 50)
}

// Ctrl-C in the middle of an outage: the server comes back and all is delivered.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.duration, c.up, c.down = time.Hour, 100*time.Millisecond, time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := new(clitest.Buffer)
	done := make(chan *report, 1)
	// Ends with the context, and is waited for below.
	go func() {
		r, err := run(ctx, c, out)
		assert.NoError(t, err)
		done <- r
	}()
	soon(t, func() bool { return strings.Contains(out.String(), "RECONNECTING") }, "a status line of the outage")
	cancel()
	r := <-done
	whole(t, r, out.String())
	require.Len(t, r.outages, 1)
	assert.Positive(t, r.outages[0].backlog)
}

func TestServerOfTheUsers(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	c := testConfig()
	c.url, c.duration = srv.URL(), time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := new(clitest.Buffer)
	done := make(chan *report, 1)
	// Ends with the context, and is waited for below.
	go func() {
		r, err := run(ctx, c, out)
		assert.NoError(t, err)
		done <- r
	}()
	soon(t, func() bool { return strings.Contains(out.String(), "publishing") }, "the connections")
	for i, down := range []func(){srv.Kill, srv.Stop} {
		soon(t, func() bool { return srv.NumClients() == 2 }, "both clients")
		down()
		require.NoError(t, srv.Start())
		soon(t, func() bool { return strings.Count(out.String(), "publisher: reconnected") > i }, "a reconnect")
	}
	cancel()
	r := <-done
	whole(t, r, out.String())
	assert.GreaterOrEqual(t, len(r.outages), 2)
	assert.Contains(t, r.String(), "server reached to buffer empty")
}

func TestNoServerInTheEnd(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	c := testConfig()
	c.url, c.duration, c.patience = srv.URL(), time.Hour, 50*time.Millisecond
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := new(clitest.Buffer)
	done := make(chan *report, 1)
	// Ends with the context, and is waited for below.
	go func() {
		r, err := run(ctx, c, out)
		assert.NoError(t, err)
		done <- r
	}()
	soon(t, func() bool { return strings.Contains(out.String(), "publishing") }, "the connections")
	srv.Kill()
	soon(t, func() bool { return strings.Contains(out.String(), "RECONNECTING") }, "a status line of the outage")
	cancel()
	r := <-done
	assert.False(t, r.settled)
	assert.Zero(t, r.kept)
	assert.Positive(t, r.givenUp[whyLeft])
	assert.Len(t, r.givenUp, 1)
	assert.Zero(t, r.code(), r.String())
	assert.Contains(t, r.String(), "INCOMPLETE:")
	assert.Contains(t, r.String(), "given up: left at the end")
	assert.Empty(t, r.mismatches)
	require.NotNil(t, r.ending.failure())
	assert.Len(t, r.ending.failure().Left, r.givenUp[whyLeft])
}

func TestNoServerAtAll(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	srv.Stop()
	var out, errs bytes.Buffer
	assert.Equal(t, 2, command(context.Background(), []string{"-url", srv.URL()}, &out, &errs))
	assert.Contains(t, errs.String(), "subscriber: nats: no servers available")
}

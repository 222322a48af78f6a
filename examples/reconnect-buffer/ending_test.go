package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

// handedBack is a Shutdown that handed some messages back.
func handedBack(lay *layout, err error, numbers ...int) ending {
	f := &nats.ShutdownError{Err: err}
	for _, n := range numbers {
		f.Left = append(f.Left, &nats.Msg{Subject: lay.subject, Data: lay.payload(nil, n)})
	}
	return ending{err: f}
}

func TestEndingIsCompared(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", 16)
	told := func(n int) *tally { return &tally{told: map[string]int{whyLeft: n, whyDropped: 9}} }
	for _, tc := range []struct {
		says string // "": all is well
		e    ending
		told int
	}{
		{"", ending{}, 0},
		{"", ending{err: nats.ErrConnectionClosed}, 0},
		{"", handedBack(lay, nil), 0},
		{"", handedBack(lay, context.DeadlineExceeded, 3, 4, 9), 3},
		{"handed back 2 messages, the UndeliveredHandler was told of 3", handedBack(lay, context.DeadlineExceeded, 3, 4), 3},
		{"handed back 0 messages", ending{}, 1},
		{"not in its order", handedBack(lay, context.DeadlineExceeded, 4, 3), 2},
		{"not in its order", handedBack(newLayout("s", 20), context.DeadlineExceeded, 3), 1},
		{"ClosedHandler was not called", ending{untold: true}, 0},
	} {
		got := tc.e.check(lay, told(tc.told))
		if tc.says == "" {
			assert.Empty(t, got)
			continue
		}
		require.Len(t, got, 1)
		assert.Contains(t, got[0], tc.says)
	}
}

func TestEndingConfirms(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", 16)
	e := ending{}
	assert.True(t, e.confirmed())
	e = handedBack(lay, nil)
	assert.True(t, e.confirmed(), "an outage on the way left something in doubt, the rest is there")
	e = handedBack(lay, context.DeadlineExceeded)
	assert.False(t, e.confirmed())
	e = ending{err: nats.ErrConnectionClosed}
	assert.False(t, e.confirmed())
}

func TestReportOfTheEnding(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	assert.NotContains(t, r.String(), "Shutdown")
	r.ending = handedBack(newLayout("s", 16), context.DeadlineExceeded, 1, 2)
	text := r.String()
	assert.Equal(t, "2", figure(t, text, "handed back by Shutdown"))
	assert.Contains(t, text, "beside 0 given up and 0 in doubt in that time: context deadline exceeded")
	r.ending = ending{err: errors.New("not open")}
	assert.Contains(t, r.String(), "Shutdown: not open")
}

// The server of the user comes back only while the program waits for it.
func TestServerComesBackInTheEnd(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	j := newPair(t, srv.URL(), testConfig())
	ctx := context.Background()
	require.NoError(t, j.pub.publish(ctx))
	require.NoError(t, persist(ctxFor(t), j.pub.nc))
	srv.Kill()
	soon(t, j.pub.nc.IsReconnecting, "the loss is noticed")
	for range 100 {
		require.NoError(t, j.pub.publish(ctx))
	}
	done := make(chan *report, 1)
	// Ends when there is a server, and is waited for below.
	go func() { done <- j.finish() }()
	draining := func() bool { return errors.Is(j.pub.publish(ctx), nats.ErrConnectionDraining) }
	soon(t, draining, "Shutdown waits")
	require.NoError(t, srv.Start())
	r := <-done
	whole(t, r, r.String())
	assert.NoError(t, r.ending.err)
	assert.GreaterOrEqual(t, r.delivered, 100)
	require.Len(t, r.outages, 1, "the outage is listed, the end of the connection is none")
	assert.True(t, r.outages[0].over())
}

// ctxFor is a context with the tests' patience.
func ctxFor(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	t.Cleanup(cancel)
	return ctx
}

package main

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// listen subscribes to a subject at a server.
func listen(t *testing.T, url, subject string) *nats.Subscription {
	nc, err := nats.Connect(url, nats.SyncQueueLen(1<<20))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	sub, err := nc.SubscribeSync(subject)
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return sub
}

func next(t *testing.T, sub *nats.Subscription) *nats.Msg {
	t.Helper()
	m, err := sub.NextMsg(20 * time.Second)
	require.NoError(t, err)
	return m
}

func TestPublishes(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	sub := listen(t, srv.URL(), "orders.*")
	status, r := clitest.Run(t, program(), "from outside\n", "-server", srv.URL(), "-header", "A:1", "-reply", "done",
		"-count", "2", "orders.new", "first", "-", "")
	require.Zero(t, status, r.Err.String())
	for range 2 {
		for _, want := range []string{"first", "from outside\n", ""} {
			m := next(t, sub)
			assert.Equal(t, "orders.new", m.Subject)
			assert.Equal(t, "done", m.Reply)
			assert.Equal(t, nats.Header{"A": {"1"}}, m.Header)
			assert.Equal(t, want, string(m.Data))
		}
	}
	waiting, _, err := sub.Pending()
	require.NoError(t, err)
	assert.Zero(t, waiting)
	assert.Contains(t, r.Err.String(), "published 6")
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	clitest.Refuses(t, program, []clitest.BadUse{
		{Says: "a subject is missing"},
		{Says: "a message is missing", Args: []string{"s"}},
		{Says: "-count 0", Args: []string{"-count", "0", "s", "m"}},
		{Says: "must be like key:value", Args: []string{"-header", "x", "s", "m"}},
		{Says: "-server", Args: []string{"-server", "", "s", "m"}},
	})
}

func TestSubjectThatIsNone(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	status, r := clitest.Run(t, program(), "", "-server", srv.URL(), "a b", "m")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), nats.ErrBadSubject.Error())
}

// Publishing, an outage in the middle, and nothing is lost.
func TestGoesOnThroughAnOutage(t *testing.T) {
	t.Parallel()
	const times = 20_000
	srv := testserver.Run(t)
	proxy := faultproxy.Run(t, srv.Addr())
	sub := listen(t, srv.URL(), "s")
	proxy.Next().CutAfter(faultproxy.Up, 100_000, faultproxy.RSTClient)
	r := clitest.Start(t, program(), "", "-server", proxy.URL(), "-at-least-once", "-count", "20000", "s", "a message")
	require.Zero(t, r.Status(), r.Err.String())
	assert.Contains(t, r.Err.String(), "lost the server")
	assert.Contains(t, r.Err.String(), "found the server: ")
	assert.Contains(t, r.Err.String(), "published 20000")
	soon(t, func() bool { n, _, err := sub.Pending(); return err == nil && n >= times })
}

func soon(t *testing.T, cond func() bool) {
	t.Helper()
	require.Eventually(t, cond, 20*time.Second, time.Millisecond)
}

// Ctrl-C in an outage: the program says what has not been sent, and ends.
func TestInterruptedWhileItWaits(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	srv.Stop()
	r := clitest.Start(t, program(), "", "-server", srv.URL(), "-wait", "-patience", "10ms", "-count", "10000000", "s", "a message")
	r.Says("no server yet")
	r.Interrupt()
	assert.Equal(t, 1, r.Status())
	assert.Contains(t, r.Err.String(), "interrupted after ")
	assert.Contains(t, r.Err.String(), "messages left unsent: ")
	assert.Contains(t, r.Err.String(), context.Canceled.Error())
}

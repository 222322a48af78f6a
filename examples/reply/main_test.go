package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// started starts the program and returns when the server has its subscription, with
// a connection beside it.
func started(t *testing.T, srv *testserver.Server, args ...string) (*clitest.Running, *nats.Conn) {
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(5*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	before := srv.Server().NumSubscriptions()
	r := clitest.Start(t, program(), "", append([]string{"-server", srv.URL()}, args...)...)
	r.Until(func() bool { return srv.Server().NumSubscriptions() > before })
	return r, nc
}

func TestEchoes(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	r, nc := started(t, srv, "echo")
	reply, err := nc.RequestMsg(&nats.Msg{Subject: "echo", Header: nats.Header{"A": {"1"}}, Data: []byte("hello")}, 20*time.Second)
	require.NoError(t, err)
	assert.Equal(t, "hello", string(reply.Data))
	assert.Equal(t, nats.Header{"A": {"1"}}, reply.Header)
	r.Prints("  A: 1\nhello\n")
	require.NoError(t, nc.Publish("echo", []byte("no request")))
	r.Prints("#2 echo\nno request\n")
	r.Interrupt()
	assert.Zero(t, r.Status(), r.Err.String())
	assert.NotContains(t, r.Err.String(), "no answer")
}

func TestAnswersWithAText(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	r, nc := started(t, srv, "-queue", "q", "-count", "2", "time", "half past nine")
	for range 2 {
		reply, err := nc.Request("time", nil, 20*time.Second)
		require.NoError(t, err)
		assert.Equal(t, "half past nine", string(reply.Data))
	}
	assert.Zero(t, r.Status(), "it ends after two: %s", &r.Err)
}

func TestAnswersAfterAnOutage(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	r, nc := started(t, srv, "echo")
	srv.Stop()
	r.Says("lost the server")
	require.NoError(t, srv.Start())
	r.Says("found ")
	reply, err := nc.Request("echo", []byte("again"), 20*time.Second)
	require.NoError(t, err)
	assert.Equal(t, "again", string(reply.Data))
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	clitest.Refuses(t, program, []clitest.BadUse{
		{Says: "a subject is missing"},
		{Says: `unexpected argument "x"`, Args: []string{"s", "m", "x"}},
		{Says: "-count -1", Args: []string{"-count", "-1", "s"}},
		{Says: "-server", Args: []string{"-server", "", "s"}},
	})
}

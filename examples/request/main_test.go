package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// answers has a responder at a server that sends back what it gets.
func answers(t *testing.T, url, subject string) {
	nc, err := nats.Connect(url)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	_, err = nc.Subscribe(subject, func(m *nats.Msg) {
		_ = m.RespondMsg(&nats.Msg{Header: m.Header, Data: m.Data})
	})
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
}

func TestPrintsTheReply(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	answers(t, srv.URL(), "echo")
	status, r := clitest.Run(t, program(), "", "-server", srv.URL(), "-header", "A:1", "echo", "hello")
	require.Zero(t, status, r.Err.String())
	assert.Regexp(t, `^#1 _INBOX\.\S+\n  A: 1\nhello\n$`, r.Out.String())
	status, r = clitest.Run(t, program(), "piped", "-server", srv.URL(), "-raw", "echo", "-")
	require.Zero(t, status, r.Err.String())
	assert.Equal(t, "piped\n", r.Out.String())
}

func TestNoReply(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	status, r := clitest.Run(t, program(), "", "-server", srv.URL(), "echo", "hello")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), `nobody listens on "echo"`)

	nc, err := nats.Connect(srv.URL())
	require.NoError(t, err)
	defer nc.Close()
	_, err = nc.SubscribeSync("silent")
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	status, r = clitest.Run(t, program(), "", "-server", srv.URL(), "-timeout", "30ms", "silent", "hello")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), "no reply within 30ms")

	r = clitest.Start(t, program(), "", "-server", srv.URL(), "-timeout", "1h", "silent", "hello")
	r.Until(func() bool { return srv.NumClients() == 2 })
	r.Interrupt()
	assert.Equal(t, 1, r.Status())
	assert.Contains(t, r.Err.String(), "interrupted")
}

func TestWaitsForAServer(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	answers(t, srv.URL(), "echo")
	srv.Stop()
	r := clitest.Start(t, program(), "", "-server", srv.URL(), "-wait", "-timeout", "20s", "-raw", "retry.echo", "x")
	r.Says("no server yet")
	require.NoError(t, srv.Start())
	// Nobody listens there, which only a server can know.
	assert.Equal(t, 1, r.Status())
	assert.Contains(t, r.Err.String(), "nobody listens")
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	clitest.Refuses(t, program, []clitest.BadUse{
		{Says: "a subject is missing"},
		{Says: "a message is missing", Args: []string{"s"}},
		{Says: `unexpected argument "x"`, Args: []string{"s", "m", "x"}},
		{Says: "-timeout 0s", Args: []string{"-timeout", "0", "s", "m"}},
		{Says: "-server", Args: []string{"-server", "", "s", "m"}},
	})
}

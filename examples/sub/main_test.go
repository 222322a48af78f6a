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

// started starts the program and returns when the server has its subscriptions,
// with a connection beside it.
func started(t *testing.T, srv *testserver.Server, subscriptions uint32, args ...string) (*clitest.Running, *nats.Conn) {
	nc, err := nats.Connect(srv.URL(), nats.ReconnectWait(5*time.Millisecond))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	r := clitest.Start(t, program(), "", append([]string{"-server", srv.URL()}, args...)...)
	r.Until(func() bool { return srv.Server().NumSubscriptions() >= subscriptions })
	return r, nc
}

func TestPrintsMessages(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	own := srv.Server().NumSubscriptions()
	r, nc := started(t, srv, own+2, "a.>", "b")
	require.NoError(t, nc.PublishMsg(&nats.Msg{Subject: "a.x", Reply: "r", Header: nats.Header{"K": {"v"}}, Data: []byte("one")}))
	r.Prints("#1 a.x, reply to r\n  K: v\none\n")
	require.NoError(t, nc.Publish("b", []byte("two")))
	r.Prints("#2 b\ntwo\n")
	r.Interrupt()
	assert.Zero(t, r.Status())
	assert.Contains(t, r.Err.String(), "listening on a.>\nlistening on b\n")
}

func TestCountAndRaw(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	own := srv.Server().NumSubscriptions()
	r, nc := started(t, srv, own+1, "-count", "2", "-raw", "s")
	for _, text := range []string{"one", "two", "three", "four"} {
		require.NoError(t, nc.Publish("s", []byte(text)))
	}
	assert.Zero(t, r.Status())
	assert.Equal(t, "one\ntwo\n", r.Out.String())
}

func TestQueueGroupShares(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	own := srv.Server().NumSubscriptions()
	a, _ := started(t, srv, own+1, "-queue", "q", "-raw", "s")
	b, nc := started(t, srv, own+2, "-queue", "q", "-raw", "s")
	const sent = 100
	for range sent {
		require.NoError(t, nc.Publish("s", []byte("x")))
	}
	// Each line has two bytes.
	a.Until(func() bool { return len(a.Out.String())+len(b.Out.String()) >= 2*sent })
	a.Interrupt()
	b.Interrupt()
	assert.Zero(t, a.Status()+b.Status())
	assert.Equal(t, 2*sent, len(a.Out.String())+len(b.Out.String()))
}

func TestGoesOnThroughAnOutage(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	own := srv.Server().NumSubscriptions()
	r, nc := started(t, srv, own+1, "s")
	srv.Stop()
	r.Says("lost the server")
	require.NoError(t, srv.Start())
	r.Says("found ")
	r.Until(func() bool { return srv.Server().NumSubscriptions() >= own+1 })
	require.NoError(t, nc.Publish("s", []byte("after it")))
	r.Prints("after it")
	srv.Stop()
	r.Until(func() bool { return nc.IsReconnecting() })
	r.Interrupt()
	assert.Zero(t, r.Status(), "it can be ended without a server: %s", &r.Err)
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	clitest.Refuses(t, program, []clitest.BadUse{
		{Says: "a subject is missing"},
		{Says: "-count -1", Args: []string{"-count", "-1", "s"}},
		{Says: "-server", Args: []string{"-server", "", "s"}},
	})
}

func TestSubjectThatIsNone(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	status, r := clitest.Run(t, program(), "", "-server", srv.URL(), "a..b")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), "a..b: "+nats.ErrBadSubject.Error())
}

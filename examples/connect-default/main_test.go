package main

import (
	"io"
	"net"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demotest"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// TestConnectDefault has a server of its own where the default one is asked for.
func TestConnectDefault(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	demotest.Output(t, func(w io.Writer) error {
		return run(w, nats.SetCustomDialer(elsewhere{t, srv.Addr()}))
	})
}

// elsewhere dials another address than it is asked to.
type elsewhere struct {
	t    *testing.T
	addr string
}

func (d elsewhere) Dial(network, address string) (net.Conn, error) {
	assert.Equal(d.t, "127.0.0.1:4222", address)
	return net.Dial(network, d.addr)
}

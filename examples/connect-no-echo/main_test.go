package main

import (
	"testing"

	"github.com/natsring/nats.go/examples/internal/demotest"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

func TestConnectNoEcho(t *testing.T) {
	t.Parallel()
	demotest.Output(t, run)
}

package leaktest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { VerifyTestMain(m) }

func TestFind(t *testing.T) {
	stop := make(chan struct{})
	go leftOver(stop) // ends when stop is closed, at the end of this test
	require.ErrorContains(t, find(time.Millisecond, nil), "leftOver")
	ignored := goleak.IgnoreTopFunction("github.com/natsring/nats.go/internal/testserver/leaktest.leftOver")
	require.NoError(t, find(time.Millisecond, []goleak.Option{ignored}))

	// One that ends meanwhile is no leak.
	late := time.AfterFunc(600*time.Millisecond, func() { close(stop) })
	defer late.Stop()
	require.NoError(t, find(patience, nil))
}

func leftOver(stop chan struct{}) { <-stop }

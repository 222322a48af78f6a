package cli

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

func TestOutlive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		longer, cancel := outlive(ctx, time.Minute)
		defer cancel()
		time.Sleep(time.Hour)
		assert.NoError(t, longer.Err())
		end()
		time.Sleep(time.Minute - 1)
		synctest.Wait()
		assert.NoError(t, longer.Err())
		time.Sleep(time.Microsecond)
		synctest.Wait()
		assert.Error(t, longer.Err())
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		longer, cancel := outlive(ctx, time.Minute)
		end()
		cancel() // leaves no goroutine behind
		<-longer.Done()
	})
}

// A subscriber can leave during an outage too, and what has come is handled.
func TestLeaveWithoutAServer(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	s := Server{URL: srv.URL(), patience: time.Minute}
	nc, err := s.Connect(io.Discard)
	require.NoError(t, err)
	defer nc.Close()
	begin, handled := make(chan struct{}), 0
	sub, err := nc.Subscribe("s", func(*nats.Msg) { <-begin; handled++ })
	require.NoError(t, err)
	for range 10 {
		require.NoError(t, nc.Publish("s", nil))
	}
	require.NoError(t, nc.Flush())
	srv.Stop()
	require.Eventually(t, nc.IsReconnecting, 20*time.Second, time.Millisecond)
	close(begin)
	require.NoError(t, nc.Leave(t.Context(), sub))
	assert.Equal(t, 10, handled)
	assert.True(t, nc.IsClosed())
	assert.Error(t, nc.Leave(t.Context(), sub))
}

package nats

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// A message that is given up while Close runs is told of before the ClosedHandler.
func TestReportsInFlightAtCloseAreTold(t *testing.T) {
	srv := testserver.Run(t)
	srv.Kill()
	for range 30 {
		require.NoError(t, srv.Start())
		var told atomic.Uint64
		closed := make(chan struct{})
		nc, err := Connect(srv.URL(), MaxReconnects(-1), ReconnectWait(10*time.Second),
			ReconnectBufMsgs(1), ReconnectBufOverflow(OverflowDropNewest),
			UndeliveredHandler(func(_ *Conn, u Undelivered) { told.Add(uint64(u.Count)) }),
			ClosedHandler(func(*Conn) { close(closed) }))
		require.NoError(t, err)
		srv.Kill()
		soon(t, nc.IsReconnecting, "the loss is noticed")
		var publishing sync.WaitGroup
		for range 4 {
			// Ends when the connection is closed.
			publishing.Go(func() {
				for nc.Publish("x", nil) == nil {
				}
			})
		}
		soon(t, func() bool { return told.Load() > 0 }, "messages are given up")
		nc.Close()
		got(t, closed, "the ClosedHandler")
		publishing.Wait()
		assert.Equal(t, nc.BufferStats().Undelivered, told.Load())
	}
}

package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is unconfirmed takes the memory of the limit and little more, with a server
// that reads everything and never answers. It measures the heap, so it is not
// parallel.
func TestMemoryOfAServerThatNeverAnswers(t *testing.T) {
	srv := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.await()
		}
	})
	const limit = 16 << 20
	nc := connectTo(t, srv.url(), atLeastOnce(ReconnectBufSize(limit), ReconnectBufOverflow(OverflowBlock),
		MaxPingsOutstanding(1000), Timeout(200*time.Millisecond))...)
	before := settledHeap()
	ended := make(chan error, 1)
	go func() { // ends with Close
		data, err := make([]byte, 128), error(nil)
		for err == nil {
			err = nc.Publish("some.subject", data)
		}
		ended <- err
	}()
	soon(t, func() bool { st := nc.BufferStats(); return st.Bytes >= limit && st.UnconfirmedBytes == st.Bytes }, "it is not full")
	grown := settledHeap() - before
	st := nc.BufferStats()
	t.Logf("%d messages, %d bytes unconfirmed: the heap grew by %.1f MiB", st.UnconfirmedMsgs, st.UnconfirmedBytes, float64(grown)/(1<<20))
	require.Less(t, st.Bytes, limit+1000)
	require.LessOrEqual(t, grown, int64(limit+limit/2))
	nc.Close()
	require.ErrorIs(t, got(t, ended, "end of the publisher"), ErrConnectionClosed)
}

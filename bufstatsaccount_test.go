package nats

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The answer to a PING can come before the writer has accounted for what went out in
// front of it. Then the messages are neither held nor missing from what was replayed.
func TestBufferStatsWhenTheAnswerIsFasterThanTheWriter(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		o := newOutbox(boxLimits{bytes: 1 << 20}, &Statistics{})
		if keep {
			o.keepAll()
		}
		for range 2 {
			require.NoError(t, o.publish("foo", "", nil, nil, nil))
		}
		require.False(t, o.attach(nil, nil, func() {}))
		require.NoError(t, o.publish("foo", "", nil, nil, nil)) // not of the replay
		_, ok := o.ping(false)
		require.True(t, ok)
		var b batch
		require.True(t, o.take(&b))
		_, ok = o.answered()
		require.True(t, ok)
		early := o.bufferStats()
		require.Equal(t, []uint64{0, 2, 2}, []uint64{uint64(early.Msgs), early.Buffered, early.Replayed}, "keep: %v", keep)
		o.advance(b.size)
		late := o.bufferStats()
		require.Equal(t, []uint64{0, 2, 2}, []uint64{uint64(late.Msgs), late.Buffered, late.Replayed}, "keep: %v", keep)
	}
}

// The same for what goes out once more.
func TestBufferStatsWhenTheAnswerToARepeatIsFaster(t *testing.T) {
	t.Parallel()
	o := newOutbox(boxLimits{bytes: 1 << 20}, &Statistics{})
	o.keepAll()
	var b batch
	for range 2 {
		o.attach(nil, nil, nil)
		require.NoError(t, o.publish("foo", "", nil, nil, nil))
		_, ok := o.ping(false)
		require.True(t, ok)
		require.True(t, o.take(&b))
		if o.keep.repeatTo == 0 { // the first session is lost with the answer
			o.advance(b.size)
			o.detach()
			o.rewind(0)
		}
	}
	_, ok := o.answered()
	require.True(t, ok)
	early := o.bufferStats()
	o.advance(b.size)
	late := o.bufferStats()
	for _, st := range []BufferStats{early, late} {
		require.Equal(t, []int{0, 0, 0, 0}, []int{st.Msgs, st.Bytes, st.UnconfirmedMsgs, st.UnconfirmedBytes})
		require.EqualValues(t, 2, st.Confirmed)
		require.EqualValues(t, 1, st.Repeated)
	}
}

// Without AtLeastOnce an accepted message is in one of five places, as
// docs/RECONNECT.md says: taken by the system, held, given up, purged, withdrawn.
func TestEveryAcceptedMessageIsInOnePlace(t *testing.T) {
	t.Parallel()
	s, nc := connect(t, append(fast(), ReconnectBufMsgs(5), ReconnectBufOverflow(OverflowDropOldest))...)
	received := make(chan *Msg, 100)
	_, err := connectTo(t, s.URL(), fast()...).ChanSubscribe("foo", received)
	require.NoError(t, err)
	account := func() uint64 {
		st := nc.BufferStats()
		return nc.Stats().OutMsgs - uint64(st.Msgs) - st.Undelivered - st.Purged - st.Withdrawn
	}
	publish := func(n int) {
		for range n {
			require.NoError(t, nc.Publish("foo", nil))
		}
	}
	publish(3)
	require.NoError(t, nc.Flush())
	require.EqualValues(t, 3, account())

	lost := nc.StatusChanged(RECONNECTING)
	s.Stop()
	got(t, lost, "the loss")
	publish(4)
	require.Len(t, nc.PurgeBuffer(), 4)
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan error, 1)
	go func() { // ends with the context
		_, err := nc.RequestWithContext(ctx, "foo", nil)
		asked <- err
	}()
	soon(t, func() bool { return nc.BufferStats().Msgs == 1 }, "the request waits")
	cancel()
	require.ErrorIs(t, got(t, asked, "its end"), context.Canceled)
	publish(6) // one is dropped
	short := &Msg{Subject: "foo"}
	require.NoError(t, nc.PublishMsgWithContext(t.Context(), short, MaxAge(time.Nanosecond))) // another one is
	st := nc.BufferStats()
	require.Equal(t, BufferStats{Msgs: 5, Buffered: 12, Dropped: 2, Undelivered: 2, Purged: 4, Withdrawn: 1},
		BufferStats{Msgs: st.Msgs, Buffered: st.Buffered, Dropped: st.Dropped, Undelivered: st.Undelivered,
			Purged: st.Purged, Withdrawn: st.Withdrawn})
	require.EqualValues(t, 3, account())

	require.NoError(t, s.Start())
	soon(t, func() bool {
		err := nc.Flush()
		return err == nil || !errors.Is(err, ErrMsgsGivenUp)
	}, "what is left is sent")
	st = nc.BufferStats()
	require.EqualValues(t, 1, st.Expired)
	require.EqualValues(t, 4, st.Replayed)
	require.EqualValues(t, 7, account(), "3 before the outage, 4 after it")
}

package nats

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A request whose caller has given up during an outage is not sent late.
func TestRequestIsWithdrawn(t *testing.T) {
	t.Parallel()
	s, nc := inOutage(t)
	sub, err := nc.SubscribeSync("svc")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("svc", []byte("before")))
	_, err = nc.Request("svc", []byte("late"), 10*time.Millisecond)
	require.ErrorIs(t, err, ErrTimeout)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err = nc.RequestWithContext(ctx, "svc", []byte("late too"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, nc.Publish("svc", []byte("after")))
	st := nc.BufferStats()
	require.EqualValues(t, 2, st.Withdrawn)
	require.Equal(t, 2, st.Msgs)
	require.NoError(t, s.Start())
	require.NoError(t, nc.FlushTimeout(patience), "a flush does not miss what was withdrawn")
	for _, want := range []string{"before", "after"} {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Data))
	}
	wantReplayed(t, nc, 2)
}

// Withdrawing finds the right frame wherever it is, and leaves what the writer
// has begun to send alone.
func TestWithdraw(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 8 << 20}, &Statistics{})
	var at []uint64
	for i := range 300 {
		how := handling{}
		require.NoError(t, box.publish("s", "", nil, payloadOf(i, 10+i*i%3000*(i%7)), &how))
		at = append(at, how.at)
	}
	want := map[int]bool{}
	for i := range 300 {
		want[i] = true
	}
	for _, i := range []int{0, 1, 2, 150, 151, 299, 77} {
		require.True(t, box.withdraw(at[i]), "message %d", i)
		require.False(t, box.withdraw(at[i]), "twice")
		delete(want, i)
	}
	require.False(t, box.withdraw(at[5]+1), "no frame begins there")
	require.False(t, box.withdraw(1<<40))
	require.Equal(t, len(want), box.bufferStats().Msgs)

	box.attach(nil, nil, func() {})
	var b batch
	require.True(t, box.take(&b))
	require.False(t, box.withdraw(at[3]), "the writer has it")
	box.advance(5)
	require.False(t, box.withdraw(at[3]), "the kernel has a part of it")
	require.True(t, box.withdraw(at[298]))
	delete(want, 298)
	var wire []byte
	wire = append(wire, b.vec[0][:5]...)
	for box.buffered() > 0 {
		require.True(t, box.take(&b))
		for _, p := range b.vec {
			wire = append(wire, p...)
		}
		box.advance(b.size)
	}
	next := 0
	for i := range 300 {
		if !want[i] {
			continue
		}
		data := payloadOf(i, 10+i*i%3000*(i%7))
		frame := fmt.Sprintf("PUB s %d\r\n%s\r\n", len(data), data)
		require.Equal(t, frame, string(wire[next:next+len(frame)]), "message %d", i)
		next += len(frame)
	}
	require.Len(t, wire, next)
	require.False(t, box.withdraw(at[200]), "long gone")
}

// A request that was dropped as it came has nothing to withdraw: least of all the
// message that was published first.
func TestDroppedRequestWithdrawsNothing(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1 << 20, msgs: 1, overflow: OverflowDropNewest}, new(Statistics))
	require.NoError(t, box.publish("first", "", nil, nil, nil))
	how := handling{}
	require.NoError(t, box.publish("request", "reply", nil, nil, &how))
	require.EqualValues(t, 1, box.bufferStats().Dropped)
	require.False(t, box.withdraw(how.at))
	require.Equal(t, 1, box.bufferStats().Msgs)
	require.Zero(t, box.bufferStats().Withdrawn)
}

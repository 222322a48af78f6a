package nats

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Between the loss of a session and the end of its writer, what the writer has
// in its hands is nobody else's: a full buffer makes no room there, though it
// may be too old. The kernel can have it.
func TestMaxAgeLeavesTheWritersBatchAlone(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		policy OverflowPolicy
		taken  int // bytes of the batch that the kernel took in the end
	}{
		{"nothing taken", OverflowReject, 0},
		{"half a frame taken", OverflowReject, 60},
		{"three frames taken", OverflowReject, 330},
		{"all taken", OverflowReject, 1100},
		{"all taken, drop oldest", OverflowDropOldest, 1100},
		{"all taken, drop newest", OverflowDropNewest, 1100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { outliveTheWriter(t, tc.policy, tc.taken) })
		})
	}
}

func outliveTheWriter(t *testing.T, policy OverflowPolicy, taken int) {
	const frame = 110
	var given []string
	box := newOutbox(boxLimits{bytes: 5 * frame, maxAge: time.Second, overflow: policy}, &Statistics{})
	collect := func() []string {
		for _, u := range box.takeGiven() {
			if u.Err == ErrExpired {
				given = append(given, string(u.Msg.Data[:1]))
			}
		}
		return given
	}
	box.listen(func() {})
	publish := func(name string) { _ = box.publish("s", "", nil, []byte(strings.Repeat(name, 98)), nil) }
	box.attach(nil, nil, func() {})
	for _, name := range strings.Split("0123456789", "") {
		publish(name)
	}
	require.EqualValues(t, 10*frame, box.bytes, "the test counts wrong")
	var b batch
	require.True(t, box.take(&b))
	wire := string(b.vec[0])
	time.Sleep(2 * time.Second) // the kernel takes nothing, and all is too old now
	box.detach()
	go publish("n") // finds the buffer full; ends with the rewind, at the latest
	synctest.Wait()
	require.Equal(t, wire, string(b.vec[0]), "the batch has changed under the writer")
	require.Empty(t, collect(), "the writer has it")
	box.advance(taken)
	box.rewind(0)
	synctest.Wait()
	st := box.bufferStats()
	require.EqualValues(t, taken/frame, st.InDoubt)
	box.attach(nil, nil, func() {}) // gives up what is too old and was not sent
	old := slices.Clone(strings.Split("0123456789", "")[taken/frame:])
	require.ElementsMatch(t, old, collect(), "expired: what the kernel has not taken, and nothing else")
	st = box.bufferStats()
	require.Equal(t, st.Buffered, uint64(len(old)+st.Msgs), "what was unsent at the loss was buffered")
}

// In that moment, too, the buffer keeps to its limit: what a connected writer may
// be behind, and no more, however long the writer takes to end.
func TestDropOldestKeepsToTheLimitWhileTheWriterEnds(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1000, overflow: OverflowDropOldest}, &Statistics{})
	box.attach(nil, nil, func() {})
	data := make([]byte, 200)
	require.NoError(t, box.publish("s", "", nil, data, nil))
	var b batch
	require.True(t, box.take(&b))
	box.detach()
	published := make(chan error, 1)
	go func() { // ends when the writer has, at the latest
		for range 20_000 {
			if err := box.publish("s", "", nil, data, nil); err != nil {
				published <- err
				return
			}
		}
		published <- nil
	}()
	soon(t, func() bool {
		box.mu.Lock()
		defer box.mu.Unlock()
		return len(published) > 0 || box.room != nil
	}, "the publisher neither waits nor ends")
	held := box.buffered()
	box.advance(b.size)
	box.rewind(0)
	require.NoError(t, got(t, published, "the publisher's end"))
	require.LessOrEqual(t, held, minWindow+300, "the limit was passed")
	require.LessOrEqual(t, box.buffered(), 1000+300)
}

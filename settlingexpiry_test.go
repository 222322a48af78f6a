package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// In the moment after a loss the writer may still have frames in its hands: a full
// buffer must not expire those.
func TestNothingExpiresInTheWritersHands(t *testing.T) {
	t.Parallel()
	o := newOutbox(boxLimits{bytes: 1 << 20, msgs: 3, maxAge: time.Millisecond}, new(Statistics))
	o.attach(nil, nil, func() {})
	for _, s := range []string{"a", "b", "c"} {
		require.NoError(t, o.publish("x", "", nil, []byte(s), nil))
	}
	var b batch
	require.True(t, o.take(&b))
	size := b.size / 3
	o.detach() // the session is lost, the writer is in its write
	require.Eventually(t, func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.tickLocked()
		return uint32(o.now-o.swept) > 2*sweepPause
	}, 5*time.Second, 5*time.Millisecond)
	_ = o.publish("x", "", nil, []byte("d"), nil)
	o.advance(2 * size) // the kernel took a and b
	o.rewind(0)
	st := o.bufferStats()
	assert.Zero(t, st.Expired, "a and b were sent, c is not looked at before the writer has ended")
	assert.Equal(t, uint64(2), st.InDoubt)
	assert.GreaterOrEqual(t, st.Msgs, 1, "c, and d if it was taken")
	assert.Less(t, st.Buffered, uint64(10))
}

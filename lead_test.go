package nats

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// ledBox is an attached outbox that is ahead of its writer by the whole lead.
func ledBox(t *testing.T) *outbox {
	box := newOutbox(boxLimits{bytes: 8 << 20}, new(Statistics))
	box.attach(nil, nil, nil)
	for box.buffered() < leadBytes {
		require.NoError(t, box.publish("s", "", nil, make([]byte, 60<<10), nil))
	}
	return box
}

// takeOnce is what the writer does with a batch of at most so many bytes.
func takeOnce(box *outbox, most uint64) {
	b := batch{most: most}
	box.take(&b)
	box.advance(b.size)
}

func publishLater(box *outbox) chan error {
	done := make(chan error, 1)
	go func() { done <- box.publish("s", "", nil, nil, nil) }() // ends with the bubble at the latest
	return done
}

func TestPublisherLetsAFastWriterCatchUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := ledBox(t)
		begun := time.Now()
		done := publishLater(box)
		synctest.Wait()
		require.Empty(t, done, "it does not wait")
		require.False(t, box.quick("s", nil, true))
		takeOnce(box, leadBytes/4)
		synctest.Wait()
		require.Empty(t, done, "more than half of the lead is left")
		takeOnce(box, leadBytes/2)
		require.NoError(t, <-done)
		require.Zero(t, time.Since(begun))
		require.NoError(t, box.publish("s", "", nil, nil, nil), "there is no hurry")
		time.Sleep(2 * leadPatience) // the clock of an earlier wait does no harm
		require.False(t, box.slow)
	})
}

// What a slow link does not take is the ring's, and nobody waits for it again until
// the writer has caught up.
func TestSlowWriterIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := ledBox(t)
		for _, wait := range []time.Duration{leadPatience, 0, 0} {
			begun := time.Now()
			require.NoError(t, box.publish("s", "", nil, nil, nil))
			require.Equal(t, wait, time.Since(begun))
		}
		takeOnce(box, 64<<10)
		require.NoError(t, box.publish("s", "", nil, make([]byte, 128<<10), nil))
		require.True(t, box.slow, "it has not caught up")
		for box.buffered() > leadBytes/2 {
			takeOnce(box, 64<<10)
		}
		require.False(t, box.slow)
		for box.buffered() < leadBytes {
			require.NoError(t, box.publish("s", "", nil, make([]byte, 60<<10), nil))
		}
		begun := time.Now()
		require.NoError(t, box.publish("s", "", nil, nil, nil))
		require.Equal(t, leadPatience, time.Since(begun), "the next time it may prove fast")
	})
}

// The ring is full of what was buffered: a publisher has no part in that.
func TestNobodyWaitsForAReplay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := newOutbox(boxLimits{bytes: 8 << 20}, new(Statistics))
		for box.buffered() < 2*leadBytes {
			require.NoError(t, box.publish("s", "", nil, make([]byte, 60<<10), nil))
		}
		box.attach(nil, nil, nil)
		begun := time.Now()
		require.NoError(t, box.publish("s", "", nil, nil, nil))
		require.Zero(t, time.Since(begun))
	})
}

func TestWaitForTheWriterEndsWithTheSession(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		box := ledBox(t)
		done := publishLater(box)
		synctest.Wait()
		box.detach()
		require.NoError(t, <-done)
		box.rewind(0)
		require.NoError(t, box.publish("s", "", nil, nil, nil), "now it is the reconnect buffer")
	})
}

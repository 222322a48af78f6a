package nats

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOutboxByteLimitIsComparedBeforeTheMessage(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 34}, &Statistics{})
	frame := func() error { return box.publish("foo", "", nil, []byte("123456"), nil) }
	require.Equal(t, 19, publishSize("foo", "", nil, []byte("123456")))
	require.NoError(t, frame())
	require.NoError(t, frame(), "19 of 34 bytes are buffered, so one more is taken")
	require.ErrorIs(t, frame(), ErrReconnectBufExceeded)
	require.Equal(t, 38, box.buffered())
	require.EqualValues(t, 2, box.stats.OutMsgs)
}

func TestOutboxSwitchedOff(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: -1}, &Statistics{})
	require.ErrorIs(t, box.publish("foo", "", nil, nil, nil), ErrReconnectBufExceeded)
	require.Zero(t, box.buffered())
	box.attach(nil, nil, nil)
	require.NoError(t, box.publish("foo", "", nil, []byte("x"), nil))
	box.detach()
	box.rewind(0)
	require.Positive(t, box.buffered(), "what was accepted while connected is kept")
	require.ErrorIs(t, box.publish("foo", "", nil, nil, nil), ErrReconnectBufExceeded)
}

// A publisher that is ahead of a connected writer by the whole window waits, and
// goes on when the writer has made room, or the connection is lost or closed.
func TestOutboxBackPressure(t *testing.T) {
	t.Parallel()
	drain := func(box *outbox) {
		var b batch
		for box.buffered() > minWindow/2 {
			box.take(&b)
			box.advance(b.size)
		}
	}
	for _, tc := range []struct {
		name  string
		limit int64
		free  func(*outbox)
		want  error
	}{
		{"room", 100, drain, nil},
		{"lost", 100, (*outbox).detach, ErrReconnectBufExceeded},
		{"closed", 100, func(b *outbox) { b.close(ErrConnectionClosed) }, ErrConnectionClosed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			box := newOutbox(boxLimits{bytes: tc.limit}, &Statistics{})
			box.attach(nil, nil, nil)
			data := make([]byte, 64<<10)
			for box.buffered() < minWindow {
				require.NoError(t, box.publish("foo", "", nil, data, nil))
			}
			result := make(chan error, 1)
			go func() { result <- box.publish("foo", "", nil, data, nil) }() // ends with free
			soon(t, func() bool {
				box.mu.Lock()
				defer box.mu.Unlock()
				return box.room != nil
			}, "the publisher does not wait")
			select {
			case err := <-result:
				require.Failf(t, "did not wait", "got %v", err)
			default:
			}
			tc.free(box)
			require.ErrorIs(t, got(t, result, "publish"), tc.want)
			box.detach()
			box.rewind(0)
			box.abandon(ErrConnectionClosed, false)
		})
	}
}

func TestOutboxRefusesWhatNoIndexEntryCanHold(t *testing.T) {
	t.Parallel()
	require.Less(t, publishSize("s", "", nil, nil), maxFrame)
	box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
	huge := bytes.Repeat([]byte{'x'}, 1<<20)
	require.NoError(t, box.publish("s", "", nil, huge, nil), "larger than the limit, but nothing is buffered")
	require.Equal(t, publishSize("s", "", nil, huge), box.buffered())
}

// A server that sends PINGs and reads nothing costs no memory.
func TestOutboxPongsAreBounded(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
	box.attach(nil, nil, nil)
	for range 10 * maxOwed {
		box.pong()
	}
	sent := 0
	var b batch
	for {
		box.mu.Lock()
		pending := box.pendingLocked()
		box.mu.Unlock()
		if !pending {
			break
		}
		require.True(t, box.take(&b))
		sent += b.size / len("PONG\r\n")
		box.advance(b.size)
	}
	require.Equal(t, maxOwed, sent)
	require.Nil(t, box.last)
}

func TestOutboxPublishAllocatesNothing(t *testing.T) {
	box := newOutbox(boxLimits{bytes: 8 << 20}, &Statistics{})
	box.attach(nil, nil, nil)
	var b batch
	data := make([]byte, 128)
	round := func() {
		for range 100 {
			if box.publish("some.subject", "", nil, data, nil) != nil {
				panic("refused")
			}
		}
		box.take(&b)
		box.advance(b.size)
	}
	round()
	// The race detector makes sync.Pool forget, which is not what is measured.
	if raceEnabled {
		t.Skip("allocations are not those of a program under the race detector")
	}
	assert.Zero(t, testing.AllocsPerRun(200, round))
}

func TestOutboxDrained(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1000}, &Statistics{})
	got(t, box.drained(), "no session drains it")
	box.attach(nil, nil, nil)
	got(t, box.drained(), "nothing is in it")
	require.NoError(t, box.publish("s", "", nil, nil, nil))
	ch := box.drained()
	select {
	case <-ch:
		require.Fail(t, "a message is in it")
	default:
	}
	stopped := make(chan bool)
	go func() { // ends with detach
		var b batch
		for box.take(&b) {
			box.advance(b.size)
		}
		close(stopped)
	}()
	got(t, ch, "drained")
	box.detach()
	got(t, stopped, "the writer's end")
	box.close(ErrConnectionDraining)
	require.ErrorIs(t, box.publish("s", "", nil, nil, nil), ErrConnectionDraining)
	box.close(ErrConnectionClosed)
	box.close(ErrConnectionDraining)
	require.ErrorIs(t, box.publish("s", "", nil, nil, nil), ErrConnectionClosed, "the last word")
}

func BenchmarkOutbox(b *testing.B) {
	for _, size := range []int{16, 128, 1024, 64 << 10} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			box := newOutbox(boxLimits{bytes: 8 << 20}, &Statistics{})
			box.attach(nil, nil, nil)
			data := make([]byte, size)
			var bt batch
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				_ = box.publish("some.subject", "", nil, data, nil)
				if box.bytes >= 256<<10 {
					for box.last != nil {
						box.take(&bt)
						box.advance(bt.size)
					}
				}
			}
		})
	}
}

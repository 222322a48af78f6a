package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// streaming is an outbox in the middle of a stream: after so many writes in a row, with
// so many messages that were published during the last.
func streaming(t *testing.T, writes, msgs int) (*outbox, *batch) {
	box := newOutbox(boxLimits{bytes: 8 << 20}, &Statistics{})
	box.attach(nil, nil, nil)
	var b batch
	publish := func(n int) {
		for range n {
			require.NoError(t, box.publish("s", "", nil, nil, nil))
		}
	}
	publish(1)
	require.True(t, box.take(&b))
	for range writes - 1 {
		publish(1)
		require.True(t, box.next(&b, b.size))
	}
	publish(msgs)
	box.advance(b.size)
	return box, &b
}

func TestWriterLingersInAStreamOnly(t *testing.T) {
	t.Parallel()
	if !canLinger {
		t.Skip("not on this system")
	}
	for _, c := range []struct {
		name   string
		writes int
		msgs   int
		then   func(o *outbox)
		want   bool
	}{
		{"a stream", lingerAfter, lingerMsgs, nil, true},
		{"its beginning", lingerAfter - 1, lingerMsgs, nil, false},
		{"few messages", lingerAfter, lingerMsgs - 1, nil, false},
		{"enough for a system call", lingerAfter, lingerBelow/len("PUB s 0\r\n\r\n") + 1, nil, false},
		{"a flush", lingerAfter, lingerMsgs, func(o *outbox) { o.ping(true) }, false},
		{"a subscription", lingerAfter, lingerMsgs, func(o *outbox) { o.sendControl([]byte("SUB a 1\r\n")) }, false},
		{"a PONG", lingerAfter, lingerMsgs, func(o *outbox) { o.pong() }, false},
		{"a drain", lingerAfter, lingerMsgs, func(o *outbox) { o.drained() }, false},
		{"a publisher that waits", lingerAfter, lingerMsgs, func(o *outbox) { o.room = make(chan struct{}) }, false},
		{"half a frame", lingerAfter, lingerMsgs, func(o *outbox) { o.advance(3) }, false},
		{"a replay", lingerAfter, lingerMsgs, func(o *outbox) { o.detach(); o.rewind(0); o.attach(nil, nil, nil) }, false},
		{"an outage", lingerAfter, lingerMsgs, func(o *outbox) { o.detach() }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			box, _ := streaming(t, c.writes, c.msgs)
			if c.then != nil {
				c.then(box)
			}
			box.mu.Lock()
			defer box.mu.Unlock()
			require.Equal(t, c.want, box.lingersLocked())
		})
	}
}

// Without that a program that publishes at a steady pace would make a stream too.
func TestStreamEndsWhenTheWriterHasNothingToDo(t *testing.T) {
	t.Parallel()
	box, b := streaming(t, lingerAfter, 0)
	more := make(chan bool)
	go func() { more <- box.take(b) }() // ends with the message below
	soon(t, func() bool {
		box.mu.Lock()
		defer box.mu.Unlock()
		return box.idle
	}, "the writer has nothing to do")
	require.NoError(t, box.publish("s", "", nil, nil, nil))
	require.True(t, got(t, more, "the batch"))
	require.Equal(t, 1, box.linger.streak)
}

func TestPauseThatBringsNothingPutsTheNextOff(t *testing.T) {
	t.Parallel()
	if !canLinger {
		t.Skip("not on this system")
	}
	box, _ := streaming(t, lingerAfter, lingerMsgs)
	// pause returns how long a stream has to be until the writer lingers, and has the
	// pause bring so many messages.
	pause := func(brings int64) (streak int) {
		box.mu.Lock()
		for box.linger.streak = 0; !box.lingersLocked(); streak++ {
			box.linger.streak++
		}
		box.mu.Unlock()
		box.linger.learn(brings)
		return streak
	}
	require.Equal(t, lingerAfter, pause(lingerPays))
	require.Equal(t, lingerAfter, pause(lingerPays-1), "the pause before was worth it")
	require.Equal(t, 2*lingerAfter, pause(0), "that one was not")
	require.Equal(t, 4*lingerAfter, pause(lingerPays))
	require.Equal(t, lingerAfter, pause(0), "all is well again")
	for range 20 {
		pause(0)
	}
	require.Equal(t, lingerLate, pause(0))
}

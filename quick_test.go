package nats

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// quickBox is an attached outbox whose writer is at work.
func quickBox(t *testing.T, server *serverLimits) *outbox {
	box := newOutbox(boxLimits{bytes: 8 << 20}, new(Statistics))
	box.attach(nil, server, nil)
	require.NoError(t, box.publish("begin", "", nil, nil, nil))
	return box
}

// The line of the publish before is used again only where it is the same.
func TestQuickPublishes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long.", 12) + "subject"
	for _, check := range []bool{true, false} {
		box := quickBox(t, nil)
		want := "PUB begin 0\r\n\r\n"
		for _, p := range []struct{ subject, data string }{
			{"a", "x"}, {"a", "y"}, {"b", "y"}, {"b", "yy"}, {"ab", "z"}, {"a", "bz"}, {"a", ""}, {"a", ""},
			{"a 1", ""}, {"", ""}, {"a", "0123456789"}, {"a", "9876543210"}, {"a.1", "0123456789"}, {"a.1", ""},
			{long, "1"}, {long, "2"}, {"a", "x"}, {"a", strings.Repeat("x", 100)}, {"b", strings.Repeat("y", 100)},
		} {
			bad := p.subject == "" || check && strings.Contains(p.subject, " ")
			require.Equal(t, !bad, box.quick(p.subject, []byte(p.data), check), "%q", p.subject)
			if !bad {
				want += fmt.Sprintf("PUB %s %d\r\n%s\r\n", p.subject, len(p.data), p.data)
			}
		}
		var b batch
		require.True(t, box.take(&b))
		require.Equal(t, want, string(bytes.Join(b.vec, nil)))
		require.EqualValues(t, strings.Count(want, "PUB "), box.stats.OutMsgs)
	}
}

// Behind a slow link most publishes find more than the lead in the ring.
func TestQuickPublishesBehindASlowWriter(t *testing.T) {
	t.Parallel()
	box := quickBox(t, nil)
	box.lead, box.window = 100, 200
	quick := func() bool { return box.quick("s", make([]byte, 16), true) }
	for box.bytes < box.lead {
		require.True(t, quick())
	}
	require.False(t, quick(), "the writer may prove fast")
	box.slow = true
	for box.bytes < box.window {
		require.True(t, quick())
	}
	require.False(t, quick(), "the whole window is taken")
}

// What one server took is too much for the next: the line is not a permit.
func TestQuickPublishIsCheckedAgainstTheNewServer(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*outbox, *serverLimits){
		"another session": func(b *outbox, l *serverLimits) {
			b.detach()
			b.rewind(0)
			b.attach(nil, l, nil)
		},
		"a new INFO": func(b *outbox, l *serverLimits) { b.serverTakes(l) },
	} {
		box := quickBox(t, &serverLimits{maxPayload: 10})
		for range 2 {
			require.True(t, box.quick("s", []byte("0123456789"), true), name)
		}
		change(box, &serverLimits{maxPayload: 9})
		require.False(t, box.quick("s", []byte("0123456789"), true), name)
		require.True(t, box.quick("s", []byte("012345678"), true), name)
	}
}

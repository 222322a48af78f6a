package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The server confirms all of a chunk while the writer, which has sent all of it, has
// not looked at the next one yet: the chunk is given back, and the writer goes on in
// the next.
func TestKeptChunkIsConfirmedBeforeTheWriterGoesOn(t *testing.T) {
	t.Parallel()
	box := keepingBox(boxLimits{bytes: 8 << 20})
	data := make([]byte, 1000)
	publish := func() { require.NoError(t, box.publish("s", "", nil, data, nil)) }
	publish()
	for box.last.free() >= indexEntry+publishSize("s", "", nil, data) {
		publish()
	}
	box.askSoonLocked()
	sendAll(box)
	full := box.last
	publish()
	require.True(t, full != box.last, "another chunk")
	for ok := true; ok; {
		_, ok = box.answered()
	}
	require.True(t, box.last == box.head, "the full chunk is still held")
	require.True(t, full != box.sent.c, "given back, and the writer's cursor is still in it")
	var b batch
	require.True(t, box.take(&b))
	require.GreaterOrEqual(t, b.size, len(data))
}

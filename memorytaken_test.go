package nats

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What is taken back, by callers that have given up or because it is too old,
// makes room not only in the count: its memory goes, too, also where an older
// message stays.
func TestMemoryOfWhatIsTakenBack(t *testing.T) {
	const total = 32 << 20
	data := make([]byte, 1000)
	for _, tc := range []struct {
		name     string
		takeBack func(*Conn)
	}{
		{"withdrawn", func(nc *Conn) {
			var how handling
			require.NoError(t, nc.publish("some.subject", "reply", nil, data, &how))
			require.True(t, nc.out.withdraw(how.at))
		}},
		{"expired", func(nc *Conn) {
			how := handling{maxAge: time.Nanosecond} // under the clock's millisecond
			require.NoError(t, nc.publish("some.subject", "", nil, data, &how))
			if nc.BufferStats().Msgs >= 1000 {
				soon(t, func() bool { nc.out.sweep(); return nc.BufferStats().Msgs == 1 }, "not expired")
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, nc := inOutage(t)
			require.NoError(t, nc.Publish("some.subject", []byte("stays")))
			before := settledHeap()
			for range total / len(data) {
				tc.takeBack(nc)
			}
			grown := settledHeap() - before
			t.Logf("%.1f MiB for %d messages in the buffer", float64(grown)/(1<<20), nc.BufferStats().Msgs)
			require.LessOrEqual(t, grown, int64(12<<20), "taken back, and its memory kept")
		})
	}
}

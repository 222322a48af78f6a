package nats

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLingerPauses(t *testing.T) {
	t.Parallel()
	for range 100 { // the Go runtime interrupts some with signals
		before := time.Now()
		linger()
		if time.Since(before) >= lingerTime {
			return
		}
	}
	require.Fail(t, "no pause was as long as it should be")
}

// Each pause keeps a thread.
func TestFewThreadsLingerAtOnce(t *testing.T) {
	t.Parallel()
	var s seats
	n := runtime.GOMAXPROCS(0)
	for range n {
		require.True(t, s.take())
	}
	require.False(t, s.take())
	s.leave()
	require.True(t, s.take())
	require.False(t, s.take())
}

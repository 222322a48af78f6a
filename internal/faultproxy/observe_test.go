package faultproxy

import (
	"bytes"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is observed is what the receiver gets, also of a stream that is cut, and
// all of it has been observed when the connection has ended.
func TestObserve(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		var mu sync.Mutex
		var seen bytes.Buffer
		r := newRig(t, Observe(func(c *Conn, d Direction, b []byte) {
			mu.Lock()
			defer mu.Unlock()
			if c.ID() == 1 && d == dir {
				seen.Write(b)
			}
		}))
		const cut = 123_457
		how := RSTClient
		if dir == Down {
			how = RSTServer
		}
		r.conn.Faults().CutAfter(dir, cut, how)
		from, to := r.ends(dir)
		// Ends with the cut, which is an error of the write.
		go func() { _, _ = from.Write(pattern(1 << 20)) }()
		got, _ := readToEnd(t, to)
		waitDone(t, r.conn)
		mu.Lock()
		defer mu.Unlock()
		require.Len(t, got, cut)
		requireSame(t, got, seen.Bytes())
	})
}

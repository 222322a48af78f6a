package main

import (
	"sync/atomic"
	"time"
)

// blockedFrom is how long a call of Publish takes at least to count as blocked.
const blockedFrom = 10 * time.Millisecond

// blocked measures how long Publish has made the publisher wait: for room in the
// buffer, or for a socket that is behind.
type blocked struct {
	base  time.Time    // set before use
	since atomic.Int64 // when the call under way began, in ns after base; 0: there is none

	// The publisher's; to be read when that has ended.
	calls          int
	total, longest time.Duration
}

// begin is called in front of a call.
func (b *blocked) begin() { b.since.Store(max(1, int64(time.Since(b.base)))) }

// end is called behind it.
func (b *blocked) end() {
	took := b.now()
	b.since.Store(0)
	if took == 0 {
		return
	}
	b.calls++
	b.total += took
	b.longest = max(b.longest, took)
}

// now is how long the call under way has been blocked; 0 if it is not. It may be
// called by anybody.
func (b *blocked) now() time.Duration {
	since := b.since.Load()
	if since == 0 {
		return 0
	}
	took := time.Since(b.base) - time.Duration(since)
	if took < blockedFrom {
		return 0
	}
	return took
}

package main

import (
	"context"
	"encoding/binary"
	"math/bits"
	"sync"
	"time"
)

const (
	subject     = "faults"
	messageSize = 128
)

// ledger is what became of the messages of one client. Those that were accepted are
// numbered from 0, without a gap.
type ledger struct {
	accepted, refused int
	longest           time.Duration // of a Publish

	mu                         sync.Mutex // guards what the subscriber writes
	seen                       []uint64   // a set
	heard, repeated, overtaken int
	next                       uint64
}

// see notes a message that arrived.
func (l *ledger) see(data []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := binary.BigEndian.Uint64(data)
	for n/64 >= uint64(len(l.seen)) {
		l.seen = append(l.seen, make([]uint64, 1+len(l.seen))...)
	}
	l.heard++
	switch bit := uint64(1) << (n % 64); {
	case l.seen[n/64]&bit != 0:
		l.repeated++
	case n < l.next:
		l.overtaken++
		fallthrough
	default:
		l.seen[n/64] |= bit
		l.next = max(l.next, n+1)
	}
}

// missing counts the messages under n that have not arrived.
func (l *ledger) missing(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	have := 0
	for i, w := range l.seen {
		left := n - 64*i
		if left <= 0 {
			break
		}
		if left < 64 {
			w &= 1<<left - 1
		}
		have += bits.OnesCount64(w)
	}
	return n - have
}

// publish publishes at a steady rate until the context ends.
func (l *ledger) publish(ctx context.Context, c client, rate int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	data := make([]byte, messageSize)
	start := time.Now()
	for called := 0; ctx.Err() == nil; {
		due := int(time.Since(start).Seconds() * float64(rate))
		for ; called < due && ctx.Err() == nil; called++ {
			binary.BigEndian.PutUint64(data, uint64(l.accepted))
			began := time.Now()
			if c.publish(subject, data) != nil {
				l.refused++
			} else {
				l.accepted++
			}
			l.longest = max(l.longest, time.Since(began))
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

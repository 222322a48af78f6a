package nats

import (
	"runtime"
	"sync/atomic"
	"syscall"
)

const (
	canLinger = true
	// lingerTime is the pause in nanoseconds; the kernel adds some 50 µs to it.
	lingerTime = 100_000
)

// lingerers counts the threads of the process that pause.
var lingerers seats

// seats are as many as there are processors.
type seats struct{ taken atomic.Int32 }

func (s *seats) take() bool {
	if int(s.taken.Add(1)) <= runtime.GOMAXPROCS(0) {
		return true
	}
	s.leave()
	return false
}

func (s *seats) leave() { s.taken.Add(-1) }

// linger pauses, unless many do already. It is not a timer of the runtime because that
// can be a millisecond late, which is more than a stream is worth.
func linger() {
	if !lingerers.take() {
		return
	}
	defer lingerers.leave()
	t := syscall.Timespec{Nsec: lingerTime}
	_ = syscall.Nanosleep(&t, nil) // a signal may cut it short
}

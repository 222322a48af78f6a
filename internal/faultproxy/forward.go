package faultproxy

import (
	"errors"
	"os"
	"time"
)

// action is what the writer does next.
type action uint8

const (
	doWait action = iota
	doWrite
	doFIN
	doCut
	doStop
)

// step is an action with what it needs.
type step struct {
	do    action
	b     []byte    // to write
	how   How       // to cut
	until time.Time // to wait; zero is until something changes
}

// writeLoop does what decideLocked says, outside the lock, until the connection
// ends.
func (l *link) writeLoop() {
	for {
		switch s := l.next(); s.do {
		case doWrite:
			n, err := l.dst.Write(s.b)
			if see := l.c.p.cfg.observe; see != nil && n > 0 {
				see(l.c, l.dir, s.b[:n])
			}
			if gone := l.wrote(n, err); gone {
				l.c.finished()
			}
		case doFIN:
			_ = l.dst.CloseWrite()
			l.wroteFIN()
			l.c.finished()
		case doCut:
			l.c.end(s.how)
			<-l.c.done
		case doStop:
			return
		}
	}
}

// next waits for something to do.
func (l *link) next() step {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		if l.phase != relaying {
			return step{do: doStop}
		}
		var s step
		if l.changing == 0 {
			s = l.decideLocked(time.Now())
		}
		if s.do != doWait {
			l.writing = s.do == doWrite || s.do == doFIN
			return s
		}
		l.waitLocked(s.until)
	}
}

// decideLocked looks at the faults in the order of their precedence.
func (l *link) decideLocked(now time.Time) step {
	s := &l.set
	if s.cut.armed && s.cut.left == 0 {
		return step{do: doCut, how: s.cut.how}
	}
	switch s.gate {
	case gateHold:
		return step{}
	case gateDrop:
		l.dropLocked()
		return step{}
	}
	if l.queue.size == 0 {
		return l.decideEndLocked(now)
	}
	free := int64(l.queue.size)
	if s.frame.armed {
		free = l.lookLocked()
	}
	if s.cut.armed && s.cut.left == 0 {
		return step{do: doCut, how: s.cut.how}
	}
	head := l.queue.chunks[0]
	if due := head.at.Add(s.delay + window); s.delay > 0 && now.Before(due) {
		return step{until: due}
	}
	n := min(free, int64(len(head.b)), maxPiece)
	if s.rate > 0 {
		if now.Before(l.paceAt) {
			return step{until: l.paceAt}
		}
		n = min(n, max(1, s.rate/50))
	}
	if s.cut.armed {
		n = min(n, s.cut.left)
	}
	if n == 0 {
		return step{}
	}
	return step{do: doWrite, b: head.b[:n]}
}

// decideEndLocked passes the sender's end on, behind its last byte.
func (l *link) decideEndLocked(now time.Time) step {
	if l.finSent {
		return step{}
	}
	if l.set.fin {
		return step{do: doFIN}
	}
	if l.end == srcOpen {
		return step{}
	}
	if due := l.endAt.Add(l.set.delay); l.set.delay > 0 && now.Before(due) {
		return step{until: due}
	}
	if l.end == srcRST {
		return step{do: doCut, how: RST}
	}
	return step{do: doFIN}
}

// lookLocked looks ahead for the frame to be cut. It returns how many bytes at
// the front of the queue may go: not those of a frame that may be the one but
// whose line is not complete. When the frame is found, the place of the cut is
// known and the look-outs end. The framer itself stays where it is, so nothing
// is counted twice.
func (l *link) lookLocked() int64 {
	f, fc := l.framer, l.set.frame
	for _, c := range l.queue.chunks {
		for b := c.b; len(b) > 0; {
			n, line := f.scan(b)
			b = b[n:]
			if line && fc.matches(&f) {
				fc.left--
				if fc.left == 0 {
					left := max(0, fc.cutPos(&f)-l.pos)
					l.set.cut = byteCut{armed: true, left: left, how: fc.how}
					l.set.frame = frameCut{}
					return int64(l.queue.size)
				}
			}
			if !fc.mayMatch(&f) && f.pos-l.pos >= maxPiece {
				return f.pos - l.pos
			}
		}
	}
	// A sender that has ended will not complete its line.
	if fc.mayMatch(&f) && l.end == srcOpen && !l.set.fin {
		return max(0, f.start-l.pos)
	}
	return f.pos - l.pos
}

// wrote books what the kernel has taken and says whether the receiver is gone.
func (l *link) wrote(n int, err error) (gone bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.cond.Broadcast()
	l.writing = false
	if n > 0 {
		l.popLocked(n, true)
		l.c.p.board.add(l.c, l.dir, Traffic{Forwarded: int64(n)})
	}
	if l.set.cut.armed {
		l.set.cut.left -= int64(n)
	}
	if rate := l.set.rate; rate > 0 {
		took := time.Duration(float64(n) / float64(rate) * float64(time.Second))
		l.paceAt = later(l.paceAt, time.Now()).Add(took)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && l.phase == relaying {
		// The receiver is gone. What it has sent before is still relayed.
		l.broken = true
		l.dropLocked()
	}
	return l.broken
}

func (l *link) wroteFIN() {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.cond.Broadcast()
	l.writing = false
	l.finSent = true
}

// dropLocked empties the queue. Frames that begin in it do not count for a cut.
func (l *link) dropLocked() {
	n := l.queue.size
	if n == 0 {
		return
	}
	l.popLocked(n, false)
	l.c.p.board.add(l.c, l.dir, Traffic{Dropped: int64(n)})
	l.cond.Broadcast()
}

// popLocked takes n bytes off the queue and moves the framer over them.
func (l *link) popLocked(n int, count bool) {
	l.pos += int64(n)
	l.queue.pop(n, func(b []byte) {
		for len(b) > 0 {
			k, line := l.framer.scan(b)
			b = b[k:]
			if fc := &l.set.frame; line && count && fc.armed && fc.matches(&l.framer) {
				fc.left--
			}
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

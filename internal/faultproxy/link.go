package faultproxy

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	relayBuffer = 256 << 10 // bytes a direction keeps when no fault holds them
	maxPiece    = 64 << 10  // most bytes of one read or write
)

// past is a deadline that takes a reader or writer out of its system call.
var past = time.Unix(1, 0)

// srcEnd is how the sender has ended.
type srcEnd uint8

const (
	srcOpen srcEnd = iota
	srcFIN
	srcRST
)

// phase is where a link stands in its life.
type phase uint8

const (
	relaying  phase = iota
	stopping        // the writer goes, the reader waits for what comes next
	lingering       // the reader swallows until the peer closes
	over
)

// link is one direction of a connection: a reader that fills a queue and a
// writer that empties it, each of which holds no lock inside its system calls.
type link struct {
	c   *Conn
	dir Direction

	mu   sync.Mutex // guards the fields below; only the board's lock is taken inside
	cond *sync.Cond // something below has changed

	src, dst *net.TCPConn // set before the loops start, which then need no lock; nil if silent
	phase    phase
	set      settings
	changing int  // changes that wait for the loops to leave their system calls
	reading  bool // the reader is inside a system call
	writing  bool // the writer is

	queue   queue
	framer  framer // stands at pos
	pos     int64  // bytes that have left the queue, forwarded or dropped
	paceAt  time.Time
	end     srcEnd
	endAt   time.Time
	broken  bool // the receiver takes no more
	finSent bool
	until   time.Time // end of lingering
}

func newLink(c *Conn, dir Direction) *link {
	l := &link{c: c, dir: dir}
	l.cond = sync.NewCond(&l.mu)
	return l
}

// connected sets the missing socket.
func (l *link) connected(src, dst *net.TCPConn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if src != nil {
		l.src = src
	}
	if dst != nil {
		l.dst = dst
	}
}

// begin sets what the link starts with.
func (l *link) begin(set settings) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.set = set
	l.set.frame.fresh = false
}

// swallow makes the link of a silent connection.
func (l *link) swallow() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = true
}

// change lets f change the settings while neither loop is inside a system call,
// so that what has been read and forwarded before is exactly what the counters
// say. It does nothing once the connection ends.
func (l *link) change(f func(*settings)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.phase != relaying {
		return
	}
	l.changing++
	l.interruptLocked()
	for (l.reading || l.writing) && l.phase == relaying {
		l.cond.Wait()
	}
	l.changing--
	defer l.cond.Broadcast()
	if l.phase != relaying {
		return
	}
	if l.changing == 0 {
		l.deadlinesLocked(time.Time{})
	}
	f(&l.set)
	if l.set.frame.fresh {
		l.set.frame.fresh, l.set.frame.from = false, l.pos
	}
}

// interruptLocked takes the loops out of their system calls and keeps them from
// entering one.
func (l *link) interruptLocked() { l.deadlinesLocked(past) }

// deadlinesLocked sets timers of the runtime; it makes no system call.
func (l *link) deadlinesLocked(t time.Time) {
	if l.src != nil {
		_ = l.src.SetReadDeadline(t)
	}
	if l.dst != nil {
		_ = l.dst.SetWriteDeadline(t)
	}
}

// stop ends the relaying. When it returns the writer writes no more and the
// reader waits for linger.
func (l *link) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = stopping
	l.interruptLocked()
	l.cond.Broadcast()
	for l.reading || l.writing {
		l.cond.Wait()
	}
	l.dropLocked()
}

// linger lets the reader swallow what the peer still sends, or go if the peer
// has been reset.
func (l *link) linger(reset bool, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.phase = lingering
	if reset {
		l.phase = over
	}
	l.hastenLocked(until)
	l.cond.Broadcast()
}

func (l *link) hasten(until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hastenLocked(until)
}

func (l *link) hastenLocked(until time.Time) {
	if l.phase == lingering && l.src != nil {
		l.until = until
		_ = l.src.SetReadDeadline(until)
	}
}

// finished says whether the receiver has got its FIN or is gone.
func (l *link) finished() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.finSent || l.broken
}

// waitLocked waits for a change, or for a moment if there is one.
func (l *link) waitLocked(until time.Time) {
	if until.IsZero() {
		l.cond.Wait()
		return
	}
	t := time.AfterFunc(time.Until(until), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.cond.Broadcast()
	})
	l.cond.Wait()
	t.Stop()
}

// readLoop reads from the sender until it ends or the connection does.
func (l *link) readLoop() {
	buf := make([]byte, maxPiece)
	for {
		room := l.waitToRead()
		if room == 0 {
			return
		}
		n, err := l.src.Read(buf[:min(room, len(buf))])
		if !l.didRead(buf[:n], err) {
			return
		}
	}
}

// waitToRead returns how many bytes may be read, 0 for no more ever.
func (l *link) waitToRead() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		room := l.roomLocked()
		switch {
		case l.phase == over:
			return 0
		case l.phase == lingering || l.phase == relaying && l.changing == 0 && room > 0:
			l.reading = true
			return room
		}
		l.cond.Wait()
	}
}

// roomLocked is how many bytes the reader may add. What is swallowed needs no
// room.
func (l *link) roomLocked() int {
	switch {
	case l.phase == lingering:
		return maxPiece
	case l.set.noRead:
		return 0
	case l.swallowsLocked():
		return maxPiece
	case l.set.gate == gateHold || l.set.delay > 0:
		return max(0, l.c.p.cfg.holdLimit-l.queue.size)
	}
	return max(0, relayBuffer-l.queue.size)
}

func (l *link) swallowsLocked() bool { return l.phase != relaying || l.broken || l.set.fin }

// didRead takes what a read has brought; it is false when there is nothing more
// to be read.
func (l *link) didRead(b []byte, err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.cond.Broadcast()
	l.reading = false
	got := Traffic{Read: int64(len(b))}
	if l.phase == lingering || l.broken || l.set.fin {
		got.Dropped = got.Read
	} else {
		l.queue.push(b, time.Now())
	}
	if len(b) > 0 {
		l.c.p.board.add(l.c, l.dir, got)
	}
	switch {
	case err == nil:
		return true
	case errors.Is(err, os.ErrDeadlineExceeded):
		return l.phase != lingering || time.Now().Before(l.until)
	case errors.Is(err, io.EOF):
		l.end = srcFIN
	default:
		l.end = srcRST
	}
	l.endAt = time.Now()
	return false
}

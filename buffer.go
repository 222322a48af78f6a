package nats

import (
	"strconv"
	"sync"
	"time"
)

// The outbox is the one home of outgoing data: a bounded ring of frames, kept
// in chunks. Publishers append at the tail. While a session is attached, its
// writer takes what lies between sent and the tail; without one the frames
// stay, and the same ring is the reconnect buffer.
//
//	 given back │ in the kernel's hands │ unsent            │
//	────────────┼───────────────────────┼───────────────────┤
//	           head                    sent               tail
//
// A frame is given back when the kernel has taken all of it, so head and sent
// differ only while a batch is accounted for; with AtLeastOnce when the server has
// confirmed it (keep.go). Positions count every byte ever appended and never go
// back.
//
// The lock is a leaf: nothing else is locked, called or waited for under it.
type outbox struct {
	// What every publish touches comes first: publishers on several processors hand
	// these cache lines to each other.
	mu    sync.Mutex
	last  *chunk // where the tail is
	tail  uint64
	bytes int64 // of the live publishes between sent and tail
	msgs  int64 // how many those are
	// deadBytes are those of dead frames between sent and tail, and of dead frames that
	// are kept. They take room, though nobody's limit, until they are passed or moved
	// out (compact.go).
	deadBytes int64
	lead      int64 // bytes taken ahead of a writer that is fast; fixed (lead.go)
	window    int64 // and of one that is not; fixed
	slow      bool  // the writer was not, and has not caught up since
	state     boxState
	idle      bool        // the writer waits on ready
	exact     bool        // every frame gets the exact time; fixed
	now       stamp       // the time as far as it is known: see tickLocked
	keep      *keeper     // nil: what the kernel has taken is given back; fixed
	refuse    error       // why nothing is taken any more, once closed
	stats     *Statistics // OutMsgs and OutBytes, guarded by mu
	like      lastLine

	linger   lingering
	yielding yielding
	ready    sync.Cond     // the writer waits here for something to send
	limits   boxLimits     // fixed
	server   *serverLimits // what the session's server takes; nil: everything
	// settling: detached, but the writer may still account for what it had.
	settling bool
	// between: detached, but the next session is there and about to be attached.
	between bool
	dead    int   // dead frames between sent and tail
	slack   int64 // how much more bytes of dead ones than of live ones there may be; fixed
	control int   // control frames between sent and tail

	head   *chunk   // first chunk still held
	sent   cursor   // first frame that the kernel has not taken whole
	part   int      // bytes of it that the kernel has
	warm   *chunk   // list of chunks to be used again while the writer is at work
	warmed int      // how many
	asked  []uint64 // behind the PINGs that are out or in the ring, in that order
	pinged uint64   // position behind the last PING appended
	proven uint64   // the server has all before this position, whatever sent says
	inHand uint64   // end of the frames that the writer has; 0: it has none

	// ahead goes out before the next frame: the replay of the subscriptions,
	// then PONGs. It belongs to the session and goes with it.
	ahead   []byte
	aheadAt int
	owed    int      // PONGs owed to the server
	parting *parting // nil: the session is not about to end in order

	resting  bool          // the writer waits there for its pace
	progress uint64        // bytes the kernel has taken
	room     chan struct{} // closed when a waiting publisher should look again
	paused   bool          // a publisher waits there for a fast writer
	patience *time.Timer   // ends such a wait; nil until there was one
	empty    chan struct{} // closed when nothing is left to send
	onReplay func()        // called once when the kernel has all up to replayTo
	replayTo uint64

	born  time.Time
	swept stamp                    // when was last looked for what has expired
	ages  map[uint64]time.Duration // own limits of frames, by position
	gone  uint64                   // lowest position given up that pings do not know of

	moves      []move // frames that are not where they were appended
	movedBelow uint64 // what was appended before is in moves, or not in the ring

	pace pace // of the replay

	suspect uint64 // the frame that was half sent when the last session broke
	blame   int    // how far that is its fault

	given   givenUp
	call    func() // when there is something in it; called without the lock; fixed
	mark    watermark
	crossed func() // called without the lock; fixed

	count boxCounters
}

// boxState says whether a session drains the outbox.
type boxState uint8

const (
	boxDetached boxState = iota // no session: the ring is the reconnect buffer
	boxAttached                 // a writer drains it
)

const (
	// wholeFrame is the length up to which a frame is kept in one chunk, so
	// that at most this much of a chunk stays unused.
	wholeFrame = 2 << 10
	// maxOwed bounds the PONGs owed to a server that sends PINGs and reads nothing.
	maxOwed = 1024
)

func newOutbox(limits boxLimits, stats *Statistics) *outbox {
	o := &outbox{limits: limits, window: max(limits.bytes, minWindow), lead: leadBytes, stats: stats,
		born: time.Now(), exact: limits.maxAge > 0, gone: noPosition, slack: compactSlack}
	o.ready.L = &o.mu
	return o
}

// publish appends a PUB frame, or an HPUB frame if there are headers. Without
// how it waits only where a connected writer is behind by the whole buffer, or
// where the overflow policy says so. A refused message leaves no trace.
func (o *outbox) publish(subject, reply string, hdr, data []byte, how *handling) error {
	size := publishSize(subject, reply, hdr, data)
	if size > maxFrame {
		return ErrMaxPayload
	}
	o.lock()
	defer o.unlock()
	drop, err := o.admitLocked(subject, how)
	if err == nil {
		err = o.takesLocked(len(hdr), len(data))
	}
	if err != nil {
		return err
	}
	o.stats.OutMsgs++
	o.stats.OutBytes += uint64(len(hdr) + len(data))
	if drop {
		if how != nil {
			how.at = noPosition // there is nothing to withdraw
		}
		o.dropNewLocked(size, subject, reply, hdr, data)
		return nil
	}
	if how != nil {
		how.at = o.tail
		o.ageOwnLocked(how.maxAge)
	}
	o.appendPublishLocked(size, o.stampLocked(how), subject, reply, hdr, data)
	o.bytes += int64(size)
	o.msgs++
	if o.state == boxDetached {
		if !o.settling {
			o.count.buffered++
		}
		o.peakLocked()
	}
	o.wakeLocked()
	return nil
}

// wakeLocked wakes the writer if it sleeps.
func (o *outbox) wakeLocked() {
	if o.idle {
		o.idle = false
		o.ready.Signal()
	}
}

// publishSize is the length of the frame as it goes on the wire.
func publishSize(subject, reply string, hdr, data []byte) int {
	n := len("PUB ") + len(subject) + 1 + len("\r\n") + len(data) + len("\r\n")
	if reply != "" {
		n += len(reply) + 1
	}
	total := len(hdr) + len(data)
	if len(hdr) > 0 {
		n += len("H") + digits(len(hdr)) + 1 + len(hdr)
	}
	return n + digits(total)
}

// digits is the length of n in decimal.
func digits(n int) int {
	d := 1
	for n >= 10 {
		n /= 10
		d++
	}
	return d
}

// appendPublishHead encodes the control line of a publish.
func appendPublishHead(b []byte, subject, reply string, hdr, data []byte) []byte {
	if len(hdr) > 0 {
		b = append(b, 'H')
	}
	b = append(b, "PUB "...)
	b = append(b, subject...)
	b = append(b, ' ')
	if reply != "" {
		b = append(b, reply...)
		b = append(b, ' ')
	}
	if len(hdr) > 0 {
		b = strconv.AppendInt(b, int64(len(hdr)), 10)
		b = append(b, ' ')
	}
	b = strconv.AppendInt(b, int64(len(hdr)+len(data)), 10)
	return append(b, "\r\n"...)
}

// appendPublishLocked encodes the frame into the ring: in place where it fits
// into the last chunk, piece by piece where it goes over several.
func (o *outbox) appendPublishLocked(size int, at stamp, subject, reply string, hdr, data []byte) {
	c := o.openLocked(size)
	c.addFrame(frameInfo(size), at)
	if c.free() < size {
		var line [512]byte
		o.spillLocked(appendPublishHead(line[:0], subject, reply, hdr, data))
		o.spillLocked(hdr)
		o.spillLocked(data)
		o.spillLocked(crlf)
		return
	}
	b := appendPublishHead(c.buf[c.used:c.used], subject, reply, hdr, data)
	b = append(b, hdr...)
	b = append(b, data...)
	b = append(b, "\r\n"...)
	c.used += len(b)
	o.tail += uint64(len(b))
}

var crlf = []byte("\r\n")

// openLocked returns the chunk in which a frame of the given size is to begin:
// the last one, unless it lacks the room for a small frame or for a good piece
// of a large one.
func (o *outbox) openLocked(size int) *chunk {
	if c := o.last; c != nil && c.free() >= indexEntry+min(size, wholeFrame) {
		return c
	}
	return o.growLocked()
}

// growLocked adds a chunk at the tail.
func (o *outbox) growLocked() *chunk {
	c := o.newChunkLocked()
	if o.last == nil {
		o.head = c
		o.sent = cursor{c: c, pos: o.tail}
		o.part = 0
		if o.keep != nil {
			o.keep.from = o.sent
		}
	} else {
		o.last.next = c
	}
	o.last = c
	return c
}

// spillLocked writes a part of a frame behind the tail, over as many chunks as
// it takes.
func (o *outbox) spillLocked(p []byte) {
	for len(p) > 0 {
		c := o.last
		n := min(len(p), c.free())
		if n == 0 {
			o.growLocked()
			continue
		}
		copy(c.buf[c.used:], p[:n])
		c.used += n
		o.tail += uint64(n)
		p = p[n:]
	}
}

// appendControlLocked appends a control frame. Only an attached outbox takes
// one, because what a later session needs is replayed from state.
func (o *outbox) appendControlLocked(frame []byte, kind frameInfo) {
	c := o.openLocked(len(frame))
	c.addFrame(frameInfo(len(frame))|frameControl|kind, o.now)
	o.spillLocked(frame)
	o.control++
	o.wakeLocked()
}

// sendControl appends SUB and UNSUB lines. Without a session it does nothing.
func (o *outbox) sendControl(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == boxAttached {
		o.appendControlLocked(frame, 0)
	}
}

// ping appends a PING. With share, one that is the last frame already will do, if the
// writer has not begun it: the answer to it then comes behind all that the server has
// sent until now. With maxAsked out it will do in any case, so that flushes that a silent
// server lets time out do not pile up.
// It returns the position that the PONG will confirm; without a session ok is
// false.
func (o *outbox) ping(share bool) (pos uint64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state != boxAttached {
		return 0, false
	}
	if n := len(o.asked); share && n > 0 && o.asked[n-1] == o.tail && (n >= maxAsked || o.pingWaitsLocked()) {
		return o.tail, true
	}
	o.appendControlLocked(pingLine, framePing)
	o.pinged = o.tail
	o.noteAskedLocked(o.tail)
	return o.tail, true
}

// pingWaitsLocked reports whether the last frame is a PING that the writer has not begun.
func (o *outbox) pingWaitsLocked() bool {
	return o.pinged == o.tail && !o.begunLocked(o.tail-uint64(len(pingLine)))
}

// pingUnsent reports whether the last PING appended is still in the ring.
func (o *outbox) pingUnsent() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pinged > o.sent.pos
}

// pong owes the server one PONG more. It goes out before the next frame, so a
// long buffer does not keep the server waiting.
func (o *outbox) pong() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == boxAttached && o.owed < maxOwed {
		o.owed++
		o.wakeLocked()
		if o.resting {
			o.ready.Signal()
		}
	}
}

// attach lets a session drain the outbox, once what has expired, or what the
// server would not take (nil: it takes all), is given up. ahead, the replay of the
// subscriptions, goes out first; replayed is called once, by the writer and off
// every lock, when the kernel has taken that and all that was buffered. True:
// there is nothing of either, so it will not be called.
func (o *outbox) attach(ahead []byte, server *serverLimits, replayed func()) (nothing bool) {
	o.mu.Lock()
	defer o.unlock()
	o.sweepLocked(server)
	o.state, o.between = boxAttached, false
	o.takeLimitsLocked(server)
	o.ahead, o.aheadAt, o.owed = ahead, 0, 0
	o.pinged = 0
	if o.keep != nil {
		o.keep.askedTo = o.sent.pos
	}
	o.replayTo = o.tail
	o.pace.begin()
	o.count.replayLeft = o.msgs
	o.releaseWaitersLocked() // other limits hold now
	if !o.pendingLocked() {
		return true
	}
	o.onReplay = replayed
	return false
}

// detach ends the session's hold: its writer is told to stop, publishers that
// waited for it look again, and control frames are no longer taken. What the
// writer has in its hands stays as it is until rewind.
func (o *outbox) detach() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.detachLocked()
}

func (o *outbox) detachLocked() {
	o.state, o.settling = boxDetached, true
	o.onReplay = nil
	o.idle = false
	o.ready.Broadcast()
	o.releaseWaitersLocked()
	o.signalEmptyLocked()
}

// rewind makes the ring ready for the next session, once the writer of the last
// one has ended: a frame that was taken in part will go out whole, and control
// frames never. blame is how far the frame that was taken in part is at fault for the
// end of the session. It returns the position from which everything is still here.
func (o *outbox) rewind(blame int) uint64 {
	o.mu.Lock()
	defer o.unlock()
	suspect, poison := o.blameLocked(blame)
	o.ahead, o.aheadAt, o.owed, o.asked = nil, 0, 0, o.asked[:0]
	o.parting = nil
	o.part, o.proven, o.inHand = 0, 0, 0
	o.coolLocked()
	o.settling = false
	o.releaseWaitersLocked()
	if o.keep != nil {
		o.rewindKeptLocked()
	}
	kept := o.sent.pos
	o.count.sessionLost(o)
	o.peakLocked()
	if o.last == nil {
		return kept
	}
	if poison {
		o.giveUpLocked(suspect, ErrPoison)
	}
	if o.control > 0 {
		o.killControlLocked()
	}
	o.skipDeadLocked()
	o.freeLocked()
	return kept
}

func (o *outbox) killControlLocked() {
	k := o.sent
	k.settle()
	for k.i < k.c.frames {
		if f := k.c.frame(k.i); f.isControl() && !f.isDead() {
			k.c.setFrame(k.i, f|frameDead)
			o.dead++
			o.deadBytes += int64(f.size())
		}
		k.step()
	}
	o.control = 0
}

// close refuses everything from now on with err; ErrConnectionClosed is the last
// word. What was taken before can still be drained by an attached writer.
func (o *outbox) close(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.refuse != ErrConnectionClosed {
		o.refuse = err
	}
	if err == ErrConnectionClosed {
		o.stayLocked()
	}
	o.releaseWaitersLocked()
}

// drained returns a channel that is closed once nothing is left to send, or to be
// confirmed if that is asked for, or no session is there to send it.
func (o *outbox) drained() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	ch := make(chan struct{})
	if o.state != boxAttached || !o.pendingLocked() && (o.keep == nil || o.keep.msgs == 0) {
		close(ch)
		return ch
	}
	o.askSoonLocked()
	if o.empty != nil {
		return o.empty
	}
	o.empty = ch
	return ch
}

func (o *outbox) signalEmptyLocked() {
	if o.empty != nil {
		close(o.empty)
		o.empty = nil
	}
}

// taken is how many bytes the kernel has taken over all sessions, and, where they
// are kept, how many were confirmed: for telling progress from a stall.
func (o *outbox) taken() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.progress
}

// unsentFrom is the position of the first frame that the kernel has not whole.
func (o *outbox) unsentFrom() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sent.pos
}

// tailPos is the position behind the last frame.
func (o *outbox) tailPos() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tail
}

package nats

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outboxModel drives an outbox through a schedule of steps, plays the kernel and
// the server on its other side, and keeps a plain slice of what must still be in
// it. Any difference is a failure.
type outboxModel struct {
	t      testing.TB
	box    *outbox
	limits boxLimits

	held         []heldFrame // publishes accepted and not wholly taken by a kernel
	heldSize     int
	accepted     int // number of the next publish
	arrived      int // publishes that the server has seen
	nextNumber   int // it must see none before this one
	attached     bool
	wire         []byte   // of this session, not parsed yet
	batch        batch    // between take and advance
	inHand       bool     // batch is taken
	replay       string   // what must come first on this session's wire
	control      []string // control frames appended in this session, in order
	owed         int      // PONGs asked for in this session
	pings        []uint64 // positions behind the PINGs of this session that have no PONG
	reached      int      // how many of them the server has seen
	sure         int      // publishes that the server has, as PONGs have told
	seenAt       []int    // publishes that the server had at each of the PINGs it has seen
	want         BufferStats
	told, toldTo int    // what report has been told of
	purgedFresh  uint64 // purged ones that had never been without a session
}

// heldFrame is a publish in the model; counted says that it has been held while
// there was no session.
type heldFrame struct {
	wire    string
	n       int
	at      uint64 // its position in the outbox
	counted bool
}

func newOutboxModel(t testing.TB, limits boxLimits) *outboxModel {
	m := &outboxModel{t: t, limits: limits, box: newOutbox(limits, &Statistics{})}
	m.box.slack = max(0, limits.bytes%5000) // small, so that dead frames are moved out
	if limits.msgs%2 == 1 {                 // with somebody who listens, and without
		m.box.listen(func() { m.report(m.box.takeGiven()); require.Empty(t, m.box.takeGiven()) })
	}
	return m
}

// report checks what the outbox says it has given up.
func (m *outboxModel) report(given []Undelivered) {
	for _, u := range given {
		m.told += u.Count
		require.ErrorIs(m.t, u.Err, ErrDropped)
		if u.Msg == nil {
			continue
		}
		require.Equal(m.t, 1, u.Count)
		require.Equal(m.t, "s", u.Msg.Subject)
		require.WithinDuration(m.t, time.Now(), u.Accepted, time.Minute)
		n, err := strconv.Atoi(strings.Fields(string(append(u.Msg.Data, " x"...)))[0])
		if len(u.Msg.Data) > 7 {
			require.NoError(m.t, err)
			require.GreaterOrEqual(m.t, n, m.toldTo, "not the oldest first")
			m.toldTo = n
		}
	}
}

// payloadOf makes the payload of the n-th publish: its number, then bytes that
// tell their place.
func payloadOf(n, size int) []byte {
	b := strconv.AppendInt(nil, int64(n), 10)
	b = append(b, ' ')
	for i := len(b); i < size; i++ {
		b = append(b, byte('a'+(n+i)%26))
	}
	return b
}

func (m *outboxModel) publish(size int, reply string, hdr []byte) {
	data := payloadOf(m.accepted, size)
	if m.attached && m.heldSize >= max(int(m.limits.bytes), minWindow) {
		return // it would wait for the writer, which is this goroutine
	}
	how := handling{at: m.box.tail}
	var err error
	if m.accepted%2 == 0 || len(hdr) > 0 || reply != "" || !m.box.quick("s", data, true) {
		err = m.box.publish("s", reply, hdr, data, &how)
	}
	full := m.heldSize >= int(m.limits.bytes) || m.limits.msgs > 0 && len(m.held) >= int(m.limits.msgs)
	switch {
	case m.attached, !full && m.limits.bytes > 0:
	case m.limits.bytes < 0 || m.limits.overflow == OverflowReject:
		require.ErrorIs(m.t, err, ErrReconnectBufExceeded)
		m.want.Rejected++
		return
	case m.limits.overflow == OverflowDropNewest:
		require.NoError(m.t, err)
		m.want.Dropped++
		m.want.Undelivered++
		m.accepted++
		return
	case m.limits.overflow == OverflowDropOldest:
		m.dropOldest()
	}
	require.NoError(m.t, err)
	head := "PUB s "
	if reply != "" {
		head += reply + " "
	}
	if len(hdr) > 0 {
		head = "H" + head + strconv.Itoa(len(hdr)) + " "
	}
	frame := fmt.Sprintf("%s%d\r\n%s%s\r\n", head, len(hdr)+len(data), hdr, data)
	require.Equal(m.t, len(frame), publishSize("s", reply, hdr, data))
	m.held = append(m.held, heldFrame{wire: frame, n: m.accepted, at: how.at})
	m.heldSize += len(frame)
	m.accepted++
	if !m.attached {
		m.countHeld()
	}
}

// dropOldest makes room for one more.
func (m *outboxModel) dropOldest() {
	for m.heldSize >= int(m.limits.bytes) || m.limits.msgs > 0 && len(m.held) >= int(m.limits.msgs) {
		m.heldSize -= len(m.held[0].wire)
		m.held = m.held[1:]
		m.want.Dropped++
		m.want.Undelivered++
	}
}

// countHeld notes that everything held is without a session.
func (m *outboxModel) countHeld() {
	for i := range m.held {
		if !m.held[i].counted {
			m.held[i].counted = true
			m.want.Buffered++
		}
	}
	m.want.MaxMsgs = max(m.want.MaxMsgs, len(m.held))
	m.want.MaxBytes = max(m.want.MaxBytes, m.heldSize)
}

// purge takes back what nobody has begun to send.
func (m *outboxModel) purge() {
	msgs := m.box.purge()
	if !m.inHand {
		begun := 0
		if len(m.wire) > 0 && len(m.held) > 0 && strings.HasPrefix(m.held[0].wire, string(m.wire)) {
			begun = 1
		}
		require.Contains(m.t, []int{len(m.held), len(m.held) - begun}, len(msgs))
	}
	kept := len(m.held) - len(msgs)
	require.GreaterOrEqual(m.t, kept, 0)
	for i, msg := range msgs {
		h := m.held[kept+i]
		m.heldSize -= len(h.wire)
		if !h.counted {
			m.purgedFresh++
		}
		hdr, err := msg.Header.appendTo(nil)
		require.NoError(m.t, err)
		require.True(m.t, strings.HasSuffix(h.wire, "\r\n"+string(hdr)+string(msg.Data)+"\r\n"), "message %d", h.n)
		require.Equal(m.t, "s", msg.Subject)
		require.Equal(m.t, strings.Contains(h.wire[:min(20, len(h.wire))], " reply "), msg.Reply == "reply")
	}
	m.held = m.held[:kept]
	m.want.Purged += uint64(len(msgs))
}

// withdraw takes one publish back, wherever it is.
func (m *outboxModel) withdraw(which int) {
	if len(m.held) == 0 {
		return
	}
	i := which % len(m.held)
	h := m.held[i]
	begun := i == 0 && len(m.wire) > 0 && strings.HasPrefix(h.wire, string(m.wire))
	if !m.box.withdraw(h.at) {
		require.True(m.t, m.inHand || begun, "message %d was not withdrawn", h.n)
		return
	}
	require.False(m.t, m.box.withdraw(h.at), "twice")
	m.heldSize -= len(h.wire)
	m.held = slices.Delete(m.held, i, i+1)
	m.want.Withdrawn++
	if !h.counted {
		m.purgedFresh++
	}
}

// answer sends the PONG for the oldest PING that the server has seen.
func (m *outboxModel) answer() {
	if m.reached == 0 {
		return
	}
	pos, ok := m.box.answered()
	require.True(m.t, ok)
	require.Equal(m.t, m.pings[0], pos)
	m.sure = m.seenAt[0]
	m.pings, m.seenAt = m.pings[1:], m.seenAt[1:]
	m.reached--
}

func (m *outboxModel) sendControl() {
	frame := fmt.Sprintf("SUB c%d  1\r\n", len(m.control))
	m.box.sendControl([]byte(frame))
	if m.attached {
		m.control = append(m.control, frame)
	}
}

func (m *outboxModel) ping() {
	pos, ok := m.box.ping(false)
	require.Equal(m.t, m.attached, ok)
	if m.attached {
		require.Equal(m.t, m.box.tailPos(), pos)
		m.control = append(m.control, "PING\r\n")
		m.pings = append(m.pings, pos)
	}
}

func (m *outboxModel) pong() {
	m.box.pong()
	if m.attached {
		m.owed++
	}
}

func (m *outboxModel) attach() {
	if m.attached {
		return
	}
	m.replay = ""
	if m.accepted%3 == 0 {
		m.replay = "SUB replayed  1\r\nSUB more  2\r\n"
	}
	m.attached = true
	nothing := m.box.attach([]byte(m.replay), nil, func() {})
	require.Equal(m.t, m.replay == "" && len(m.held) == 0, nothing)
	m.wire, m.control, m.owed = nil, nil, 0
}

// take fetches a batch if there is anything to send.
func (m *outboxModel) take() {
	m.box.mu.Lock()
	pending := m.box.pendingLocked()
	m.box.mu.Unlock()
	if !m.attached || m.inHand || !pending {
		return
	}
	require.True(m.t, m.box.take(&m.batch))
	require.Positive(m.t, m.batch.size)
	m.inHand = true
}

// write lets the kernel take a part of the batch; all of it with 255.
func (m *outboxModel) write(part byte) {
	if !m.inHand {
		return
	}
	n := m.batch.size
	if part < 255 {
		n = n * int(part) / 255
	}
	m.wire = append(m.wire, bytes.Join(m.batch.vec, nil)[:n]...)
	m.inHand = false
	if part%2 == 1 { // the server is faster than the writer
		m.consume()
		m.answer()
		m.box.advance(n)
		return
	}
	m.box.advance(n)
	m.consume()
}

// consume is the server: it takes whole frames off the wire and checks them.
func (m *outboxModel) consume() {
	if m.replay != "" {
		n := min(len(m.wire), len(m.replay))
		require.Equal(m.t, m.replay[:n], string(m.wire[:n]), "the replay goes first")
		if n < len(m.replay) {
			return
		}
		m.wire, m.replay = m.wire[n:], ""
	}
	for len(m.wire) > 0 {
		switch {
		case m.owed > 0 && m.next("PONG\r\n"):
			m.owed--
			m.wire = m.wire[len("PONG\r\n"):]
		case len(m.control) > 0 && m.next(m.control[0]):
			if m.control[0] == "PING\r\n" {
				m.reached++
				m.seenAt = append(m.seenAt, m.arrived)
			}
			m.wire = m.wire[len(m.control[0]):]
			m.control = m.control[1:]
		case len(m.held) > 0 && m.next(m.held[0].wire):
			h := m.held[0]
			require.GreaterOrEqual(m.t, h.n, m.nextNumber, "out of order")
			m.nextNumber = h.n + 1
			m.wire = m.wire[len(h.wire):]
			m.heldSize -= len(h.wire)
			m.held = m.held[1:]
			m.arrived++
			if h.counted {
				m.want.Replayed++
			}
		default:
			m.requirePrefix()
			return
		}
	}
}

// next reports whether a whole frame is next on the wire.
func (m *outboxModel) next(frame string) bool {
	return len(m.wire) >= len(frame) && string(m.wire[:len(frame)]) == frame
}

// requirePrefix checks that what is on the wire is the beginning of something
// that may come now.
func (m *outboxModel) requirePrefix() {
	may := []string{}
	if m.owed > 0 {
		may = append(may, "PONG\r\n")
	}
	if len(m.control) > 0 {
		may = append(may, m.control[0])
	}
	if len(m.held) > 0 {
		may = append(may, m.held[0].wire)
	}
	for _, f := range may {
		if len(m.wire) < len(f) && f[:len(m.wire)] == string(m.wire) {
			return
		}
	}
	require.FailNowf(m.t, "wire", "unexpected bytes %.60q, want the start of one of %.60q", m.wire, may)
}

func (m *outboxModel) detach(part byte) {
	if !m.attached {
		return
	}
	m.box.detach()
	m.attached = false
	if part%3 == 0 && m.limits.overflow == OverflowReject && m.limits.bytes > 0 && m.limits.msgs == 0 && m.heldSize < int(m.limits.bytes) {
		// A publish between the end of the session and that of its writer.
		how := handling{}
		require.NoError(m.t, m.box.publish("s", "", nil, payloadOf(m.accepted, 30), &how))
		frame := fmt.Sprintf("PUB s %d\r\n%s\r\n", 30, payloadOf(m.accepted, 30))
		m.held = append(m.held, heldFrame{wire: frame, n: m.accepted, at: how.at})
		m.heldSize += len(frame)
		m.accepted++
		m.want.MaxMsgs = max(m.want.MaxMsgs, len(m.held))
		m.want.MaxBytes = max(m.want.MaxBytes, m.heldSize)
	}
	m.write(part) // the write in flight ends only now
	m.box.rewind(0)
	m.countHeld()
	m.want.InDoubt += uint64(m.arrived - m.sure)
	m.sure = m.arrived
	m.wire, m.control, m.owed = nil, nil, 0
	m.pings, m.seenAt, m.reached = nil, nil, 0
}

// check compares the accounting.
func (m *outboxModel) check() {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	require.EqualValues(m.t, m.heldSize, b.bytes, "bytes")
	require.EqualValues(m.t, len(m.held), b.msgs, "messages")
	require.EqualValues(m.t, len(m.control), b.control, "control frames")
	require.EqualValues(m.t, m.accepted, b.stats.OutMsgs)
	m.want.Msgs, m.want.Bytes = len(m.held), m.heldSize
	stats := b.bufferStatsLocked()
	stats.OldestAge = 0 // see TestOldestAge
	require.Equal(m.t, m.want, stats)
	require.Equal(m.t, deadBytesOf(b, b.sent), b.deadBytes, "dead bytes")
	require.True(m.t, inRing(b, b.sent), "the cursor is in a chunk that was given back")
	if b.given.listen {
		require.EqualValues(m.t, m.want.Undelivered, m.told)
	}
	if len(m.held) == 0 && len(m.control) == 0 && b.dead == 0 {
		require.Nil(m.t, b.last, "memory is kept for nothing")
		require.Nil(m.t, b.head)
	}
	chunks := 0
	for c := b.head; c != nil; c = c.next {
		chunks++
	}
	total := m.heldSize
	for _, f := range m.control {
		total += len(f)
	}
	if b.dead > 0 {
		return // what was purged behind a batch in hand goes with it
	}
	// A chunk holds at least its size less one small frame and the index.
	bound := 2 + 2*total/(chunkBytes-wholeFrame)
	require.LessOrEqual(m.t, chunks, bound, "chunks for %d bytes", total)
}

// inRing reports whether a cursor's chunk is held.
func inRing(b *outbox, k cursor) bool {
	for c := b.head; c != nil; c = c.next {
		if c == k.c {
			return true
		}
	}
	return b.head == nil && k.c == nil
}

// deadBytesOf adds the dead frames up.
func deadBytesOf(b *outbox, k cursor) (bytes int64) {
	if b.last == nil {
		return 0
	}
	for k.settle(); k.i < k.c.frames; k.step() {
		if f := k.c.frame(k.i); f.isDead() {
			bytes += int64(f.size())
		}
	}
	return bytes
}

// step does one move, chosen by two bytes.
func (m *outboxModel) step(op, arg byte) {
	switch op % 16 {
	case 0, 1, 2, 3:
		m.publish(int(arg)%48, "", nil)
	case 4:
		m.publish(int(arg)*17, "reply", nil)
	case 5:
		m.publish(int(arg), "", []byte("NATS/1.0\r\nk: v\r\n\r\n"))
	case 6:
		if m.accepted%8 == 0 {
			m.publish(int(arg)*900, "", nil)
		}
	case 7:
		m.sendControl()
	case 8:
		m.ping()
	case 9:
		m.pong()
	case 10, 11:
		m.take()
	case 12, 13:
		m.write(arg)
	case 14:
		switch arg % 8 {
		case 0:
			m.purge()
		case 1, 2:
			m.answer()
		case 3:
			m.withdraw(int(arg) / 8)
		default:
			m.detach(arg)
		}
	case 15:
		m.attach()
	}
	m.check()
}

// finish connects for good and drains everything.
func (m *outboxModel) finish() {
	m.write(255)
	m.detach(255)
	m.attach()
	for range 10_000 {
		m.take()
		if !m.inHand {
			break
		}
		m.write(255)
		m.check()
	}
	require.Empty(m.t, m.held, "not everything arrived")
	require.EqualValues(m.t, m.accepted, m.arrived+int(m.want.Purged+m.want.Withdrawn+m.want.Undelivered))
	if m.limits.overflow == OverflowReject {
		require.Equal(m.t, m.want.Buffered, m.want.Replayed+m.want.Purged+m.want.Withdrawn-m.purgedFresh)
	}
	require.Zero(m.t, m.owed)
	require.Empty(m.t, m.wire)
	m.box.mu.Lock()
	ready := m.box.onReplay == nil || m.box.replayedLocked()
	m.box.mu.Unlock()
	require.True(m.t, ready)
}

func runOutboxSchedule(t testing.TB, limits boxLimits, steps []byte) {
	m := newOutboxModel(t, limits)
	for i := 0; i+1 < len(steps); i += 2 {
		m.step(steps[i], steps[i+1])
	}
	m.finish()
}

// TestOutboxAgainstModel runs random schedules of publish, control, take, partial
// write, disconnect and reconnect.
func TestOutboxAgainstModel(t *testing.T) {
	t.Parallel()
	schedules := 1500
	if testing.Short() || raceEnabled {
		schedules = 300
	}
	limits := []boxLimits{{bytes: -1}, {bytes: 1}, {bytes: 34}, {bytes: 1000, msgs: 7}, {bytes: 100_000},
		{bytes: 8 << 20, msgs: 50}, {bytes: 8 << 20},
		{bytes: 3000, overflow: OverflowDropOldest}, {bytes: 100_000, msgs: 9, overflow: OverflowDropOldest},
		{bytes: 8 << 20, msgs: 10, overflow: OverflowDropOldest}, {bytes: 50_000, msgs: 11, overflow: OverflowDropNewest}}
	for i := range schedules {
		seed := uint64(i)
		rng := rand.New(rand.NewPCG(seed, 1))
		steps := make([]byte, 2*(20+rng.IntN(300)))
		for j := range steps {
			steps[j] = byte(rng.Uint32())
		}
		limit := limits[i%len(limits)]
		ok := t.Run("", func(t *testing.T) { runOutboxSchedule(t, limit, steps) })
		if !ok {
			t.Fatalf("seed %d, limits %+v", seed, limit)
		}
	}
}

func FuzzOutbox(f *testing.F) {
	f.Add([]byte{0, 9, 15, 0, 10, 0, 12, 100, 14, 51, 0, 3, 15, 0, 10, 0, 12, 255}, 1000, 0)
	f.Add([]byte{6, 255, 6, 254, 15, 0, 7, 0, 9, 0, 10, 0, 12, 3, 10, 0, 14, 203, 4, 250}, 8<<20, 5)
	f.Fuzz(func(t *testing.T, steps []byte, bytes, msgs int) {
		if len(steps) > 2000 {
			return
		}
		policies := []OverflowPolicy{OverflowReject, OverflowDropOldest, OverflowDropNewest}
		runOutboxSchedule(t, boxLimits{bytes: int64(min(bytes, 8<<20)), msgs: int64(msgs),
			overflow: policies[len(steps)/2%len(policies)]}, steps)
	})
}

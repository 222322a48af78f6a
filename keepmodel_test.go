package nats

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keepModel drives an outbox that keeps what is unconfirmed through a schedule of
// steps. It plays the kernel and the server, and knows of every message whether it
// still has to arrive.
type keepModel struct {
	t      testing.TB
	box    *outbox
	limits boxLimits

	live     []liveFrame // accepted, not confirmed, not gone
	spent    []liveFrame // not to be repeated, but still in the middle of being sent
	accepted int
	got      map[int]bool // numbers that the server has seen
	gone     map[int]bool // numbers that must not be sent in a later session
	first    int          // highest number seen for the first time

	attached, inHand bool
	batch            batch
	wire             []byte // of this session, not parsed yet
	last             int    // number last seen in this session
	pings            []int  // for each PING seen and not answered: last at that time
	sure             int    // highest number confirmed
	taken            map[int]bool
	want             BufferStats
}

type liveFrame struct {
	n, size int
	at      uint64
}

func newKeepModel(t testing.TB, limits boxLimits) *keepModel {
	m := &keepModel{t: t, limits: limits, box: newOutbox(limits, new(Statistics)), first: -1, last: -1, sure: -1,
		got: map[int]bool{}, gone: map[int]bool{}, taken: map[int]bool{}}
	m.box.keepAll()
	m.box.slack = max(0, limits.bytes%5000) // small, so that dead frames are moved out
	m.box.listen(func() { m.report(m.box.takeGiven()); require.Empty(t, m.box.takeGiven()) })
	return m
}

// report takes what the outbox has given up out of the model.
func (m *keepModel) report(given []Undelivered) {
	for _, u := range given {
		require.NotNil(m.t, u.Msg)
		n, err := strconv.Atoi(strings.Fields(string(u.Msg.Data))[0])
		require.NoError(m.t, err)
		m.want.Undelivered++
		if errors.Is(u.Err, ErrDropped) {
			m.want.Dropped++
		}
		if n == m.accepted { // the newest: it never was live
			m.gone[n] = true
			continue
		}
		m.remove(n)
	}
}

func (m *keepModel) remove(n int) liveFrame {
	i := slices.IndexFunc(m.live, func(f liveFrame) bool { return f.n == n })
	require.GreaterOrEqual(m.t, i, 0, "%d is not live", n)
	f := m.live[i]
	m.live = slices.Delete(m.live, i, i+1)
	m.gone[n] = true
	return f
}

func (m *keepModel) size() (bytes int) {
	for _, f := range append(m.live, m.spent...) {
		bytes += f.size
	}
	return bytes
}

func (m *keepModel) full() bool {
	return m.size() >= int(m.limits.bytes) || m.limits.msgs > 0 && len(m.live)+len(m.spent) >= int(m.limits.msgs)
}

func (m *keepModel) publish(size int) {
	full := m.full()
	if m.attached && full {
		return // it would wait
	}
	data := payloadOf(m.accepted, size)
	how := handling{at: m.box.tail}
	var err error
	if m.accepted%2 == 0 || !m.box.quick("s", data, true) {
		err = m.box.publish("s", "", nil, data, &how)
	}
	if full && m.limits.overflow == OverflowReject {
		require.ErrorIs(m.t, err, ErrReconnectBufExceeded)
		m.want.Rejected++
		return
	}
	require.NoError(m.t, err)
	if !full || m.limits.overflow == OverflowDropOldest {
		m.live = append(m.live, liveFrame{m.accepted, publishSize("s", "", nil, data), how.at})
	}
	m.accepted++
}

func (m *keepModel) attach() {
	if !m.attached {
		m.attached, m.last = true, -1
		m.box.attach([]byte("SUB r 1\r\n"), nil, func() {})
	}
}

// canTake reports whether the writer would not wait.
func (m *keepModel) canTake() bool {
	m.box.mu.Lock()
	defer m.box.mu.Unlock()
	if !m.attached || m.inHand || !m.box.pendingLocked() {
		return false
	}
	_, wait := m.box.paceLocked()
	return wait == 0
}

func (m *keepModel) take() {
	if m.canTake() {
		require.True(m.t, m.box.take(&m.batch))
		require.NotZero(m.t, m.batch.size, "nothing to write")
		m.inHand = true
	}
}

// write makes the kernel take a part of the batch. The server may process and
// answer it before the writer knows.
func (m *keepModel) write(part, answers int) {
	if !m.inHand {
		return
	}
	all := bytes.Join(m.batch.vec, nil)
	n := len(all) * part / 255
	m.feed(all[:n])
	for range answers {
		m.answer()
	}
	m.box.advance(n)
	m.inHand = false
	m.spent = slices.DeleteFunc(m.spent, func(f liveFrame) bool { return m.last >= f.n })
}

// feed is the server's parser.
func (m *keepModel) feed(b []byte) {
	m.wire = append(m.wire, b...)
	for {
		line, rest, ok := bytes.Cut(m.wire, crlf)
		if !ok {
			return
		}
		switch f := strings.Fields(string(line)); f[0] {
		case "PING":
			m.pings = append(m.pings, m.last)
		case "PUB":
			size, err := strconv.Atoi(f[2])
			require.NoError(m.t, err)
			if len(rest) < size+2 {
				return
			}
			m.arrive(string(rest[:size]))
			rest = rest[size+2:]
		default:
			require.Contains(m.t, []string{"SUB", "PONG"}, f[0])
		}
		m.wire = rest
	}
}

func (m *keepModel) arrive(data string) {
	n, err := strconv.Atoi(strings.Fields(data)[0])
	require.NoError(m.t, err)
	require.Greater(m.t, n, m.last, "order within a session")
	require.Greater(m.t, n, m.sure, "it was confirmed")
	spent := slices.ContainsFunc(m.spent, func(f liveFrame) bool { return f.n == n })
	require.True(m.t, !m.gone[n] || spent, "%d is gone", n)
	if !m.got[n] {
		require.Greater(m.t, n, m.first, "order of first deliveries")
		m.first = n
	}
	if m.taken[n] {
		m.want.Repeated++
	}
	m.got[n], m.taken[n], m.last = true, true, n
}

// answer sends the oldest PONG.
func (m *keepModel) answer() {
	if len(m.pings) == 0 {
		return
	}
	_, ok := m.box.answered()
	require.True(m.t, ok)
	m.sure = max(m.sure, m.pings[0])
	m.pings = m.pings[1:]
	m.live = slices.DeleteFunc(m.live, func(f liveFrame) bool {
		if f.n <= m.sure {
			require.True(m.t, m.got[f.n])
			m.want.Confirmed++
			return true
		}
		return false
	})
}

// spare is a requester that has its reply, or has given up.
func (m *keepModel) spare(which int, reply bool) {
	if len(m.live) == 0 {
		return
	}
	f := m.live[which%len(m.live)]
	m.box.mu.Lock()
	at, ok := m.box.currentLocked(f.at)
	require.True(m.t, ok)
	begun, passed := m.box.begunLocked(at), at < m.box.sent.pos
	m.box.mu.Unlock()
	switch {
	case reply && !m.got[f.n]:
		return
	case reply:
		m.box.spare(f.at)
		m.want.Confirmed++
	default:
		require.True(m.t, m.box.withdraw(f.at))
		require.False(m.t, m.box.withdraw(f.at), "twice")
		m.want.Withdrawn++
	}
	m.remove(f.n)
	if begun && !passed {
		m.spent = append(m.spent, f)
	}
}

func (m *keepModel) purge() {
	msgs := m.box.purge()
	m.want.Purged += uint64(len(msgs))
	for _, msg := range msgs {
		n, err := strconv.Atoi(strings.Fields(string(msg.Data))[0])
		require.NoError(m.t, err)
		m.remove(n)
	}
}

func (m *keepModel) detach(part, blame int) {
	if !m.attached {
		return
	}
	m.box.detach()
	m.write(part, 0)
	m.attached, m.wire, m.pings, m.spent = false, nil, nil, nil
	m.box.rewind(blame)
}

func (m *keepModel) check() {
	b := m.box
	b.mu.Lock()
	defer b.mu.Unlock()
	st := b.bufferStatsLocked()
	if !m.inHand {
		require.Equal(m.t, len(m.live)+len(m.spent), st.Msgs, "messages")
		require.Equal(m.t, m.size(), st.Bytes, "bytes")
		require.Equal(m.t, m.want.Confirmed, st.Confirmed, "confirmed")
		require.Equal(m.t, m.want.Repeated, st.Repeated, "repeated")
	}
	require.Equal(m.t, m.want.Undelivered, st.Undelivered)
	require.Equal(m.t, m.want.Dropped, st.Dropped)
	require.Equal(m.t, m.want.Rejected, st.Rejected)
	require.Equal(m.t, m.want.Withdrawn, st.Withdrawn)
	require.Equal(m.t, m.want.Purged, st.Purged)
	require.Zero(m.t, st.InDoubt)
	require.LessOrEqual(m.t, len(b.asked), maxAsked+2000)
	require.GreaterOrEqual(m.t, st.UnconfirmedMsgs, 0)
	require.LessOrEqual(m.t, st.UnconfirmedMsgs, st.Msgs)
	require.LessOrEqual(m.t, st.UnconfirmedBytes, st.Bytes)
	require.Equal(m.t, deadBytesOf(b, b.keep.from), b.deadBytes, "dead bytes")
	require.True(m.t, inRing(b, b.sent) && inRing(b, b.keep.from), "a cursor in a chunk that was given back")
	if st.Msgs == 0 && b.control == 0 && b.dead == 0 && !m.inHand {
		require.Nil(m.t, b.head, "memory is kept for nothing")
	}
}

func (m *keepModel) step(op, arg byte) {
	switch op % 16 {
	case 0, 1, 2, 3:
		m.publish(int(arg) % 48)
	case 4:
		m.publish(int(arg) * 17)
	case 5:
		if m.accepted%2 == 0 {
			m.publish(int(arg) * 400)
		}
	case 6:
		m.box.sendControl([]byte("SUB c 1\r\n"))
	case 7:
		m.box.ping(arg%2 == 0)
	case 8:
		m.box.pong()
	case 9, 10:
		m.take()
	case 11, 12:
		m.write(int(arg), int(arg)%3)
	case 13:
		switch arg % 4 {
		case 0:
			m.answer()
		case 1:
			m.spare(int(arg), arg%8 < 4)
		case 2:
			m.box.mu.Lock()
			m.box.askSoonLocked()
			m.box.mu.Unlock()
		case 3:
			if arg < 32 {
				m.purge()
			}
		}
	case 14:
		if arg%4 == 0 {
			m.detach(int(arg), []int{0, 0, blameBreak, blameBreak, blameHangUp, blameWord}[int(arg/4)%6])
		}
	case 15:
		m.attach()
	}
	m.check()
}

// finish lets a good server process everything.
func (m *keepModel) finish() {
	m.write(255, 0)
	m.detach(255, 0)
	m.attach()
	for range 100_000 {
		if m.canTake() {
			m.take()
			m.write(255, 2)
			m.check()
			continue
		}
		if len(m.live) == 0 {
			break
		}
		m.answer()
		m.box.mu.Lock()
		m.box.askSoonLocked()
		m.box.mu.Unlock()
	}
	require.Empty(m.t, m.live, "not everything was confirmed")
	for n := range m.accepted {
		require.True(m.t, m.got[n] || m.gone[n], "%d was lost", n)
	}
	w := m.want
	require.EqualValues(m.t, m.accepted, w.Confirmed+w.Undelivered+w.Withdrawn+w.Purged)
	require.EqualValues(m.t, m.accepted, m.box.stats.OutMsgs)
	require.Zero(m.t, m.box.bufferStats().UnconfirmedMsgs)
}

func runKeepSchedule(t testing.TB, limits boxLimits, steps []byte) {
	m := newKeepModel(t, limits)
	for i := 0; i+1 < len(steps); i += 2 {
		m.step(steps[i], steps[i+1])
	}
	m.finish()
}

// TestKeepingOutboxAgainstModel: whatever happens between a publish, a kernel that
// takes a part, a server that answers late or never, and a connection that breaks,
// each message arrives or is given up aloud, in order.
func TestKeepingOutboxAgainstModel(t *testing.T) {
	t.Parallel()
	schedules := 1500
	if testing.Short() || raceEnabled {
		schedules = 300
	}
	limits := []boxLimits{{bytes: 1}, {bytes: 34}, {bytes: 1000, msgs: 7}, {bytes: 100_000}, {bytes: 900_000},
		{bytes: 3000, overflow: OverflowDropOldest}, {bytes: 100_000, msgs: 9, overflow: OverflowDropOldest},
		{bytes: 50_000, msgs: 10, overflow: OverflowDropNewest}}
	for i := range schedules {
		rng := rand.New(rand.NewPCG(uint64(i), 2))
		steps := make([]byte, 2*(20+rng.IntN(400)))
		for j := range steps {
			steps[j] = byte(rng.Uint32())
		}
		limit := limits[i%len(limits)]
		if !t.Run("", func(t *testing.T) { runKeepSchedule(t, limit, steps) }) {
			t.Fatalf("seed %d, limits %+v", i, limit)
		}
	}
}

func FuzzKeepingOutbox(f *testing.F) {
	f.Add([]byte{0, 9, 15, 0, 9, 0, 11, 255, 13, 0, 0, 3, 14, 0, 15, 0, 9, 0, 11, 255}, 1000, 0)
	f.Add([]byte{15, 0, 5, 255, 6, 0, 7, 0, 9, 0, 11, 100, 14, 8, 15, 0, 9, 0, 11, 255, 14, 16}, 100_000, 5)
	f.Fuzz(func(t *testing.T, steps []byte, bytes, msgs int) {
		if len(steps) > 2000 {
			return
		}
		policies := []OverflowPolicy{OverflowReject, OverflowDropOldest, OverflowDropNewest}
		runKeepSchedule(t, boxLimits{bytes: int64(max(1, min(bytes, 900_000))), msgs: int64(msgs),
			overflow: policies[len(steps)/2%len(policies)]}, steps)
	})
}

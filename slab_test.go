package nats

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// inboundRig is a read loop without a socket: what reads brings goes the way that
// it goes in a session.
type inboundRig struct {
	nc *Conn
	r  *reader
	in inbuf
}

func newInboundRig(t testing.TB) *inboundRig {
	t.Helper()
	_, nc := connect(t)
	i := &inboundRig{nc: nc, r: &reader{nc: nc, s: &session{}}, in: newInbuf()}
	i.r.parser.sink = i.r
	i.r.parser.maxPayload = minMaxPayload
	return i
}

// arrive is a socket that has wire: each read takes as much as it is asked for, or
// as much as most says.
func (i *inboundRig) arrive(t testing.TB, wire []byte, most func() int) {
	t.Helper()
	for len(wire) > 0 {
		if b := i.r.parser.room(); len(b) > 0 {
			n := copy(b[:min(len(b), most())], wire)
			i.r.parser.filled(n)
			i.r.endOfRead()
			wire = wire[n:]
			continue
		}
		space := i.in.space()
		n := copy(space[:min(len(space), most())], wire)
		wire = wire[n:]
		rest, err := i.r.parse(i.in.got(n), carryMost)
		require.NoError(t, err)
		i.in.next(n, rest)
	}
}

func whole() int { return 1 << 30 }

// sampleMsg is a message with a payload that only it has.
func sampleMsg(n, size int) (reply string, data []byte) {
	data = bytes.Repeat([]byte{byte('a' + n%26)}, size)
	copy(data, fmt.Sprint(n))
	if n%3 == 0 {
		reply = fmt.Sprintf("reply.%d", n)
	}
	return reply, data
}

// wireOf encodes messages of the given sizes to one subscription.
func wireOf(sid int64, sizes []int) []byte {
	var b []byte
	for n, size := range sizes {
		reply, data := sampleMsg(n, size)
		if n%7 == 5 {
			hdr := "NATS/1.0\r\nN: " + fmt.Sprint(n) + "\r\n\r\n"
			b = fmt.Appendf(b, "HMSG foo %d %s %d %d\r\n%s%s\r\n", sid, reply, len(hdr), len(hdr)+len(data), hdr, data)
			continue
		}
		b = fmt.Appendf(b, "MSG foo %d %s %d\r\n%s\r\n", sid, reply, len(data), data)
	}
	return bytes.ReplaceAll(b, []byte("  "), []byte(" "))
}

func mixedSizes(seed uint64, n int) []int {
	rnd := rand.New(rand.NewPCG(seed, 0))
	sizes := make([]int, n)
	for i := range sizes {
		sizes[i] = []int{0, 16, 128, rnd.IntN(3000), rnd.IntN(200), 1024}[rnd.IntN(6)]
		if rnd.IntN(100) == 0 {
			sizes[i] = rnd.IntN(100_000)
		}
	}
	return sizes
}

// Whatever a program does with one message, the others stay as they were sent; also
// if it appends to the data or writes into all of its capacity.
func TestReceivedMessagesShareNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		most func(*rand.Rand) int
	}{
		{"full reads", func(*rand.Rand) int { return whole() }},
		{"small reads", func(r *rand.Rand) int { return 1 + r.IntN(300) }},
		{"reads of any size", func(r *rand.Rand) int { return 1 + r.IntN(20_000) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rig := newInboundRig(t)
			ch := make(chan *Msg, 3000)
			sub, err := rig.nc.ChanSubscribe("foo", ch)
			require.NoError(t, err)
			sizes := mixedSizes(7, cap(ch))
			rnd := rand.New(rand.NewPCG(1, 2))
			rig.arrive(t, wireOf(sub.sid, sizes), func() int { return c.most(rnd) })
			require.Len(t, ch, len(sizes))
			var msgs []*Msg
			for range sizes {
				msgs = append(msgs, <-ch)
			}
			for n, m := range msgs {
				reply, data := sampleMsg(n, sizes[n])
				require.Equal(t, "foo", m.Subject)
				require.Equal(t, reply, m.Reply, "message %d", n)
				require.True(t, bytes.Equal(data, m.Data), "message %d of %d bytes", n, len(data))
				require.Equal(t, n%7 == 5, m.Header.Get("N") == fmt.Sprint(n))
				require.Nil(t, m.next)
				all := m.Data[:cap(m.Data)]
				for i := range all {
					all[i] = '!'
				}
				_ = append(m.Data, "behind"...)
			}
			for n, m := range msgs {
				reply, _ := sampleMsg(n, sizes[n])
				require.Equal(t, reply, m.Reply, "message %d, after all data were overwritten", n)
			}
		})
	}
}

// The bound that the documentation of Msg states.
func TestKeptMessageHoldsLittle(t *testing.T) {
	for _, size := range []int{0, 16, 128, 1024, ownBytes - 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			rig := newInboundRig(t)
			var kept []*Msg
			sub, err := rig.nc.ChanSubscribe("foo", make(chan *Msg, 100_000))
			require.NoError(t, err)
			const n = 40_000
			sizes := make([]int, n)
			for i := range sizes {
				sizes[i] = size
			}
			wire := wireOf(sub.sid, sizes)
			before := heapInUse()
			rig.arrive(t, wire, whole)
			for i := range n {
				if m := <-sub.ch; i%1000 == 500 { // each in a slab and a window of its own
					kept = append(kept, m)
				}
			}
			after := heapInUse()
			each := (float64(after) - float64(before)) / float64(len(kept))
			assert.Less(t, each, 16.0*1024, "bytes for each message that is kept")
			runtime.KeepAlive(kept)
			runtime.KeepAlive(wire)
		})
	}
	assert.LessOrEqual(t, slabMsgs*unsafe.Sizeof(Msg{}), uintptr(3<<10))
}

// A message that is kept does not keep what was discarded behind it.
func TestDiscardedMessagesAreUnlinked(t *testing.T) {
	t.Parallel()
	rig := newInboundRig(t)
	sub, err := rig.nc.SubscribeSync("foo")
	require.NoError(t, err)
	rig.arrive(t, wireOf(sub.sid, make([]int, 100)), whole)
	first, err := sub.NextMsg(0)
	require.NoError(t, err)
	sub.mu.Lock()
	var queued []*Msg
	for p := sub.queue.first; p != nil; p = p.next {
		queued = append(queued, p)
	}
	sub.mu.Unlock()
	require.Greater(t, len(queued), 2, "pieces")
	require.NoError(t, sub.Unsubscribe())
	require.Nil(t, first.next)
	for i, m := range queued {
		require.Nil(t, m.next, "message %d", i)
	}
}

func TestSmallMessagesAreMadeInNumbers(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations with the race detector say nothing")
	}
	rig := newInboundRig(t)
	sub, err := rig.nc.SubscribeSync("foo")
	require.NoError(t, err)
	const n = 1000
	var wire []byte
	for range n {
		wire = fmt.Appendf(wire, "MSG foo %d 128\r\n%s\r\n", sub.sid, strings.Repeat("x", 128))
	}
	perRun := testing.AllocsPerRun(10, func() {
		rig.arrive(t, wire, whole)
		for range n {
			if _, err := sub.NextMsg(0); err != nil {
				t.Fatal(err)
			}
		}
	})
	assert.Less(t, perRun/n, 0.2, "allocations for a message")
}

// A read that brings one message costs one allocation, and no more memory than it needs.
func TestMessageAloneIsOnePieceOfMemory(t *testing.T) {
	for _, n := range []int{40, 168, 424} { // the lengths that alone makes one piece for
		require.Contains(t, []uintptr{128, 256, 512}, unsafe.Sizeof(Msg{})+uintptr(n), "a size of the allocator")
	}
	rig := newInboundRig(t)
	sub, err := rig.nc.SubscribeSync("foo")
	require.NoError(t, err)
	for _, size := range []int{0, 1, 16, 128, 300, 400, 1000, ownBytes} {
		data := strings.Repeat("x", size)
		wire := fmt.Appendf(nil, "MSG foo %d reply %d\r\n%s\r\n", sub.sid, size, data)
		receive := func() *Msg {
			rig.arrive(t, wire, whole)
			m, err := sub.NextMsg(0)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		m := receive()
		require.Equal(t, data, string(m.Data))
		require.Equal(t, "reply", m.Reply)
		require.Equal(t, "foo", m.Subject)
		require.LessOrEqual(t, cap(m.Data), size)
		if !raceEnabled {
			most := 1.0
			if size >= 400 {
				most = 2
			}
			assert.LessOrEqual(t, testing.AllocsPerRun(100, func() { receive() }), most, "%d bytes", size)
		}
	}
}

func TestSubjectCache(t *testing.T) {
	t.Parallel()
	var c subjectCache
	assert.Equal(t, "a", c.of([]byte("a")))
	assert.Nil(t, c.slots, "one subject needs no cache")
	for range 3 {
		for n := range 3 * cachedSubjects {
			s := fmt.Sprintf("subject.%d", n)
			b := []byte(s)
			got := c.of(b)
			clear(b)
			require.Equal(t, s, got)
		}
	}
	long := strings.Repeat("x", cachedLength+1)
	assert.Equal(t, long, c.of([]byte(long)))
	assert.NotContains(t, c.slots, long)
}

// The short way and the long way must be of one mind.
func TestParserShortWayAgrees(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"MSG a 1 0\r\n\r\n", "MSG a 1 3\r\nabc\r\n", "MSG a.b 12 r 3\r\nabc\r\n", "MSG a 1 3\nabc\n", "MSG  a 1 3\r\nabc\r\n",
		"MSG a\t1 3\r\nabc\r\n", "MSG a 1 r x 3\r\nabc\r\n", "MSG a 1 -3\r\nabc\r\n", "MSG a\r\nPING\r\n", "MSG a 1\r\n",
		"MSG a 999999999999999999 1\r\nx\r\n", "MSG a 9999999999999999999 1\r\nx\r\n", "MSG a 1 9999999999\r\n", "MSG a 1 1 \r\nx\r\n",
		"MSG a 1 3\r\nabcX\n", "MSG  1 3\r\nabc\r\n", "MSG a x 3\r\nabc\r\n", "MSG a 1 3x\r\nabc\r\n", "MSG a\r\nMSG b 1 1\r\nx\r\n",
		"MSG a 1 12 3\r\nabc\r\n", "MSG a 1 r\x013 3\r\nabc\r\n", "MSG a 01 03\r\nabc\r\n",
	} {
		short, shortErr := parsedBy(text, len(text))
		long, longErr := parsedBy(text, 1) // one byte at a time is always the long way
		assert.Equal(t, long, short, "%q", text)
		assert.Equal(t, longErr != nil, shortErr != nil, "%q: %v, %v", text, longErr, shortErr)
	}
}

// callLog is a sink that notes its calls.
type callLog struct{ calls []string }

func (l *callLog) message(a *msgArgs, payload []byte, _ bool) {
	l.calls = append(l.calls, fmt.Sprintf("%s %d %s %d %d %s", a.subject, a.sid, a.reply, a.header, a.total, payload))
}
func (l *callLog) ping()                 { l.calls = append(l.calls, "PING") }
func (l *callLog) pong()                 { l.calls = append(l.calls, "PONG") }
func (l *callLog) info(b []byte)         { l.calls = append(l.calls, "INFO "+string(b)) }
func (l *callLog) serverErr(text []byte) { l.calls = append(l.calls, "-ERR "+string(text)) }

func parsedBy(text string, piece int) ([]string, error) {
	var l callLog
	p := parser{sink: &l, maxPayload: minMaxPayload}
	for len(text) > 0 {
		n := min(piece, len(text))
		if err := p.feed([]byte(text[:n])); err != nil {
			return l.calls, err
		}
		text = text[n:]
	}
	return l.calls, nil
}

func TestHasControl(t *testing.T) {
	t.Parallel()
	for n := range 40 {
		b := bytes.Repeat([]byte{0xa1}, n)
		require.False(t, hasControl(b))
		for i := range b {
			for _, c := range []byte{0, 1, '\t', '\n', '\r', ' '} {
				b[i] = c
				require.True(t, hasControl(b), "%d at %d of %d", c, i, n)
			}
			for _, c := range []byte{'!', 'a', 0x7f, 0x80, 0xff} {
				b[i] = c
				require.False(t, hasControl(b), "%d at %d of %d", c, i, n)
			}
		}
	}
}

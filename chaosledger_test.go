package nats

import (
	"bytes"
	"math/bits"
	"strconv"
	"sync"

	"github.com/natsring/nats.go/internal/faultproxy"
)

// The ledger of a chaos run: what was accepted, what the server was given, what
// a subscriber got, what was reported undelivered. Every message has a publisher
// and a number of its own.

// chaosPublishers is how many there are.
const chaosPublishers = 3

// chaosSizes are the bytes of payload of each. Those of the last go over the end
// of a chunk now and then.
var chaosSizes = [chaosPublishers]int{128, 128, 9000}

// chaosEvery is how many messages of the others come to one of a publisher.
var chaosEvery = [chaosPublishers]int{2, 2, 1000}

// chaosSet is a set of small numbers.
type chaosSet []uint64

// add reports whether n is new.
func (s *chaosSet) add(n int) bool {
	for n/64 >= len(*s) {
		*s = append(*s, 0)
	}
	word, bit := &(*s)[n/64], uint64(1)<<(n%64)
	fresh := *word&bit == 0
	*word |= bit
	return fresh
}

func (s chaosSet) word(i int) uint64 {
	if i < len(s) {
		return s[i]
	}
	return 0
}

func (s chaosSet) count() (n int) {
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// without is the numbers of s that are in none of the others.
func (s chaosSet) without(others ...chaosSet) chaosSet {
	rest := make(chaosSet, len(s))
	for i, w := range s {
		for _, o := range others {
			w &^= o.word(i)
		}
		rest[i] = w
	}
	return rest
}

// and is the numbers that are in both.
func (s chaosSet) and(o chaosSet) chaosSet { return s.without(s.without(o)) }

// below counts the numbers under n.
func (s chaosSet) below(n int) (count int) {
	for i, w := range s[:min(len(s), n/64+1)] {
		if i == n/64 {
			w &= 1<<(n%64) - 1
		}
		count += bits.OnesCount64(w)
	}
	return count
}

// first is some numbers of the set, for the message of a failure.
func (s chaosSet) first() (some []int) {
	for i, w := range s {
		for ; w != 0 && len(some) < 5; w &= w - 1 {
			some = append(some, i*64+bits.TrailingZeros64(w))
		}
	}
	return some
}

// chaosSubject is the subject of a publisher.
func chaosSubject(pub int) string { return "chaos." + strconv.Itoa(pub) }

// chaosPayload is the message n of a publisher. Each differs from all others in
// most bytes, and some have line ends in them.
func chaosPayload(b []byte, pub, n int) []byte {
	b = append(b[:0], byte('0'+pub))
	for unit := 1_000_000_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+n/unit%10))
	}
	for i := len(b); i < chaosSizes[pub]; i++ {
		b = append(b, byte(n+7*i+pub))
	}
	return b
}

// chaosNumber reads a payload; false if one byte is not as it was sent.
func chaosNumber(data []byte) (pub, n int, ok bool) {
	if len(data) < 11 {
		return 0, 0, false
	}
	for _, c := range data[1:11] {
		n = n*10 + int(c-'0')
	}
	pub = int(data[0] - '0')
	if pub < 0 || pub >= chaosPublishers || len(data) != chaosSizes[pub] {
		return 0, 0, false
	}
	var want [256]byte
	return pub, n, bytes.Equal(data, chaosPayload(want[:0], pub, n))
}

// chaosTally is the messages that somebody has seen.
type chaosTally struct {
	mu        sync.Mutex
	seen      int
	got       [chaosPublishers]chaosSet
	top       [chaosPublishers]int // behind the highest number
	repeated  []int
	damaged   int
	overtaken int // seen behind a higher number of the same publisher
}

func (t *chaosTally) see(data []byte) (pub, n int, ok bool) {
	pub, n, ok = chaosNumber(data)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen++
	switch {
	case !ok:
		t.damaged++
		return
	case !t.got[pub].add(n):
		t.repeated = append(t.repeated, n)
	case n < t.top[pub]:
		t.overtaken++
	}
	t.top[pub] = max(t.top[pub], n+1)
	return
}

func (t *chaosTally) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen
}

// chaosTap sees what the proxy's kernel has taken for the server. A message
// counts once its frame is whole there.
type chaosTap struct {
	chaosTally

	streamMu sync.Mutex
	streams  []*chaosStream // by the number of the proxy's connection
	skipped  int            // how many of the first are not among them any more
}

// chaosStream is one connection to the server. The proxy's writer owns it.
type chaosStream struct {
	tap     *chaosTap
	held    []byte // a frame that is not whole yet
	garbled int
	// The first and the last number of each publisher, and how often one was
	// not higher than the last.
	first, last [chaosPublishers]int
	disorder    int
}

// observe is for faultproxy.Observe.
func (t *chaosTap) observe(c *faultproxy.Conn, dir faultproxy.Direction, b []byte) {
	if dir == faultproxy.Up {
		t.stream(c.ID()).feed(b)
	}
}

func (t *chaosTap) stream(id int) *chaosStream {
	t.streamMu.Lock()
	defer t.streamMu.Unlock()
	id -= t.skipped
	for len(t.streams) < id {
		s := &chaosStream{tap: t}
		for p := range chaosPublishers {
			s.first[p], s.last[p] = -1, -1
		}
		t.streams = append(t.streams, s)
	}
	return t.streams[id-1]
}

var (
	chaosLines = [][]byte{[]byte("CONNECT {"), []byte("PING\r\n"), []byte("PONG\r\n"),
		[]byte("SUB "), []byte("UNSUB ")}
	chaosControl = func() (lines [chaosPublishers][]byte) {
		for p := range lines {
			lines[p] = []byte("PUB " + chaosSubject(p) + " " + strconv.Itoa(chaosSizes[p]) + "\r\n")
		}
		return lines
	}()
)

func (s *chaosStream) feed(b []byte) {
	if len(s.held) > 0 {
		s.held = append(s.held, b...)
		b = s.held
	}
	for {
		n := s.frame(b)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	s.held = append(s.held[:0], b...)
}

// frame takes the first frame or line of b and returns its length; 0 if it is
// not whole.
func (s *chaosStream) frame(b []byte) int {
	end := bytes.IndexByte(b, '\n') + 1
	if end == 0 {
		return 0
	}
	for pub, line := range chaosControl {
		if !bytes.Equal(b[:end], line) {
			continue
		}
		size := len(line) + chaosSizes[pub] + len(crlf)
		if len(b) < size {
			return 0
		}
		if !bytes.HasSuffix(b[:size], crlf) {
			s.garbled++
		}
		s.message(pub, b[end:size-len(crlf)])
		return size
	}
	known := false
	for _, l := range chaosLines {
		known = known || bytes.HasPrefix(b, l)
	}
	if !known {
		s.garbled++
	}
	return end
}

func (s *chaosStream) message(subject int, data []byte) {
	pub, n, ok := s.tap.see(data)
	if !ok || pub != subject {
		s.garbled++
		return
	}
	if n <= s.last[pub] {
		s.disorder++
	}
	if s.first[pub] < 0 {
		s.first[pub] = n
	}
	s.last[pub] = max(s.last[pub], n)
}

// disorder counts the places where the stream of all connections, one after the
// other, is not in the order of the publishers. Bytes of a lost connection that
// reach the server late are not disorder: the network did that. Without across
// each connection is looked at by itself.
func (t *chaosTap) disorder(across bool) (n, garbled int) {
	t.streamMu.Lock()
	defer t.streamMu.Unlock()
	last := [chaosPublishers]int{}
	for p := range last {
		last[p] = -1
	}
	for _, s := range t.streams {
		n += s.disorder
		garbled += s.garbled
		for p := range last {
			if across && s.first[p] >= 0 && s.first[p] <= last[p] {
				n++
			}
			last[p] = max(last[p], s.last[p])
		}
	}
	return n, garbled
}

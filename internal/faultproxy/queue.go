package faultproxy

import "time"

// window is how long after its first byte a chunk may still grow, so that many
// small reads do not make many chunks. Delay adds it.
const window = time.Millisecond

// chunk is bytes that were read at about the same time.
type chunk struct {
	b  []byte
	at time.Time // when its first byte was read
}

// queue is the bytes read and not yet forwarded. It has no lock. A slice of its
// front stays valid while bytes are added.
type queue struct {
	chunks []chunk
	size   int // bytes
}

// push copies b to the end.
func (q *queue) push(b []byte, now time.Time) {
	if len(b) == 0 {
		return
	}
	q.size += len(b)
	if n := len(q.chunks); n > 0 {
		last := &q.chunks[n-1]
		if now.Sub(last.at) < window && len(last.b)+len(b) <= maxPiece {
			last.b = append(last.b, b...)
			return
		}
	}
	q.chunks = append(q.chunks, chunk{b: append([]byte(nil), b...), at: now})
}

// pop takes n bytes off the front and hands them to seen, piece by piece.
func (q *queue) pop(n int, seen func([]byte)) {
	q.size -= n
	for n > 0 {
		head := &q.chunks[0]
		k := min(n, len(head.b))
		seen(head.b[:k])
		n -= k
		head.b = head.b[k:]
		if len(head.b) == 0 {
			q.chunks[0] = chunk{}
			q.chunks = q.chunks[1:]
		}
	}
}

package main

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// wire returns the frames of some messages as they go over the wire.
func wire(lay *layout, numbers ...int) string {
	s := ""
	for _, n := range numbers {
		s += string(lay.head) + string(lay.payload(nil, n)) + "\r\n"
	}
	return s
}

const greeting = "CONNECT {\"verbose\":false}\r\nPING\r\n"

// However the stream is cut, the same messages are found.
func TestScannerFindsMessagesInAnyPieces(t *testing.T) {
	t.Parallel()
	lay := newLayout("PUB.P", 16)
	stream := greeting + "SUB a 1\r\n" + wire(lay, 0, 1) + "PONG\r\n" + wire(lay, 2) + "PING\r\nUNSUB 1\r\n" + wire(lay, 5)
	for size := 1; size <= len(stream); size++ {
		s := scanner{layout: lay}
		var found []int
		for piece := range slices.Chunk([]byte(stream), size) {
			found = s.feed(found, piece)
		}
		assert.Equal(t, []int{0, 1, 2, 5}, found, "in pieces of %d", size)
		assert.Zero(t, s.garbled)
		assert.Empty(t, s.held)
	}
}

func TestScannerWaitsForTheLastByte(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", 16)
	stream := wire(lay, 3, 4)
	s := scanner{layout: lay}
	assert.Equal(t, []int{3}, s.feed(nil, []byte(stream[:len(stream)-1])))
	assert.Equal(t, []int{4}, s.feed(nil, []byte(stream[len(stream)-1:])))
}

func TestScannerSeesGarbage(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", 16)
	for _, bad := range []string{
		"NONSENSE\r\n",
		"PUB other 16\r\n",
		"PUB s 16\r\n0000000000000000\r\n",   // the filler
		"PUB s 16\r\n000000000001....\r\rPI", // the end
	} {
		s := scanner{layout: lay}
		found := s.feed(nil, []byte(bad))
		assert.Empty(t, found, "%q", bad)
		assert.Equal(t, 1, s.garbled, "%q", bad)
	}
	// A frame torn in the middle swallows the beginning of the next.
	s := scanner{layout: lay}
	found := s.feed(nil, []byte(wire(lay, 1)[:20]+wire(lay, 1, 2)))
	assert.NotEqual(t, []int{1, 2}, found)
	assert.NotZero(t, s.garbled)
}

// What is written costs next to nothing to read.
func BenchmarkScanner(b *testing.B) {
	lay := newLayout("reconnect-buffer.0123456789012345678901", 128)
	var stream string
	for n := range 360 {
		stream += wire(lay, n)
	}
	p := []byte(stream)
	s := scanner{layout: lay}
	var found []int
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		found = s.feed(found[:0], p)
	}
}

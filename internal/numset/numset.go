// Package numset is a set of message numbers, for programs that account for every
// message that they have sent.
package numset

import "math/bits"

// pageWords makes a page of a set 8 KiB, which holds 65,536 numbers.
const pageWords = 1 << 10

type page [pageWords]uint64

// A Set holds numbers from 0 up, one bit each. It grows by pages, so nothing that it
// has is ever copied. The zero value is empty. It has no lock.
type Set struct {
	pages []*page
	count int
	top   int
}

// Count is how many numbers are in s.
func (s *Set) Count() int { return s.count }

// Top is one more than the highest number in s; 0 if there is none.
func (s *Set) Top() int { return s.top }

// Add puts n in; false if it was in already.
func (s *Set) Add(n int) bool {
	at, bit := n/64, uint64(1)<<(n%64)
	for at/pageWords >= len(s.pages) {
		s.pages = append(s.pages, new(page))
	}
	word := &s.pages[at/pageWords][at%pageWords]
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	s.count++
	s.top = max(s.top, n+1)
	return true
}

// Has reports whether n is in s.
func (s *Set) Has(n int) bool { return s.word(n/64)&(1<<(n%64)) != 0 }

func (s *Set) word(at int) uint64 {
	if at/pageWords >= len(s.pages) {
		return 0
	}
	return s.pages[at/pageWords][at%pageWords]
}

// Without calls f for each number that is in s and not in other, in order.
func (s *Set) Without(other *Set, f func(n int)) {
	for at := range (s.top + 63) / 64 {
		for left := s.word(at) &^ other.word(at); left != 0; left &= left - 1 {
			f(at*64 + bits.TrailingZeros64(left))
		}
	}
}

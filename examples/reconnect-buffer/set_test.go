package main

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSetAgainstAMap(t *testing.T) {
	t.Parallel()
	const pageBits = pageWords * 64
	var a, b set
	inA, inB := map[int]bool{}, map[int]bool{}
	for range 20_000 {
		n := rand.N(3 * pageBits)
		assert.Equal(t, !inA[n], a.add(n))
		inA[n] = true
		n = rand.N(2 * pageBits)
		b.add(n)
		inB[n] = true
	}
	for _, edge := range []int{0, 63, 64, pageBits - 1, pageBits, 3*pageBits - 1} {
		a.add(edge)
		inA[edge] = true
	}
	assert.Equal(t, len(inA), a.count)
	assert.Equal(t, 3*pageBits, a.top)
	var want, got []int
	for n := range inA {
		assert.True(t, a.has(n))
		if !inB[n] {
			want = append(want, n)
		}
	}
	slices.Sort(want)
	a.without(&b, func(n int) { got = append(got, n) })
	assert.Equal(t, want, got)
}

func TestEmptySet(t *testing.T) {
	t.Parallel()
	var a, b set
	b.add(1 << 20)
	assert.False(t, a.has(0))
	assert.False(t, a.has(1<<20))
	a.without(&b, func(int) { t.Error("nothing is in it") })
}

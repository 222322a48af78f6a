package numset

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSetAgainstAMap(t *testing.T) {
	t.Parallel()
	const pageBits = pageWords * 64
	var a, b Set
	inA, inB := map[int]bool{}, map[int]bool{}
	for range 20_000 {
		n := rand.N(3 * pageBits)
		assert.Equal(t, !inA[n], a.Add(n))
		inA[n] = true
		n = rand.N(2 * pageBits)
		b.Add(n)
		inB[n] = true
	}
	for _, edge := range []int{0, 63, 64, pageBits - 1, pageBits, 3*pageBits - 1} {
		a.Add(edge)
		inA[edge] = true
	}
	assert.Equal(t, len(inA), a.Count())
	assert.Equal(t, 3*pageBits, a.Top())
	var want, got []int
	for n := range inA {
		assert.True(t, a.Has(n))
		if !inB[n] {
			want = append(want, n)
		}
	}
	slices.Sort(want)
	a.Without(&b, func(n int) { got = append(got, n) })
	assert.Equal(t, want, got)
}

func TestEmptySet(t *testing.T) {
	t.Parallel()
	var a, b Set
	b.Add(1 << 20)
	assert.False(t, a.Has(0))
	assert.False(t, a.Has(1<<20))
	a.Without(&b, func(int) { t.Error("nothing is in it") })
}

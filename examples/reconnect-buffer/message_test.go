package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", 20)
	var b []byte
	for _, n := range []int{0, 1, 9, 10, 42, 123456789, 999_999_999_999} {
		b = lay.payload(b, n)
		assert.Len(t, b, 20)
		back, ok := lay.number(b)
		assert.True(t, ok)
		assert.Equal(t, n, back)
	}
	assert.Equal(t, "000000000042........", string(lay.payload(b, 42)))
}

func TestOnlyWholeMessagesHaveANumber(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", 20)
	good := string(lay.payload(nil, 42))
	for _, bad := range []string{
		"", good[:digits], good[:19], good + ".", good[1:], "0000000000x2........", strings.Replace(good, "..", ".!", 1),
	} {
		_, ok := lay.number([]byte(bad))
		assert.False(t, ok, "%q", bad)
	}
}

func TestSmallestMessage(t *testing.T) {
	t.Parallel()
	lay := newLayout("s", digits)
	n, ok := lay.number(lay.payload(nil, 7))
	assert.True(t, ok)
	assert.Equal(t, 7, n)
	assert.Equal(t, len("PUB s 12\r\n000000000007\r\n"), lay.frame)
}

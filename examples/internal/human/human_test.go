package human

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFigures(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		assert.Equal(t, want, Commas(n))
	}
	for n, want := range map[int]string{0: "0 B", 10239: "10239 B", 10240: "10.0 KiB", 8 << 20: "8.0 MiB"} {
		assert.Equal(t, want, Size(n))
	}
}

func TestShortFigures(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{
		0: "0", 9999: "9,999", 99_999: "99,999", 100_000: "100k", 999_999: "999k", 1_000_000: "1.0M", 99_999_999: "99.9M",
	} {
		assert.Equal(t, want, Short(n))
	}
}

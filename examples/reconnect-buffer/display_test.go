package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
)

// A syncBuffer can be read while somebody prints.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// screen is what a terminal shows after it was sent s.
func screen(s string) []string {
	lines := []string{""}
	col := 0
	for _, c := range s {
		last := &lines[len(lines)-1]
		switch c {
		case '\r':
			col = 0
		case '\n':
			lines = append(lines, "")
			col = 0
		default:
			for len(*last) <= col {
				*last += " "
			}
			*last = (*last)[:col] + string(c) + (*last)[col+1:]
			col++
		}
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

func TestLiveLineStaysBelowTheEvents(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	d := newDisplay(&out, true)
	d.event("first")
	d.draw("a rather long live line of figures")
	d.draw("short line")
	d.event("second %d", 2)
	d.draw("shorter")
	got := screen(out.String())
	require.Len(t, got, 3)
	assert.True(t, strings.HasSuffix(got[0], "s  first"), got[0])
	assert.True(t, strings.HasSuffix(got[1], "s  second 2"), got[1])
	assert.Equal(t, "shorter", got[2])
	d.draw("")
	assert.Equal(t, "", screen(out.String())[2])
	assert.True(t, strings.HasSuffix(out.String(), "\r"))
}

func TestShowDrawsUntilItsEnd(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		out := new(syncBuffer)
		d := newDisplay(out, live)
		end := d.show(func() sample {
			return sample{at: time.Now(), status: nats.RECONNECTING, messages: 5, bytes: 900}
		})
		soon(t, func() bool { return strings.Contains(out.String(), "RECONNECTING") }, "a status line")
		assert.Equal(t, live, strings.Contains(out.String(), "\r"))
		end()
		was := out.String()
		d.event("too late")
		assert.Equal(t, was, out.String())
		last := screen(was)
		assert.Equal(t, "", last[len(last)-1], "the live line is wiped")
	}
}

func TestStatusLineFitsTheScreen(t *testing.T) {
	t.Parallel()
	s := sample{status: nats.RECONNECTING, messages: 9_999_999, bytes: 999 << 20}
	s.delivered = 99_999_999
	line := statusLine(s, 9_999_999)
	assert.Less(t, len(line), 80, line)
	assert.Contains(t, line, "9,999,999/s")
	assert.Contains(t, line, "buffered 9,999,999 (999.0 MiB)")
	assert.Contains(t, line, "delivered 99,999,999")
}

func TestRateIsOfTheLastSecond(t *testing.T) {
	t.Parallel()
	var r rater
	take := func(ms, accepted int) int {
		return r.rate(sample{at: at(ms), counts: counts{accepted: accepted}})
	}
	assert.Zero(t, take(0, 0))
	assert.Equal(t, 1000, take(500, 500))
	assert.Equal(t, 1000, take(1000, 1000))
	assert.Equal(t, 500, take(1500, 1000))
	assert.Equal(t, 0, take(2000, 1000))
	assert.Equal(t, 0, take(9000, 1000))
	assert.LessOrEqual(t, len(r.past), 3)
}

func TestFigures(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -100: "-100", 1234567: "1,234,567"} {
		assert.Equal(t, want, commas(n))
	}
	for n, want := range map[int]string{0: "0 B", 10239: "10239 B", 10240: "10.0 KiB", 8 << 20: "8.0 MiB"} {
		assert.Equal(t, want, size(n))
	}
}

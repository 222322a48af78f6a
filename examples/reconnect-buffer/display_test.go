package main

import (
	"bytes"
	"regexp"
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
	for len(s) > 0 {
		last := &lines[len(lines)-1]
		if seq := escape.FindString(s); seq != "" {
			if seq == "\x1b[K" {
				*last = (*last)[:min(col, len(*last))]
			}
			s = s[len(seq):]
			continue
		}
		c := s[0]
		s = s[1:]
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

// escape is a terminal's control sequence.
var escape = regexp.MustCompile(`^\x1b\[[?0-9]*[a-zA-Z]`)

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
	assert.NotContains(t, got[0]+got[1], "\x1b")
	assert.Equal(t, strings.Count(out.String(), "\x1b[?7l"), strings.Count(out.String(), "\x1b[?7h"), "long events are not cut")
}

func TestShowDrawsUntilItsEnd(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		out := new(syncBuffer)
		d := newDisplay(out, live)
		end := d.show(func() sample {
			return sample{at: time.Now(), status: nats.RECONNECTING, buffer: nats.BufferStats{Msgs: 5, Bytes: 900}}
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

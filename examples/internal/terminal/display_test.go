package terminal

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsring/nats.go/examples/internal/clitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
	d := NewDisplay(&out, true)
	d.Event("first")
	d.Draw("a rather long live line of figures")
	d.Draw("short line")
	d.Event("second %d", 2)
	d.Draw("shorter")
	got := screen(out.String())
	require.Len(t, got, 3)
	assert.True(t, strings.HasSuffix(got[0], "s  first"), got[0])
	assert.True(t, strings.HasSuffix(got[1], "s  second 2"), got[1])
	assert.Equal(t, "shorter", got[2])
	d.Draw("")
	assert.Equal(t, "", screen(out.String())[2])
	assert.NotContains(t, got[0]+got[1], "\x1b")
	assert.Equal(t, strings.Count(out.String(), "\x1b[?7l"), strings.Count(out.String(), "\x1b[?7h"), "long events are not cut")
}

func TestShowDrawsUntilItsEnd(t *testing.T) {
	t.Parallel()
	for _, live := range []bool{true, false} {
		out := new(clitest.Buffer)
		d := NewDisplay(out, live)
		end := d.Show(func() string { return "RECONNECTING" })
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "RECONNECTING") },
			20*time.Second, 5*time.Millisecond, "a status line")
		assert.Equal(t, live, strings.Contains(out.String(), "\r"))
		end()
		was := out.String()
		d.Event("too late")
		assert.Equal(t, was, out.String())
		last := screen(was)
		assert.Equal(t, "", last[len(last)-1], "the live line is wiped")
	}
}

func TestWhatIsNoTerminal(t *testing.T) {
	t.Parallel()
	assert.False(t, Is(new(bytes.Buffer)))
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer f.Close()
	assert.False(t, Is(f))
}

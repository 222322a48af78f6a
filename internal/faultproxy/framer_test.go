package faultproxy

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seen is what a framer tells of a frame.
type seen struct {
	start, line, size int64
	op, arg           string
}

// frames scans in, split before the positions at which split is true.
func frames(in []byte, split func(i int) bool) ([]seen, framer) {
	var f framer
	var out []seen
	for begin := 0; begin < len(in); {
		end := begin + 1
		for end < len(in) && !split(end) {
			end++
		}
		for b := in[begin:end]; len(b) > 0; {
			n, line := f.scan(b)
			b = b[n:]
			if line {
				out = append(out, seen{f.start, f.line, f.size, string(f.opBytes()), string(f.arg[:f.argLen])})
			}
		}
		begin = end
	}
	return out, f
}

// simple finds the frames in a whole input, in the plainest way.
func simple(in []byte) []seen {
	var out []seen
	for pos := 0; pos < len(in); {
		nl := bytes.IndexByte(in[pos:], '\n')
		if nl < 0 {
			break
		}
		words := strings.FieldsFunc(string(in[pos:pos+nl]), func(r rune) bool { return strings.ContainsRune(" \t\r", r) })
		s := seen{start: int64(pos), line: int64(nl + 1), size: int64(nl + 1)}
		if len(words) > 0 && len(words[0]) <= maxOp {
			for i := range len(words[0]) {
				s.op += string(upper(words[0][i : i+1]))
			}
		}
		if len(words) > 1 {
			s.arg = words[1][:min(len(words[1]), maxArg)]
		}
		if least := map[string]int{"PUB": 3, "HPUB": 4, "MSG": 4, "HMSG": 5}[s.op]; least > 0 && len(words) >= least {
			n, err := strconv.ParseUint(words[len(words)-1], 10, 63)
			if err == nil && n <= maxPayload {
				s.size += int64(n) + 2
			}
		}
		out = append(out, s)
		pos += int(min(s.size, int64(len(in)-pos)))
	}
	return out
}

// upper leaves bytes that are no ASCII letters as they are.
func upper(s string) string {
	if s >= "a" && s <= "z" {
		return strings.ToUpper(s)
	}
	return s
}

func never(int) bool  { return false }
func always(int) bool { return true }

func TestFramer(t *testing.T) {
	t.Parallel()
	got, f := frames([]byte(stream+"PUB unfini"), never)
	var want []seen
	at := int64(0)
	for _, s := range []struct{ frame, op, arg string }{
		{connectLine, "CONNECT", `{"verbose":false}`},
		{pub1, "PUB", "orders.new"},
		{ping, "PING", ""},
		{pub2, "PUB", "orders.old"},
		{hpub, "HPUB", "audit"},
		{pub1, "PUB", "orders.new"},
		{ping, "PING", ""},
	} {
		line := int64(strings.IndexByte(s.frame, '\n') + 1)
		want = append(want, seen{at, line, int64(len(s.frame)), s.op, s.arg})
		at += int64(len(s.frame))
	}
	require.Equal(t, want, got)
	require.True(t, f.open)
	require.EqualValues(t, len(stream), f.start)
	require.EqualValues(t, len(stream)+10, f.pos)

	split, g := frames([]byte(stream+"PUB unfini"), always)
	require.Equal(t, want, split)
	require.Equal(t, f, g)
}

func TestFramerSizes(t *testing.T) {
	t.Parallel()
	for line, payload := range map[string]int64{
		"PUB a 0\r\n":                    2,
		"PUB a 5\r\n":                    7,
		"PUB a 5\n":                      7,
		"pub\ta\tr  5 \r\n":              7,
		" PUB a 5\r\n":                   7,
		"HPUB a 12 14\r\n":               16,
		"HPUB a r 12 14\r\n":             16,
		"MSG a 1 5\r\n":                  7,
		"HMSG a 1 12 14\r\n":             16,
		"PUB a 1099511627776\r\n":        maxPayload + 2,
		"PUB a 1099511627777\r\n":        0,
		"PUB a 99999999999999999999\r\n": 0,
		"PUB a -1\r\n":                   0,
		"PUB a 5x\r\n":                   0,
		"PUB 5\r\n":                      0,
		"HPUB a 5\r\n":                   0,
		"MSG a 5\r\n":                    0,
		"HMSG a 1 5\r\n":                 0,
		"PUBLISHED a 5\r\n":              0,
		"SUB a 5\r\n":                    0,
		"\r\n":                           0,
		"\n":                             0,
	} {
		got, _ := frames([]byte(line), never)
		require.Len(t, got, 1, line)
		require.Equal(t, int64(len(line))+payload, got[0].size, line)
		require.Equal(t, simple([]byte(line)), got, line)
	}
}

func TestFramerAllocatesNothing(t *testing.T) {
	in := []byte(stream)
	var f framer
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for b := in; len(b) > 0; {
			n, _ := f.scan(b)
			b = b[n:]
		}
	}))
}

// FuzzFramer checks that the frames found do not depend on how the bytes are
// split, and that they are those of a plain search through the whole input.
func FuzzFramer(f *testing.F) {
	f.Add([]byte(stream), []byte{3})
	f.Add([]byte(pub2+hpub), []byte{1})
	f.Add([]byte("MSG a 1 5\r\nhello\r\nHMSG a 1 12 14\r\nNATS/1.0\r\n\r\nok\r\n"), []byte{0, 1, 0, 200})
	f.Add([]byte("PUB a 99999999999999999999\r\nPUB a -1\nPUB\n\r\n  \t pub a 1 \r\nx\r\nPING"), []byte{7, 7})
	f.Add([]byte("PUBLISHING a 3\r\nPUB "+strings.Repeat("s", 300)+" 1\r\nx\r\n"), []byte{255, 255})
	f.Fuzz(func(t *testing.T, in, splits []byte) {
		want := simple(in)
		got, whole := frames(in, never)
		require.Equal(t, want, got)
		require.EqualValues(t, len(in), whole.pos)
		split := func(i int) bool {
			return len(splits) > 0 && splits[i/8%len(splits)]&(1<<(i%8)) != 0
		}
		for _, s := range []func(int) bool{always, split} {
			got, parts := frames(in, s)
			require.Equal(t, want, got)
			require.Equal(t, whole, parts)
		}
	})
}

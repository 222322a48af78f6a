package faultproxy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	connectLine = "CONNECT {\"verbose\":false}\r\n"
	pub1        = "PUB orders.new 5\r\nhello\r\n"
	pub2        = "PUB orders.old _INBOX.1 12\r\nPUB x 1\r\ny\r\n\r\n"
	hpub        = "HPUB audit 12 14\r\nNATS/1.0\r\n\r\nok\r\n"
	ping        = "PING\r\n"
	stream      = connectLine + pub1 + ping + pub2 + hpub + pub1 + ping
)

// cutStream sends stream up, in the given pieces, and returns what arrives.
func cutStream(t *testing.T, cut FrameCut, pieces ...string) string {
	t.Helper()
	r := newRig(t)
	r.p.Live().CutFrame(Up, cut)
	var sent int64
	for _, piece := range pieces {
		if _, err := r.client.Write([]byte(piece)); err != nil {
			break
		}
		sent += int64(len(piece))
		// Each piece gets a read of its own, if the connection still lives.
		require.NoError(t, r.conn.Wait(testCtx(t), func(s ConnStats) bool {
			return s.Ended || s.Up.Read >= sent
		}))
	}
	got, how := readToEnd(t, r.server)
	require.Equal(t, sawEOF, how)
	return string(got)
}

func TestCutFrame(t *testing.T) {
	t.Parallel()
	before := func(frames ...string) string { return strings.Join(frames, "") }
	hpubStart := before(connectLine, pub1, ping, pub2)
	for name, c := range map[string]struct {
		cut  FrameCut
		want string
	}{
		"zero value":            {FrameCut{}, connectLine},
		"in the word":           {FrameCut{Byte: 2}, connectLine + "PU"},
		"in the line":           {FrameCut{Byte: 10}, connectLine + pub1[:10]},
		"behind the line":       {FrameCut{Byte: 18}, connectLine + pub1[:18]},
		"in the payload":        {FrameCut{Byte: 20}, connectLine + pub1[:20]},
		"all but one byte":      {FrameCut{Byte: -1}, connectLine + pub1[:len(pub1)-1]},
		"all but the CRLF":      {FrameCut{Nth: 1, Byte: -2}, connectLine + pub1[:len(pub1)-2]},
		"beyond the end":        {FrameCut{Byte: 1000}, connectLine + pub1},
		"beyond the start":      {FrameCut{Byte: -1000}, connectLine},
		"second":                {FrameCut{Nth: 2, Byte: 30}, before(connectLine, pub1, ping, pub2[:30])},
		"frames in a payload":   {FrameCut{Nth: 3, Byte: 1}, hpubStart + "H"},
		"in the header":         {FrameCut{Nth: 3, Byte: 22}, hpubStart + hpub[:22]},
		"only HPUB":             {FrameCut{Ops: []string{"HPUB"}, Byte: 3}, hpubStart + "HPU"},
		"second PING":           {FrameCut{Ops: []string{"PING"}, Nth: 2, Byte: 4}, stream[:len(stream)-2]},
		"PING or HPUB":          {FrameCut{Ops: []string{"HPUB", "PING"}, Nth: 2}, hpubStart},
		"by subject":            {FrameCut{Prefix: "orders.o", Byte: 7}, before(connectLine, pub1, ping, pub2[:7])},
		"second of the subject": {FrameCut{Prefix: "orders.new", Nth: 2, Byte: 7}, hpubStart + hpub + pub1[:7]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, cutStream(t, c.cut, stream))
			require.Equal(t, c.want, cutStream(t, c.cut, strings.SplitAfter(stream, " ")...))
		})
	}
}

// Every byte of a frame is a place to cut, wherever the stream is split.
func TestCutFrameEverywhere(t *testing.T) {
	t.Parallel()
	for k := range len(hpub) + 1 {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			t.Parallel()
			split := len(ping) + k*7%len(hpub)
			in := ping + hpub + ping
			want := ping + hpub[:k]
			require.Equal(t, want, cutStream(t, FrameCut{Byte: k}, in[:split], in[split:]))
		})
	}
}

func TestCutFrameDown(t *testing.T) {
	t.Parallel()
	const (
		info = "INFO {\"max_payload\":1048576}\r\n"
		msg  = "MSG orders.new 1 5\r\nhello\r\n"
		hmsg = "HMSG audit 1 12 14\r\nNATS/1.0\r\n\r\nok\r\n"
	)
	r := newRig(t)
	r.p.Next().CutFrame(Both, FrameCut{Nth: 2, Byte: 25, How: RSTServer})
	r.connect(t)
	r.pass(t, Up, []byte(pub1))
	write(t, r.server, []byte(info+msg+hmsg+msg))
	got, how := readToEnd(t, r.client)
	require.Equal(t, sawEOF, how)
	require.Equal(t, info+msg+hmsg[:25], string(got))
}

// Frames count from the call, not those forwarded before it or begun before it.
func TestCutFrameCountsFromNow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.pass(t, Up, []byte(connectLine+pub1+pub1[:9]))
	r.p.Live().CutFrame(Up, FrameCut{Byte: 6})
	r.pass(t, Up, []byte(pub1[9:12]))
	write(t, r.client, []byte(pub1[12:]+ping+pub1))
	got, how := readToEnd(t, r.server)
	require.Equal(t, sawEOF, how)
	require.Equal(t, pub1[12:]+ping+pub1[:6], string(got))
}

// Frames read but held back when the call is made count.
func TestCutFrameAmongHeldFrames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Live().StopForwarding(Up, Hold)
	write(t, r.client, []byte(strings.Repeat(pub1, 5000)))
	n := int64(5000 * len(pub1))
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Held() == n })
	r.p.Live().CutFrame(Up, FrameCut{Nth: 4321, Byte: 3})
	r.p.Live().Resume(Up)
	got, how := readToEnd(t, r.server)
	require.Equal(t, sawEOF, how)
	requireSame(t, []byte(strings.Repeat(pub1, 4320)+"PUB"), got)
}

// Only the line of a frame that may be the one is held back.
func TestCutFrameHoldsBackTheLine(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Live().CutFrame(Up, FrameCut{Prefix: "nobody"})
	r.pass(t, Up, []byte("SUB half.a.li"))
	r.pass(t, Up, []byte("ne 1\r\n"))
	write(t, r.client, []byte("PUB half.a.li"))
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Held() == 13 })
	write(t, r.client, []byte("ne 1\r\n"))
	const line = "PUB half.a.line 1\r\n"
	require.Equal(t, line, string(readN(t, r.server, len(line))))
	r.pass(t, Up, []byte("x\r"))
	r.pass(t, Up, []byte("\n"))

	write(t, r.client, []byte("PU"))
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Held() == 2 })
	r.p.Live().Clear()
	require.Equal(t, "PU", string(readN(t, r.server, 2)))
}

// A line that does not end is let go, before the bounded memory is full or when
// the sender has ended.
func TestCutFrameLetsGo(t *testing.T) {
	t.Parallel()
	t.Run("long", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.p.Live().CutFrame(Up, FrameCut{})
		long := "PUB " + strings.Repeat("a", maxLine) + " 5"
		r.pass(t, Up, []byte(long))
		r.pass(t, Up, []byte("\r\n"))
	})
	t.Run("ended", func(t *testing.T) {
		t.Parallel()
		r := newRig(t)
		r.p.Live().CutFrame(Up, FrameCut{})
		write(t, r.client, []byte("PUB a"))
		require.NoError(t, r.client.CloseWrite())
		got, how := readToEnd(t, r.server)
		require.Equal(t, sawEOF, how)
		require.Equal(t, "PUB a", string(got))
	})
}

// The longest line that is looked at still matches.
func TestCutFrameLongestLine(t *testing.T) {
	t.Parallel()
	line := "PUB " + strings.Repeat("a", maxLine-len("PUB  1\r\n")) + " 1\r\n"
	require.Len(t, line, maxLine)
	got := cutStream(t, FrameCut{Byte: maxLine - 3}, line[:9000], line[9000:], "x\r\n")
	requireSame(t, []byte(line[:maxLine-3]), []byte(got))
}

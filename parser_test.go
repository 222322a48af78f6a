package nats

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// parserLog is a sink that writes down what the parser found.
type parserLog struct {
	events []string
	owned  [][]byte // payloads that were handed over for good, and
	copies []string // what stood in them then
	broken []string // what a message must never be like
}

func (l *parserLog) message(a *msgArgs, payload []byte, owned bool) {
	if len(payload) != a.total || a.header > a.total {
		l.broken = append(l.broken, fmt.Sprintf("header %d and total %d with %d bytes", a.header, a.total, len(payload)))
		return
	}
	l.events = append(l.events, fmt.Sprintf("MSG %q reply %q sid %d header %q data %q",
		a.subject, a.reply, a.sid, payload[:a.header], payload[a.header:]))
	if owned {
		l.owned = append(l.owned, payload)
		l.copies = append(l.copies, string(payload))
	}
}

func (l *parserLog) ping()                 { l.events = append(l.events, "PING") }
func (l *parserLog) pong()                 { l.events = append(l.events, "PONG") }
func (l *parserLog) info(json []byte)      { l.events = append(l.events, "INFO "+string(json)) }
func (l *parserLog) serverErr(text []byte) { l.events = append(l.events, "-ERR "+string(text)) }

// parsePieces feeds pieces to a new parser up to the first error. The memory of
// each piece is destroyed after its feed, as a read buffer's is.
func parsePieces(t testing.TB, pieces ...string) ([]string, error) {
	t.Helper()
	log := &parserLog{}
	p := parser{sink: log, maxPayload: minMaxPayload}
	var err error
	for _, piece := range pieces {
		b := []byte(piece)
		err = p.feed(b)
		for i := range b {
			b[i] = 0xff
		}
		checkParserMemory(t, &p)
		if err != nil {
			break
		}
	}
	require.Empty(t, log.broken)
	for i, b := range log.owned {
		require.Equal(t, log.copies[i], string(b), "an owned payload was changed later")
	}
	return log.events, err
}

// checkParserMemory fails if a parser holds more than what has arrived explains.
func checkParserMemory(t testing.TB, p *parser) {
	t.Helper()
	if n := cap(p.payload); n > max(payloadGrowth, payloadTrust*len(p.payload)) {
		t.Fatalf("%d bytes set aside for the %d of a message that have come", n, len(p.payload))
	}
	if n := cap(p.line); n > max(keptLine, 2*len(p.line)) {
		t.Fatalf("%d bytes set aside for %d of a line", n, len(p.line))
	}
}

// singly cuts a stream into its bytes.
func singly(s string) []string {
	pieces := make([]string, len(s))
	for i := range pieces {
		pieces[i] = s[i : i+1]
	}
	return pieces
}

func TestParserOperations(t *testing.T) {
	t.Parallel()
	msg := func(subject, reply string, sid int, header, data string) string {
		return fmt.Sprintf("MSG %q reply %q sid %d header %q data %q", subject, reply, sid, header, data)
	}
	for in, want := range map[string][]string{
		"":                     nil,
		"PING\r\n":             {"PING"},
		"PING\n":               {"PING"},
		"ping\r\n":             {"PING"},
		"PiNg  \t more\r\n":    {"PING"},
		"PONG\r\n":             {"PONG"},
		"pong\n":               {"PONG"},
		"PONG \r\n":            {"PONG"},
		"+OK\r\n":              nil,
		"+ok\n":                nil,
		"+OK well done\r\n":    nil,
		"PING\r\nPONG\nPING\n": {"PING", "PONG", "PING"},

		"INFO {\"a\":1}\r\n":          {`INFO {"a":1}`},
		"info \t {\"a\": 1} \n":       {`INFO {"a": 1} `},
		"INFO\r\n":                    {"INFO "},
		"INFO \t \r\n":                {"INFO "},
		"-ERR 'Stale Connection'\r\n": {"-ERR 'Stale Connection'"},
		"-err\t 'x y'\n":              {"-ERR 'x y'"},
		"-ERR\r\n":                    {"-ERR "},

		"MSG a 1 0\r\n\r\n":                      {msg("a", "", 1, "", "")},
		"MSG a 1 0\n\n":                          {msg("a", "", 1, "", "")},
		"MSG foo.bar 9 5\r\nhello\r\n":           {msg("foo.bar", "", 9, "", "hello")},
		"MSG foo.bar 9 5\nhello\n":               {msg("foo.bar", "", 9, "", "hello")},
		"MSG foo.bar 9 re.ply 5\r\nhello\r\n":    {msg("foo.bar", "re.ply", 9, "", "hello")},
		"msg \t foo\t\t7   re\t 2 \t\r\nok\r\n":  {msg("foo", "re", 7, "", "ok")},
		"MSG a 9223372036854775807 1\r\nx\r\n":   {msg("a", "", 9223372036854775807, "", "x")},
		"MSG a 0001 003\r\nabc\r\n":              {msg("a", "", 1, "", "abc")},
		"MSG a 1 4\r\n\r\n\r\n\r\n":              {msg("a", "", 1, "", "\r\n\r\n")},
		"MSG a 1 6\r\nPING\r\n\r\nPONG\r\n":      {msg("a", "", 1, "", "PING\r\n"), "PONG"},
		"HMSG a 1 12 12\r\nNATS/1.0\r\n\r\n\r\n": {msg("a", "", 1, "NATS/1.0\r\n\r\n", "")},
		"HMSG a 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n": {
			msg("a", "r", 1, "NATS/1.0\r\n\r\n", "hi")},
		"hmsg  a\t1  r 0\t2 \nhi\n":  {msg("a", "r", 1, "", "hi")},
		"HMSG a 1 0 0\r\n\r\nPING\n": {msg("a", "", 1, "", ""), "PING"},
		"MSG a 1 1\r\nx\r\nMSG b 2 r 1\r\ny\r\nPING\r\n": {
			msg("a", "", 1, "", "x"), msg("b", "r", 2, "", "y"), "PING"},
	} {
		got, err := parsePieces(t, in)
		assert.NoErrorf(t, err, "%q", in)
		assert.Equalf(t, want, got, "%q", in)
	}
}

// Compatibility: PING, PONG and +OK tolerate any bytes before the line end.
func TestParserToleratesTails(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"PINGx\r\n":     {"PING"},
		"PING\r\r\n":    {"PING"},
		"PONG\x00\r\n":  {"PONG"},
		"+OKAY\r\n":     nil,
		"+OK\r \r\n":    nil,
		"PONG, well.\n": {"PONG"},
	} {
		got, err := parsePieces(t, in)
		assert.NoErrorf(t, err, "%q", in)
		assert.Equalf(t, want, got, "%q", in)
	}
}

// everyOperation is a stream with all operations and awkward payloads.
const everyOperation = "INFO {\"server_id\":\"x\"}\r\nPING\r\n+OK\r\n" +
	"MSG foo 1 5\r\nhello\r\n" +
	"MSG foo.bar 22 in.box 8\r\nPING\r\n\r\n\r\n" +
	"msg  a\t3   0\n\n" +
	"HMSG h 4 20 25\r\nNATS/1.0\r\nKey: 1\r\n\r\n12345\r\n" +
	"HMSG h 4 r 16 16\nNATS/1.0 503\r\n\r\n\n" +
	"-ERR 'Permissions Violation for Subscription to \"x\"'\r\nPONG\r\n" +
	"MSG foo 1 11\r\nMSG foo 1 5\r\nPONG \t\nPING\n"

func TestParserSplitAnywhere(t *testing.T) {
	t.Parallel()
	want, err := parsePieces(t, everyOperation)
	require.NoError(t, err)
	require.Len(t, want, 12)
	for i := range len(everyOperation) + 1 {
		got, err := parsePieces(t, everyOperation[:i], everyOperation[i:])
		require.NoErrorf(t, err, "split at %d", i)
		require.Equalf(t, want, got, "split at %d", i)
		got, err = parsePieces(t, everyOperation[:i], "", everyOperation[i:min(i+1, len(everyOperation))],
			everyOperation[min(i+1, len(everyOperation)):])
		require.NoErrorf(t, err, "split at %d and %d", i, i+1)
		require.Equalf(t, want, got, "split at %d and %d", i, i+1)
	}
	got, err := parsePieces(t, singly(everyOperation)...)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestParserErrors(t *testing.T) {
	t.Parallel()
	const (
		args  = "nats: processMsgArgs Parse Error: "
		sid   = "nats: processMsgArgs Bad or Missing Sid: "
		size  = "nats: processMsgArgs Bad or Missing Size: "
		hargs = "nats: processHeaderMsgArgs Parse Error: "
		hsid  = "nats: processHeaderMsgArgs Bad or Missing Sid: "
		hsize = "nats: processHeaderMsgArgs Bad or Missing Size: "
		hhdr  = "nats: processHeaderMsgArgs Bad or Missing Header Size: "
		parse = "nats: Parse Error"
	)
	for in, want := range map[string]string{
		"MSG\r\n":                               args,
		"MSG \r\n":                              args,
		"MSG a\r\n":                             args,
		"MSG a 1\r\n":                           args + "'a 1'",
		"MSG a 1 r 5 6\r\n":                     args,
		"MSG a b c d e f g h\r\n":               args,
		"MSG a x 5\r\n":                         sid + "'a x 5'",
		"MSG a -1 5\r\n":                        sid,
		"MSG a +1 5\r\n":                        sid,
		"MSG a 9223372036854775808 5\r\n":       sid,
		"MSG a 99999999999999999999999 5\r\n":   sid,
		"MSG a 1 x\r\n":                         size + "'a 1 x'",
		"MSG a 1 -1\r\n":                        size,
		"MSG a 1 5x\r\n":                        size,
		"MSG a 1 0x5\r\n":                       size,
		"MSG a 1 5\r\r\n":                       size,
		"MSG a 1 2147483648\r\n":                size,
		"MSG a 1 9223372036854775808\r\n":       size,
		"MSG a 1 18446744073709551617\r\n":      size,
		"MSG a 1 340282366920938463463374607\n": size,
		"MSG a 1 r 2147483647\r\n":              parse,
		"HMSG\r\n":                              hargs,
		"HMSG a 1 5\r\n":                        hargs,
		"HMSG a 1 r 5 5 5\r\n":                  hargs,
		"HMSG a x 5 5\r\n":                      hsid,
		"HMSG a 1 5 x\r\n":                      hsize,
		"HMSG a 1 5 -5\r\n":                     hsize,
		"HMSG a 1 x 5\r\n":                      hhdr,
		"HMSG a 1 -1 5\r\n":                     hhdr,
		"HMSG a 1 6 5\r\n":                      hhdr,
		"HMSG a 1 9 5\r\n":                      hhdr,
		"HMSG a 1 1 0\r\n":                      hhdr,
		"HMSG a 1 16 15\r\n":                    hhdr,
		"HMSG a 1 50 5\r\n":                     hhdr,
		"HMSG a 1 99999999999999999999 5\r\n":   hhdr,
		"MSG a 1 2\r\nabc\r\n":                  parse,
		"MSG a 1 2\r\nab\rc":                    parse,
		"MSG a 1 2\r\nab\r\r\n":                 parse,
		"MSG a 1 0\r\nx":                        parse,
		"HELLO\r\n":                             parse,
		"HELLO world\n":                         parse,
		"\r\n":                                  parse,
		"\n":                                    parse,
		" PING\r\n":                             parse,
		"MS\r\n":                                parse,
		"MSGS a 1 0\r\n":                        parse,
		"-ER 'x'\r\n":                           parse,
		"SUB a 1\r\n":                           parse,
		"CONNECT {}\r\n":                        parse,
		"SSH-2.0-OpenSSH_9.6\r\n":               parse,
		"\x16\x03\x01\x00\xf4\n":                parse,
	} {
		_, err := parsePieces(t, "PING\r\n", in)
		if !assert.ErrorContainsf(t, err, want, "%q", in) {
			continue
		}
		for i := range in {
			got, err := parsePieces(t, "PING\r\n"+in[:i], in[i:])
			assert.ErrorContainsf(t, err, want, "%q split at %d", in, i)
			assert.Equalf(t, "PING", got[0], "%q split at %d", in, i)
		}
		_, err = parsePieces(t, singly("PING\r\n"+in)...)
		assert.ErrorContainsf(t, err, want, "%q byte by byte", in)
	}
}

func TestParserErrorsAreShort(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("0123456789abcdef", 3000)
	for _, in := range []string{
		long + "\r\n", "MSG " + long + "\r\n", "MSG a " + long + " 1\r\n", "HMSG a 1 " + long + " 1\r\n",
		"MSG a 1 1\r\n" + long, long + long,
	} {
		_, err := parsePieces(t, in)
		require.Error(t, err)
		require.Less(t, len(err.Error()), 200)
	}
}

func TestParserLineBounds(t *testing.T) {
	t.Parallel()
	pad := func(op string, size int, end string) string {
		return op + " " + strings.Repeat("x", size-len(op)-1-len(end)) + end
	}
	for _, c := range []struct {
		name string
		line string
		ok   bool
	}{
		{"longest line", pad("PING", maxLine, ""), true},
		{"longest line with CR", pad("-ERR", maxLine, "\r"), true},
		{"line too long by one", pad("PING", maxLine+1, ""), false},
		{"line too long by its CR", pad("-ERR", maxLine+1, "\r"), false},
		{"MSG too long", "MSG " + strings.Repeat("s", maxLine) + " 1 0", false},
		{"INFO longer than other lines", pad("INFO", maxLine+1, ""), true},
		{"longest INFO", pad("info", maxInfo, "\r"), true},
		{"INFO too long", pad("INFO", maxInfo+1, ""), false},
		{"no INFO", pad("INFOS", maxLine+1, ""), false},
	} {
		stream := c.line + "\nPONG\r\n"
		for _, piece := range []int{len(stream), 4096, 1000} {
			var pieces []string
			for rest := stream; rest != ""; {
				n := min(piece, len(rest))
				pieces = append(pieces, rest[:n])
				rest = rest[n:]
			}
			events, err := parsePieces(t, pieces...)
			if !c.ok {
				require.ErrorContainsf(t, err, "control line of more than", "%s in pieces of %d", c.name, piece)
				continue
			}
			require.NoErrorf(t, err, "%s in pieces of %d", c.name, piece)
			require.Equal(t, "PONG", events[len(events)-1])
		}
	}
}

// A line that never ends is refused as soon as it passes the bound.
func TestParserEndlessLine(t *testing.T) {
	t.Parallel()
	piece := bytes.Repeat([]byte("x"), 1000)
	for start, limit := range map[string]int{"": maxLine, "MSG ": maxLine, "INFO ": maxInfo, "INFOx ": maxLine} {
		p := parser{sink: &parserLog{}, maxPayload: minMaxPayload}
		require.NoError(t, p.feed([]byte(start)))
		fed := len(start)
		var err error
		for err == nil && fed < 2*maxInfo {
			err = p.feed(piece)
			fed += len(piece)
		}
		require.Errorf(t, err, "%q", start)
		require.LessOrEqualf(t, fed, limit+len(piece), "%q", start)
		require.LessOrEqualf(t, cap(p.line), 2*limit, "%q", start)
	}
}

func TestParserMessageSizes(t *testing.T) {
	t.Parallel()
	const limit = 200_000
	for _, size := range []int{0, 1, 2, 4095, 4096, payloadGrowth - 1, payloadGrowth, payloadGrowth + 1,
		readSize, 3 * payloadGrowth, limit - 1, limit} {
		data := strings.Repeat("d", size)
		stream := fmt.Sprintf("MSG a 1 %d\r\n%s\r\nPING\r\n", size, data)
		head := strings.IndexByte(stream, '\n') + 1
		for _, cut := range []int{0, 1, head - 1, head, head + 1, head + size/2, head + size, head + size + 1,
			head + size + 2, len(stream)} {
			cut = min(cut, len(stream))
			var sink payloadSink
			p := parser{sink: &sink, maxPayload: limit}
			require.NoError(t, p.feed([]byte(stream[:cut])))
			checkParserMemory(t, &p)
			require.NoError(t, p.feed([]byte(stream[cut:])))
			require.Len(t, sink.payloads, 1, "size %d cut at %d", size, cut)
			require.True(t, sink.payloads[0] == data, "size %d cut at %d", size, cut)
			require.Equal(t, noEnd, p.end)
		}
	}
	for _, size := range []int{limit + 1, 2 * limit, 1<<31 - 1} {
		p := parser{sink: &parserLog{}, maxPayload: limit}
		require.ErrorContains(t, p.feed(fmt.Appendf(nil, "MSG a 1 %d\r\n", size)), fmt.Sprintf("message of %d bytes", size))
	}
}

// payloadSink keeps the payloads of messages.
type payloadSink struct {
	nothing
	payloads []string
}

func (s *payloadSink) message(_ *msgArgs, payload []byte, _ bool) {
	s.payloads = append(s.payloads, string(payload))
}

// After a long line that came in pieces its buffer is not kept.
func TestParserGivesLongLinesBack(t *testing.T) {
	t.Parallel()
	p := parser{sink: &parserLog{}, maxPayload: minMaxPayload}
	require.NoError(t, p.feed([]byte("INFO ")))
	require.NoError(t, p.feed(bytes.Repeat([]byte("x"), 500_000)))
	require.NoError(t, p.feed([]byte("\r\nPI")))
	require.LessOrEqual(t, cap(p.line), keptLine)
	require.NoError(t, p.feed([]byte("NG\r\n")))
	require.LessOrEqual(t, cap(p.line), keptLine)
}

// What is only announced costs nothing. Not parallel: it looks at the memory of
// the whole process.
func TestParserAllocatesWhatArrives(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := parser{sink: &parserLog{}, maxPayload: minMaxPayload}
	require.NoError(t, p.feed([]byte("MSG a 1 60000000\r\n")))
	require.NoError(t, p.feed([]byte("0123456789")))
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
	require.Len(t, p.payload, 10)
}

// The steady state of the read loop makes no garbage.
func TestParserAllocatesNothing(t *testing.T) {
	stream := []byte("MSG foo.bar 1 5\r\nhello\r\nPING\r\nPONG\r\nHMSG a 2 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n")
	p := parser{sink: nothing{}, maxPayload: minMaxPayload}
	require.NoError(t, p.feed([]byte("PI"))) // its buffer for cut lines is there from now on
	require.NoError(t, p.feed([]byte("NG\r\n")))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if p.feed(stream) != nil || p.feed(stream[:7]) != nil || p.feed(stream[7:]) != nil {
			panic("the stream is a good one")
		}
	}))
}

type nothing struct{}

func (nothing) message(*msgArgs, []byte, bool) {}
func (nothing) ping()                          {}
func (nothing) pong()                          {}
func (nothing) info([]byte)                    {}
func (nothing) serverErr([]byte)               {}

// FuzzParser: what is found, and whether it ends in an error, must not depend on
// where the stream is cut. cuts are the lengths of the pieces, over and over.
func FuzzParser(f *testing.F) {
	for _, cuts := range [][]byte{{0}, {1, 2, 3}, {7}, {255, 0}} {
		f.Add([]byte(everyOperation), cuts)
	}
	for _, s := range []string{
		"MSG a 1 60000000\r\nabc", "MSG a 1 -1\r\n", "HMSG a 1 6 5\r\nhello\r\n", "MSG a 1 2\r\nabc\r\n",
		"MSG a 18446744073709551617 1\r\n", "HELLO\r\n", "\r\n", "INFO {\"max_payload\":", "+OK\n-ERR\n",
		"MSG a 1 0\n\nMSG a 1 0\r\n\r", "HMSG a 1 r 12 12\r\nNATS/1.0\r\n\r\n\r\nPING",
		"SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "MSG a 1 2147483647\r\n",
	} {
		f.Add([]byte(s), []byte{3, 1})
	}
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		want, wantErr := parsePieces(t, string(stream))
		if wantErr != nil && len(wantErr.Error()) > 200 {
			t.Fatalf("error of %d bytes", len(wantErr.Error()))
		}
		var pieces []string
		rest := string(stream)
		for i := 0; rest != "" && len(cuts) > 0; i++ {
			n := min(int(cuts[i%len(cuts)])+1, len(rest))
			pieces = append(pieces, rest[:n])
			rest = rest[n:]
		}
		pieces = append(pieces, rest)
		got, err := parsePieces(t, pieces...)
		require.Equal(t, want, got)
		require.Equalf(t, wantErr == nil, err == nil, "in one piece: %v\nin pieces: %v", wantErr, err)
	})
}

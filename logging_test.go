package nats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// logBook is a slog.Handler that keeps records, in short: "LEVEL text", and with all
// attributes.
type logBook struct {
	mu    *sync.Mutex
	lines *[]logLine
	with  []slog.Attr
}

type logLine struct {
	text  string // "LEVEL text"
	at    time.Time
	attrs map[string]any
}

func newLogBook() *logBook { return &logBook{mu: new(sync.Mutex), lines: new([]logLine)} }

func (b *logBook) option() Option { return Logger(slog.New(b)) }

func (b *logBook) Enabled(context.Context, slog.Level) bool { return true }

func (b *logBook) Handle(_ context.Context, r slog.Record) error {
	line := logLine{text: fmt.Sprint(r.Level, " ", r.Message), at: r.Time, attrs: make(map[string]any)}
	for _, a := range b.with {
		line.attrs[a.Key] = a.Value.Any()
	}
	r.Attrs(func(a slog.Attr) bool {
		line.attrs[a.Key] = a.Value.Any()
		return true
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	*b.lines = append(*b.lines, line)
	return errors.New("nobody hears of this")
}

func (b *logBook) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &logBook{mu: b.mu, lines: b.lines, with: append(slices.Clip(b.with), attrs...)}
}

func (b *logBook) WithGroup(string) slog.Handler { return b }

// find returns the records with a text.
func (b *logBook) find(text string) (found []logLine) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range *b.lines {
		if l.text == text {
			found = append(found, l)
		}
	}
	return found
}

// wait returns the first record with a text, once there is one.
func (b *logBook) wait(t *testing.T, text string) logLine {
	t.Helper()
	soon(t, func() bool { return len(b.find(text)) > 0 }, text)
	return b.find(text)[0]
}

// story is all texts in order, a run of the same once.
func (b *logBook) story() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, l := range *b.lines {
		all = append(all, l.text)
	}
	return slices.Compact(all)
}

// sum adds the counts up.
func sum(lines []logLine) (n int64) {
	for _, l := range lines {
		n += l.attrs["count"].(int64)
	}
	return n
}

func TestLoggerTellsOfALife(t *testing.T) {
	t.Parallel()
	b := newLogBook()
	s, nc := connect(t, append(fast(), b.option(), Name("clerk"))...)
	first := b.wait(t, "INFO nats: connected")
	require.Equal(t, "clerk", first.attrs["connection"])
	require.Equal(t, s.URL(), first.attrs["server"])
	require.Equal(t, nc.ConnectedServerId(), first.attrs["server_id"])
	require.Equal(t, nc.ConnectedServerVersion(), first.attrs["server_version"])
	require.NotContains(t, first.attrs, "outage")
	require.NotContains(t, first.attrs, "cluster")

	s.Kill()
	require.Error(t, b.wait(t, "WARN nats: disconnected").attrs["error"].(error))
	for range 7 {
		require.NoError(t, nc.Publish("a", nil))
	}
	require.Error(t, b.wait(t, "DEBUG nats: attempt to connect failed").attrs["error"].(error))
	require.NoError(t, s.Start())
	back := b.wait(t, "INFO nats: reconnected")
	failed := b.find("DEBUG nats: attempt to connect failed")
	require.Equal(t, uint64(7), back.attrs["buffered"])
	require.Equal(t, uint64(7), back.attrs["replayed"])
	require.Equal(t, uint64(0), back.attrs["given_up"])
	require.Equal(t, int64(len(failed)), back.attrs["failed_attempts"])
	outage := back.attrs["outage"].(time.Duration)
	require.InDelta(t, back.at.Sub(b.find("WARN nats: disconnected")[0].at), outage, float64(time.Second))
	require.Positive(t, outage)

	s.Kill()
	soon(t, func() bool { return len(b.find("WARN nats: disconnected")) == 2 }, "second outage")
	require.NoError(t, nc.Publish("a", nil))
	require.NoError(t, s.Start())
	soon(t, func() bool { return len(b.find("INFO nats: reconnected")) == 2 }, "second reconnect")
	require.Equal(t, uint64(1), b.find("INFO nats: reconnected")[1].attrs["replayed"], "of this outage alone")

	nc.Close()
	end := b.wait(t, "INFO nats: closed")
	require.NotContains(t, end.attrs, "error")
	require.Equal(t, []string{
		"INFO nats: connected",
		"WARN nats: disconnected", "DEBUG nats: attempt to connect failed", "INFO nats: reconnected",
		"WARN nats: disconnected", "DEBUG nats: attempt to connect failed", "INFO nats: reconnected",
		"INFO nats: closed",
	}, withAttempt(b.story()))
}

// withAttempt puts a failed attempt behind each loss where there was none: the server
// may have been back first.
func withAttempt(story []string) (all []string) {
	for i, s := range story {
		all = append(all, s)
		if s == "WARN nats: disconnected" && story[i+1] != "DEBUG nats: attempt to connect failed" {
			all = append(all, "DEBUG nats: attempt to connect failed")
		}
	}
	return all
}

func TestLoggerWithoutAServer(t *testing.T) {
	t.Parallel()
	b := newLogBook()
	const nowhere = "nats://127.0.0.1:1"
	_, err := Connect(nowhere, b.option())
	require.Error(t, err)
	require.Equal(t, nowhere, b.wait(t, "DEBUG nats: attempt to connect failed").attrs["server"])

	b = newLogBook()
	nc := connectTo(t, nowhere, append(fast(), b.option(), RetryOnFailedConnect(true), MaxReconnects(2))...)
	require.NoError(t, nc.Publish("a", nil))
	end := b.wait(t, "ERROR nats: closed")
	require.Equal(t, ErrNoServers, end.attrs["error"])
	require.Equal(t, uint64(1), end.attrs["given_up"])
	require.Equal(t, ErrNoServers, b.find("WARN nats: no server at first, retrying")[0].attrs["error"])
	require.Equal(t, []string{
		"DEBUG nats: attempt to connect failed", "WARN nats: no server at first, retrying",
		"DEBUG nats: attempt to connect failed", "WARN nats: messages given up", "ERROR nats: closed",
	}, b.story())
}

func TestLoggerTellsOfTheFirstServerThatWasLate(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		b, m := newLogBook(), newMemNet()
		nc := inMemory(t, m, "nats://10.0.0.0", b.option(), RetryOnFailedConnect(true), ReconnectWait(time.Second), ReconnectJitter(0, 0))
		require.NoError(t, nc.Publish("a", nil))
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			if p.welcome() {
				p.answer()
			}
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		first := b.find("INFO nats: connected")[0]
		require.Equal(t, time.Second, first.attrs["outage"])
		require.Equal(t, uint64(1), first.attrs["replayed"])
	})
}

// A loss that closes the connection is told with its cause.
func TestLoggerLossWithoutReconnect(t *testing.T) {
	t.Parallel()
	b := newLogBook()
	s, _ := connect(t, b.option(), NoReconnect())
	s.Kill()
	why := b.wait(t, "ERROR nats: closed").attrs["error"]
	require.Error(t, why.(error))
	require.Equal(t, []string{"INFO nats: connected", "WARN nats: disconnected", "ERROR nats: closed"}, b.story())
	require.Equal(t, why, b.find("WARN nats: disconnected")[0].attrs["error"])
}

// Any number of errors is a few records, which count them all.
func TestLoggerSumsErrorsUp(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		b := newLogBook()
		told := 0
		nc := liveTo(t, newMemNet(), func(p *memPeer) {
			for range 5 {
				p.say(strings.Repeat("-ERR 'Permissions Violation for Publish to \"a\"'\r\n", 100))
				time.Sleep(logEvery - time.Second)
			}
			p.say("-ERR 'Maximum Subscriptions Exceeded'\r\n")
			p.deaf()
		}, b.option(), ErrorHandler(func(*Conn, *Subscription, error) { told++ }))
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		denied := b.find("WARN nats: permission violation")
		require.Equal(t, int64(500), sum(denied))
		require.Equal(t, int64(1), denied[0].attrs["count"], "the first at once")
		require.LessOrEqual(t, len(denied), 6)
		require.ErrorIs(t, denied[0].attrs["error"].(error), ErrPermissionViolation)
		require.Len(t, b.find("ERROR nats: error"), 1)
		require.Equal(t, 501, told, "the program's handler is told each")
		nc.Close()
	})
}

// What was counted and not told yet is told at the end.
func TestLoggerTellsTheRestAtTheEnd(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		b := newLogBook()
		nc := liveTo(t, newMemNet(), says(strings.Repeat("-ERR 'Permissions Violation'\r\n", 20)), b.option())
		synctest.Wait()
		nc.Close()
		synctest.Wait()
		require.Equal(t, int64(20), sum(b.find("WARN nats: permission violation")))
		story := b.story()
		require.Equal(t, "INFO nats: closed", story[len(story)-1])
	})
}

func TestLogRepeats(t *testing.T) {
	t.Parallel()
	var said []string
	armed := 0
	p := logRepeats{
		write: func(r slog.Record) {
			r.Attrs(func(a slog.Attr) bool { said = append(said, r.Message+" "+a.String()); return true })
		},
		flushLater: func(d time.Duration) *time.Timer {
			require.Equal(t, logEvery, d)
			armed++
			return time.NewTimer(time.Hour)
		},
	}
	add := func(kind string, n int) { p.add(kind, n, record(slog.LevelInfo, kind)) }
	says := func(want ...string) { t.Helper(); require.Equal(t, want, said); said = nil }
	add("a", 3)
	add("b", 1)
	add("a", 2)
	add("a", 2)
	says("a count=3", "b count=1")
	require.Equal(t, 1, armed)
	p.flush()
	says("a count=4")
	require.Equal(t, 2, armed, "there was something, so there may be more")
	add("a", 1)
	add("b", 1)
	says("b count=1")
	p.flush()
	says("a count=1")
	p.flush()
	p.flush()
	says()
	require.Empty(t, p.kinds)
	require.Nil(t, p.timer, "nothing is left running")
	add("a", 1)
	add("a", 1)
	p.end()
	says("a count=1", "a count=1")
	armed = 0
	p.flush()
	says()
	require.Zero(t, armed)

	for i := range 10 * maxLogKinds {
		p.add(fmt.Sprint("kind ", i), 1, record(slog.LevelInfo, "many"))
	}
	require.Len(t, said, maxLogKinds+1, "beyond that kinds are one")
	p.flush()
	require.Equal(t, fmt.Sprint("many count=", 9*maxLogKinds-1), said[len(said)-1])
}

// Messages that are given up are counted by reason, with and without a handler.
func TestLoggerSumsUndeliveredUp(t *testing.T) {
	t.Parallel()
	for _, listen := range []bool{false, true} {
		t.Run(fmt.Sprint("handler ", listen), func(t *testing.T) {
			t.Parallel()
			b := newLogBook()
			told := 0
			opts := append(fast(), b.option(), ReconnectBufMsgs(10), ReconnectBufOverflow(OverflowDropOldest))
			if listen {
				opts = append(opts, UndeliveredHandler(func(_ *Conn, u Undelivered) { told += u.Count }))
			}
			s, nc := connect(t, opts...)
			s.Kill()
			soon(t, nc.IsReconnecting, "outage")
			for range 5000 {
				require.NoError(t, nc.Publish("a", nil))
			}
			nc.Close()
			b.wait(t, "INFO nats: closed")
			lines := b.find("WARN nats: messages given up")
			require.Equal(t, int64(5000), sum(lines))
			require.LessOrEqual(t, len(lines), 4)
			require.Equal(t, ErrDropped, lines[0].attrs["reason"])
			reasons := make(map[any]int64)
			for _, l := range lines {
				reasons[l.attrs["reason"]] += l.attrs["count"].(int64)
			}
			require.Equal(t, map[any]int64{ErrDropped: 4990, ErrConnectionClosed: 10}, reasons)
			if listen {
				require.Equal(t, 5000, told)
			}
		})
	}
}

func TestLoggerTellsOfWatermarks(t *testing.T) {
	t.Parallel()
	for _, own := range []bool{false, true} {
		t.Run(fmt.Sprint("handler ", own), func(t *testing.T) {
			t.Parallel()
			b := newLogBook()
			opts, high := append(fast(), b.option(), ReconnectBufMsgs(10)), 8
			told := make(chan bool, 10)
			if own {
				opts, high = append(opts, ReconnectBufWatermark(0.3, 0, func(_ *Conn, above bool) { told <- above })), 3
			}
			s, nc := connect(t, opts...)
			s.Kill()
			soon(t, nc.IsReconnecting, "outage")
			for range high {
				require.Empty(t, b.find("WARN nats: buffer is above its high mark"))
				require.NoError(t, nc.Publish("a", nil))
			}
			require.Equal(t, int64(high), b.wait(t, "WARN nats: buffer is above its high mark").attrs["msgs"])
			require.NoError(t, s.Start())
			b.wait(t, "INFO nats: buffer is below its low mark")
			if own {
				require.True(t, got(t, told, "above"))
				require.False(t, got(t, told, "below"))
			}
		})
	}
}

func TestLoggerTellsWhatServersSay(t *testing.T) {
	t.Parallel()
	b := newLogBook()
	peers := make(chan *peerConn, 1)
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		peers <- p
		p.serve(nil)
	})
	connectTo(t, s.url(), b.option())
	p := got(t, peers, "session")
	p.say("INFO %s\r\n", `{"server_id":"S","connect_urls":["127.0.0.1:1","127.0.0.1:2"],"ldm":true}`)
	told := b.wait(t, "INFO nats: servers discovered")
	require.Equal(t, int64(3), told.attrs["servers"])
	require.ElementsMatch(t, []string{"nats://127.0.0.1:1", "nats://127.0.0.1:2"}, told.attrs["discovered"])
	b.wait(t, "WARN nats: server is shutting down")
}

func TestLoggerTellsOfSlowConsumers(t *testing.T) {
	t.Parallel()
	b := newLogBook()
	_, nc := connect(t, b.option())
	sub, err := nc.QueueSubscribeSync("work", "group")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(1, -1))
	for range 5 {
		require.NoError(t, nc.Publish("work", nil))
	}
	require.NoError(t, nc.Flush())
	slow := b.wait(t, "WARN nats: slow consumer")
	require.Equal(t, ErrSlowConsumer, slow.attrs["error"])
	require.Equal(t, "work", slow.attrs["subject"])
	require.Equal(t, "group", slow.attrs["queue"])
	require.Positive(t, slow.attrs["dropped"])
}

// The logger replaces the line on standard error, and no handler of the program's; it
// is told before the handler.
func TestLoggerAndErrorHandler(t *testing.T) { // not parallel: standard error is the process's
	r, w, err := os.Pipe()
	require.NoError(t, err)
	stderr := os.Stderr
	os.Stderr = w
	t.Cleanup(func() { os.Stderr = stderr })

	b := newLogBook()
	o := GetDefaultOptions()
	o.Logger = slog.New(b)
	nc := newConn(o.withDefaults(), &serverPool{})
	require.NotNil(t, nc.ErrorHandler())
	nc.reportError(nil, ErrStaleConnection)
	var seen []logLine
	nc.SetErrorHandler(func(*Conn, *Subscription, error) { seen = b.find("ERROR nats: error") })
	nc.reportError(&Subscription{Subject: "s"}, ErrTimeout)
	nc.SetErrorHandler(nil)
	nc.reportError(nil, ErrBadTimeout)
	nc.mu.Lock()
	nc.log.closedLocked(nil)
	told := make(chan struct{})
	nc.events.post(func() { close(told) })
	nc.mu.Unlock()
	<-told
	require.NoError(t, w.Close())
	said, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Empty(t, said)
	require.Len(t, seen, 2, "the record is there before the handler runs")
	require.Equal(t, "s", seen[1].attrs["subject"])
	require.Len(t, b.find("ERROR nats: error"), 3, "SetErrorHandler does not silence the logger")
}

// It works with the handlers of the standard library, which filter by level.
func TestLoggerWithTheStandardHandlers(t *testing.T) {
	t.Parallel()
	var out lockedBuffer
	s, nc := connect(t, append(fast(), Logger(slog.New(slog.NewTextHandler(&out, nil)).With("service", "x").WithGroup("nats")), Name("n"))...)
	s.Kill()
	soon(t, nc.IsReconnecting, "outage")
	require.NoError(t, s.Start())
	soon(t, func() bool { return strings.Contains(out.String(), "reconnected") }, "reconnected")
	require.Contains(t, out.String(), `level=INFO msg="nats: connected" service=x nats.connection=n nats.server=`+s.URL())
	require.NotContains(t, out.String(), "DEBUG")
}

// lockedBuffer is a bytes.Buffer for several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

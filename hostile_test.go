package nats

import (
	"context"
	"io"
	"net"
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// How far a hostile server plays along before it says what the fuzzer wants.
const (
	hostileAtOnce = iota // instead of INFO
	hostileInfo          // as the answer to CONNECT
	hostileLive          // when the connection is in use
	hostileTLS           // instead of the TLS handshake, behind INFO
	hostileFirst         // instead of the TLS handshake, before INFO
	hostileStages
)

// hostile is a CustomDialer whose servers say bytes in pieces, over a pipe.
type hostile struct {
	stage  int
	split  byte
	silent bool // stays, instead of hanging up
	data   []byte
	live   chan struct{} // closed when the client is at work

	wg    sync.WaitGroup
	dials int
}

// hostileDials is how many servers there are before a dial is refused.
const hostileDials = 3

func (h *hostile) Dial(string, string) (net.Conn, error) {
	if h.dials++; h.dials > hostileDials {
		return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	gone := make(chan struct{})
	h.wg.Add(2)
	go func() { // ends with the connection
		defer h.wg.Done()
		defer close(gone)
		_, _ = io.Copy(io.Discard, server)
	}()
	go func() { // ends when all is said, or the client is gone
		defer h.wg.Done()
		defer server.Close()
		h.play(server, gone)
	}()
	return client, nil
}

func (h *hostile) play(conn net.Conn, gone chan struct{}) {
	prologue := map[int]string{
		hostileInfo: "INFO " + plainInfo + "\r\n",
		hostileLive: "INFO " + plainInfo + "\r\nPONG\r\n",
		hostileTLS:  `INFO {"tls_required":true,"max_payload":1000}` + "\r\n",
	}[h.stage]
	if _, err := io.WriteString(conn, prologue); err != nil {
		return
	}
	if h.stage == hostileLive {
		select {
		case <-h.live:
		case <-gone:
		}
	}
	step := 1 + int(h.split)
	for rest := h.data; len(rest) > 0; {
		n := min(step, len(rest))
		if _, err := conn.Write(rest[:n]); err != nil {
			return
		}
		rest = rest[n:]
		step = step*31%257 + len(rest)/50 // some short, some long, soon over
	}
	if h.silent {
		<-gone
	}
}

// allocatedBytes is what was ever allocated.
func allocatedBytes() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// What a server can make the client allocate, however it goes about it: a fixed
// part for each connection, and a multiple of what it has really sent.
const (
	hostileFixed = 4 << 20
	hostileTimes = 200
)

// hostileSeeds are what servers say, and what they should not.
var hostileSeeds = []string{
	"", "\r\n", "INFO", "INFO {}\r\n", "INFO {}\r\nPONG\r\n", "INFO {\"max_payload\":-1,\"connect_urls\":[\"a:1\",\"[::1]\",\"x://y\"]}\r\nPONG\r\n",
	"PONG\r\n", "PING\r\n", "+OK\r\n", "-ERR\r\n", "-ERR 'Authorization Violation'\r\n", "-ERR 'Stale Connection'\r\n",
	"-ERR 'Permissions Violation for Subscription to \"foo\" using queue \"q\"'\r\n", "-ERR 'maximum connections exceeded'\r\n",
	"MSG foo 1 5\r\nhello\r\nMSG foo 1 0\r\n\r\n", "MSG foo 1 bar 5\r\nhello\r\n", "MSG foo 2 5\r\nhello\r\nMSG foo 3 1\r\nx\r\nMSG foo 4 1\r\nx\r\n",
	"HMSG foo 1 12 17\r\nNATS/1.0\r\n\r\nhello\r\n", "HMSG foo 2 22 22\r\nNATS/1.0\r\na: b\r\nc:\r\n\r\n\r\n", "HMSG _INBOX.x.y 4 16 16\r\nNATS/1.0 503\r\n\r\n\r\n",
	"HMSG foo 1 5 2\r\n", "MSG foo 1 99999999999\r\n", "MSG foo 1 67108864\r\nshort", "MSG foo 9223372036854775807 1\r\nx\r\n", "MSG  \t foo \t1 -1\r\n",
	"HTTP/1.1 400 Bad Request\r\n\r\n", "SSH-2.0-OpenSSH_9.6\r\n", "\x16\x03\x03\x00\x02\x02\x28", "\x15\x03\x03\x00\x02\x02\x28", "\x00\x00\x00",
	"INFO {\"tls_required\":true}\r\n", "INFO {\"ldm\":true,\"nonce\":\"x\"}\r\nPING\r\nPING\r\nPONG\r\nPONG\r\n",
}

// FuzzHostileServer lets a server say anything, in any pieces, at every stage of a
// connection. The client never panics, allocates within bounds, hangs no longer
// than its timeouts say, and leaves no goroutine behind.
func FuzzHostileServer(f *testing.F) {
	for i, s := range hostileSeeds {
		for stage := range hostileStages {
			f.Add(byte(stage), byte(i*37), []byte(s))
		}
	}
	f.Fuzz(func(t *testing.T, how, split byte, data []byte) {
		if len(data) > 64<<10 {
			t.Skip("long enough is long enough")
		}
		h := &hostile{
			stage: int(how) % hostileStages, silent: how/hostileStages%8 == 7,
			split: split, data: data, live: make(chan struct{}),
		}
		before, goroutines := allocatedBytes(), runtime.NumGoroutine()
		start := time.Now()
		h.attack(t, how >= 128)
		require.Less(t, time.Since(start), patience, "it hung")
		h.wg.Wait()
		require.LessOrEqual(t, allocatedBytes()-before, uint64(hostileFixed+hostileTimes*len(data)), "memory")
		noMoreGoroutinesThan(t, goroutines)
	})
}

// noMoreGoroutinesThan waits for goroutines to end. It starts none itself.
func noMoreGoroutinesThan(t *testing.T, n int) {
	t.Helper()
	for i := 0; runtime.NumGoroutine() > n && i < 100; i++ {
		runtime.Gosched()
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > n; <-tick.C {
		if time.Now().After(deadline) {
			stacks := make([]byte, 64<<10)
			require.FailNow(t, "goroutines are left", "%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
}

// attack connects, uses the connection in every way, and closes it.
func (h *hostile) attack(t *testing.T, reconnect bool) {
	opts := []Option{SetCustomDialer(h), SkipHostLookup(), DontRandomize(), Timeout(30 * time.Millisecond), PingInterval(0),
		ReconnectWait(0), ReconnectJitter(0, 0), MaxReconnects(1), quiet(), PermissionErrOnSubscribe(true), UserInfo("joe", "secret")}
	if !reconnect {
		opts = append(opts, NoReconnect())
	}
	if h.split%2 == 1 {
		opts = append(opts, AtLeastOnce())
	}
	switch h.stage {
	case hostileTLS:
		opts = append(opts, Secure())
	case hostileFirst:
		opts = append(opts, TLSHandshakeFirst())
	}
	nc, err := Connect("nats://10.0.0.1", opts...)
	if err != nil {
		require.Nil(t, nc)
		require.Less(t, len(err.Error()), 4096, "a short error")
		return
	}
	useAll(nc)
	close(h.live)
	if !h.silent {
		select {
		case <-nc.done:
		case <-time.After(5 * time.Millisecond): // it may go on with the next server
		}
	}
	start := time.Now()
	nc.Close()
	require.Less(t, time.Since(start), patience, "Close hung")
	<-nc.done
}

// useAll uses a connection in every way. Errors are none of its business.
func useAll(nc *Conn) {
	sub, _ := nc.SubscribeSync("foo")
	_, _ = nc.QueueSubscribe("foo", "q", func(m *Msg) { _, _ = m.Header.Get("a"), m.Respond([]byte("x")) })
	_, _ = nc.ChanSubscribe("foo", make(chan *Msg, 1))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _ = nc.RequestWithContext(ctx, "foo", nil)
	_ = nc.Publish("foo", []byte("x"))
	m := NewMsg("foo")
	m.Header.Set("a", "b")
	_ = nc.PublishMsg(m)
	_ = sub.AutoUnsubscribe(3)
	_, _ = sub.NextMsg(0)
	_, _, _ = nc.Stats(), nc.Servers(), nc.String()
}

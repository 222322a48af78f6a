package nats

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What peers may be that are no good NATS servers.
var (
	httpBanner = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
	sshBanner  = "SSH-2.0-OpenSSH_9.6\r\n"
	garbage    = "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
)

// says is a peer that says something and then waits for the client to go.
func says(text string) func(*memPeer) {
	return func(p *memPeer) {
		if p.say(text) {
			p.deaf()
		}
	}
}

// endless is a peer that says something, and then something else for ever.
func endless(text, more string) func(*memPeer) {
	return func(p *memPeer) {
		for ok := p.say(text); ok; ok = p.say(more) {
		}
	}
}

// badHandshakes are peers that nobody can connect to. text is part of the error.
var badHandshakes = map[string]struct {
	peer  func(*memPeer)
	text  string
	is    error
	waits bool // until the time is over
}{
	"hangs up":             {peer: func(*memPeer) {}, is: io.EOF},
	"says nothing":         {peer: (*memPeer).deaf, is: os.ErrDeadlineExceeded, waits: true},
	"HTTP":                 {peer: says(httpBanner), text: "got 'HTTP/1.1 400 Bad Request'", is: ErrNoInfoReceived},
	"SSH":                  {peer: says(sshBanner), text: "got 'SSH-2.0-OpenSSH_9.6'", is: ErrNoInfoReceived},
	"garbage and silence":  {peer: says(garbage), is: os.ErrDeadlineExceeded, waits: true},
	"garbage without end":  {peer: endless(garbage, strings.Repeat("x", 5000)), text: "line of more than"},
	"half an INFO":         {peer: says(`INFO {"server_id":`), is: os.ErrDeadlineExceeded, waits: true},
	"trickling INFO":       {peer: trickle, is: os.ErrDeadlineExceeded, waits: true},
	"INFO and silence":     {peer: says("INFO {}\r\n"), is: os.ErrDeadlineExceeded, waits: true},
	"INFO of 10 MB":        {peer: says("INFO {\"x\":\"" + strings.Repeat("y", 10<<20) + "\"}\r\n"), text: "line of more than"},
	"INFO of broken JSON":  {peer: says("INFO {\"server_id\":\"x\r\n"), text: "INFO is not valid JSON"},
	"INFO of other JSON":   {peer: says("INFO [1,2]\r\n"), text: "INFO is not valid JSON"},
	"answer without end":   {peer: answers(strings.Repeat("x", 100<<10)), text: "line of more than"},
	"half an answer":       {peer: answers("PON"), is: os.ErrDeadlineExceeded, waits: true},
	"message as answer":    {peer: answers("MSG foo 1 -5\r\n"), text: "got 'MSG foo 1 -5'"},
	"unknown operation":    {peer: answers("HELLO\r\n"), text: "got 'HELLO'"},
	"hangs up on CONNECT":  {peer: func(p *memPeer) { p.shake("{}") }, is: io.EOF},
	"hangs up behind INFO": {peer: func(p *memPeer) { p.say("INFO {}\r\n") }, text: "connecting to"},
}

func trickle(p *memPeer) {
	gone := make(chan struct{})
	go func() { // ends with the connection
		p.deaf()
		close(gone)
	}()
	for ok := p.say(`INFO {"server_id":"`); ok; ok = p.say("x") {
		select {
		case <-gone:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// answers is a peer that begins well and answers CONNECT with a text.
func answers(text string) func(*memPeer) {
	return func(p *memPeer) {
		if _, ok := p.shake("{}"); ok && p.say(text) {
			p.deaf()
		}
	}
}

func TestBadInputAtConnect(t *testing.T) {
	t.Parallel()
	for name, c := range badHandshakes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				m := newMemNet()
				m.listen("10.0.0.0:4222", c.peer)
				nc, err := Connect("nats://joe:S3CRET@10.0.0.0", SetCustomDialer(m), Timeout(3*time.Second))
				require.Error(t, err)
				require.Nil(t, nc)
				assert.ErrorContains(t, err, "nats://10.0.0.0:4222")
				assert.ErrorContains(t, err, c.text)
				assert.NotContains(t, err.Error(), "S3CRET")
				assert.Less(t, len(err.Error()), 300)
				if c.is != nil {
					assert.ErrorIs(t, err, c.is)
				}
				var want time.Duration
				if c.waits {
					want = 3 * time.Second
				}
				assert.Equal(t, want, time.Since(m.start))
			})
		})
	}
}

// A bad server does not keep a client from the next one in the list.
func TestBadInputNextServer(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		var url []string
		for _, c := range badHandshakes {
			addr := fmt.Sprintf("10.0.0.%d", len(url))
			m.listen(addr+":4222", c.peer)
			url = append(url, addr)
		}
		flapping(m, "10.0.1.0:4222")
		nc := inMemory(t, m, strings.Join(append(url, "10.0.1.0"), ","))
		require.Equal(t, "nats://10.0.1.0:4222", nc.ConnectedUrl())
	})
}

// badStreams are what a server may say to a live connection that ends it.
var badStreams = map[string]struct {
	peer func(*memPeer)
	text string
}{
	"HTTP":                     {says(httpBanner), "unknown operation 'HTTP/1.1 400 Bad Request'"},
	"SSH":                      {says(sshBanner), "unknown operation 'SSH-2.0-OpenSSH_9.6'"},
	"unknown operation":        {says("HELLO world\r\n"), "unknown operation 'HELLO world'"},
	"empty line":               {says("\r\n"), "unknown operation ''"},
	"garbage without end":      {endless(garbage, strings.Repeat("x", 5000)), "control line of more than 65536 bytes"},
	"long line":                {says("MSG " + strings.Repeat("x", maxLine) + "\r\n"), "control line of more than 65536 bytes"},
	"INFO of 10 MB":            {says("INFO {\"x\":\"" + strings.Repeat("y", 10<<20) + "\"}\r\n"), "control line of more than 1048576 bytes"},
	"negative length":          {says("MSG foo 1 -5\r\nhello\r\n"), "processMsgArgs Bad or Missing Size: 'foo 1 -5'"},
	"overflowing length":       {says("MSG foo 1 99999999999999999999\r\n"), "processMsgArgs Bad or Missing Size"},
	"enormous length":          {says("MSG foo 1 2147483647\r\n"), "message of 2147483647 bytes"},
	"negative header":          {says("HMSG foo 1 -5 5\r\nhello\r\n"), "processHeaderMsgArgs Bad or Missing Header Size"},
	"header beyond the end":    {says("HMSG foo 1 6 5\r\n"), "processHeaderMsgArgs Bad or Missing Header Size"},
	"header far beyond":        {says("HMSG foo 1 99 5\r\nhello\r\n"), "processHeaderMsgArgs Bad or Missing Header Size"},
	"too few arguments":        {says("MSG foo\r\n"), "processMsgArgs Parse Error: 'foo'"},
	"longer than it says":      {says("MSG foo 1 3\r\nhello\r\n"), "message of 3 bytes goes on with 'lo"},
	"no line end behind it":    {says("MSG foo 1 5\r\nhelloMSG foo 1 0\r\n\r\n"), "message of 5 bytes goes on with 'MSG"},
	"client's operations":      {says("SUB foo 1\r\n"), "unknown operation 'SUB foo 1'"},
	"length with a wrong sign": {says("MSG foo 1 +5\r\nhello\r\n"), "processMsgArgs Bad or Missing Size"},
}

// liveTo connects to a peer that is a good server up to the handshake and goes on
// as it likes, but only the first time.
func liveTo(t *testing.T, m *memNet, peer func(*memPeer), opts ...Option) *Conn {
	t.Helper()
	var turn atomic.Int32
	m.listen("10.0.0.0:4222", func(p *memPeer) {
		if !p.welcome() {
			return
		}
		if turn.Add(1) > 1 {
			p.answer()
			return
		}
		peer(p)
	})
	return inMemory(t, m, "nats://joe:S3CRET@10.0.0.0", append([]Option{ReconnectWait(time.Second)}, opts...)...)
}

func TestBadInputWhenConnected(t *testing.T) {
	t.Parallel()
	for name, c := range badStreams {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				m := newMemNet()
				lost, onLost := lossEvents()
				back, onBack := connEvents()
				nc := liveTo(t, m, c.peer, onLost, ReconnectHandler(onBack))
				select {
				case err := <-lost:
					assert.ErrorContains(t, err, c.text)
					assert.NotContains(t, err.Error(), "S3CRET")
					assert.Less(t, len(err.Error()), 300)
				case <-time.After(time.Hour):
					require.Fail(t, "nothing was wrong with it")
				}
				require.Zero(t, time.Since(m.start), "at once")
				<-back
				require.Equal(t, time.Second, time.Since(m.start))
				require.NoError(t, nc.Flush())
			})
		})
	}
}

// What is wrong with a stream names the server it came from.
func TestBadInputNamesTheServer(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		lost, onLost := lossEvents()
		liveTo(t, newMemNet(), says("HELLO\r\n"), onLost)
		require.ErrorContains(t, <-lost, "nats://10.0.0.0:4222")
	})
}

// A peer that stops in the middle of something is found by the pings.
func TestBadInputSilence(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "PIN", "MSG foo 1 500\r\nhello", "MSG foo 1 5\r\nhello", garbage, "INFO {"} {
		virtually(t, func(t *testing.T) {
			m := newMemNet()
			lost, onLost := lossEvents()
			back, onBack := connEvents()
			liveTo(t, m, says(text), onLost, ReconnectHandler(onBack), PingInterval(time.Minute), MaxPingsOutstanding(2))
			require.Equal(t, ErrStaleConnection, <-lost, "%q", text)
			require.Equal(t, 3*time.Minute, time.Since(m.start))
			<-back
		})
	}
}

// A connection that ends in the middle of something is a lost one.
func TestBadInputCutShort(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "PIN", "MSG foo 1 500\r\nhello", "MSG foo 1 5\r\nhello", "INFO {"} {
		virtually(t, func(t *testing.T) {
			lost, onLost := lossEvents()
			back, onBack := connEvents()
			liveTo(t, newMemNet(), func(p *memPeer) { p.say(text) }, onLost, ReconnectHandler(onBack))
			require.Equal(t, io.EOF, <-lost, "%q", text)
			<-back
		})
	}
}

// What does no harm is ignored.
func TestBadInputIgnored(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		lost, onLost := lossEvents()
		errs, onErr := errEvents()
		nc := liveTo(t, newMemNet(), says("INFO {\"max_payload\":\r\nINFO [1]\r\nINFO\r\nPONG\r\nPONG\r\n+OK\r\n"+
			"MSG foo 77 5\r\nhello\r\nINFO {\"max_payload\":5}\r\n"), onLost, onErr)
		time.Sleep(time.Minute)
		require.Empty(t, lost)
		require.Empty(t, errs)
		require.EqualValues(t, 5, nc.MaxPayload())
		require.EqualValues(t, 1, nc.Stats().InMsgs)
	})
}

// Without reconnecting, bad input closes the connection with the error.
func TestBadInputWithoutReconnect(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		closed, onClosed := connEvents()
		nc := liveTo(t, newMemNet(), says("HELLO\r\n"), ClosedHandler(onClosed), NoReconnect())
		<-closed
		require.ErrorContains(t, nc.LastError(), "unknown operation 'HELLO'")
	})
}

// pipeServer connects over a pipe to a peer in this process: what it has said was
// read when say returns. Time is real.
func pipeServer(t *testing.T, peer func(*memPeer), opts ...Option) (*Conn, error) {
	t.Helper()
	m := newMemNet()
	m.listen("10.0.0.0:4222", peer)
	nc, err := Connect("10.0.0.0", append([]Option{SetCustomDialer(m), NoReconnect(), Timeout(patience)}, opts...)...)
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, err
}

// allocated returns how many bytes were allocated while f ran, by the whole
// process: tests that use it are not parallel.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A message that is announced and does not come costs no memory.
func TestBadInputClaimedMessage(t *testing.T) {
	said, cut := make(chan bool), make(chan struct{})
	n := allocated(func() {
		nc, err := pipeServer(t, func(p *memPeer) {
			if !p.welcome() {
				return
			}
			said <- p.say("MSG foo 1 60000000\r\n") && p.say("hello") && p.say("world")
			<-cut
		})
		require.NoError(t, err)
		require.True(t, got(t, said, "the beginning of a message"))
		close(cut)
		soon(t, nc.IsClosed, "end of the connection")
		require.Equal(t, io.EOF, nc.LastError())
	})
	require.Less(t, n, uint64(4<<20))
}

// A line without end is read up to its bound and not further.
func TestBadInputEndlessLine(t *testing.T) {
	piece := bytes.Repeat([]byte("x"), 1000)
	var wrote atomic.Int64
	flood := func(p *memPeer) {
		for {
			n, err := p.Write(piece)
			wrote.Add(int64(n))
			if err != nil {
				return
			}
		}
	}
	n := allocated(func() {
		_, err := pipeServer(t, flood)
		require.ErrorContains(t, err, "line of more than 1048576 bytes")
	})
	require.LessOrEqual(t, wrote.Load(), int64(maxInfo+8<<10))
	require.Less(t, n, uint64(16<<20))

	for start, limit := range map[string]int64{"x": maxLine, "INFO ": maxInfo} {
		wrote.Store(0)
		n := allocated(func() {
			nc, err := pipeServer(t, func(p *memPeer) {
				if p.welcome() && p.say(start) {
					flood(p)
				}
			})
			require.NoError(t, err)
			soon(t, nc.IsClosed, "end of the connection")
			require.ErrorContains(t, nc.LastError(), "control line of more than")
		})
		require.LessOrEqual(t, wrote.Load(), limit+readSize)
		require.Less(t, n, uint64(16<<20))
	}
}

// A server that complains without end, while the program is slow to listen, must
// not fill the memory.
func TestBadInputErrorFlood(t *testing.T) {
	const lines = 50_000
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	said := make(chan bool)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	nc, err := pipeServer(t, func(p *memPeer) {
		if !p.welcome() {
			return
		}
		line := strings.Repeat("-ERR 'Permissions Violation'\r\n", 1000)
		ok := true
		for range lines / 1000 {
			ok = ok && p.say(line)
		}
		said <- ok
		p.deaf()
	}, ErrorHandler(func(*Conn, *Subscription, error) { <-stuck }))
	require.NoError(t, err)
	require.True(t, got(t, said, "the flood"))
	soon(t, func() bool { return errors.Is(nc.LastError(), ErrPermissionViolation) }, "errors")
	require.Less(t, int64(heap())-int64(before), int64(4<<20))
}

// The same with a server that tells of ever new servers.
func TestBadInputInfoFlood(t *testing.T) {
	const infos = 10_000
	stuck := make(chan struct{})
	t.Cleanup(func() { close(stuck) })
	said := make(chan bool)
	nc, err := pipeServer(t, func(p *memPeer) {
		ok := p.welcome()
		for i := range infos {
			ok = ok && p.say(fmt.Sprintf("INFO {\"connect_urls\":[\"h%d:1\"]}\r\n", i))
		}
		said <- ok
		p.deaf()
	}, DiscoveredServersHandler(func(*Conn) { <-stuck }))
	require.NoError(t, err)
	require.True(t, got(t, said, "the flood"))
	require.Less(t, len(nc.Servers()), 4)
	nc.events.mu.Lock()
	defer nc.events.mu.Unlock()
	require.Less(t, len(nc.events.queue), infos/4, "events wait for a handler that is stuck")
}

// The connection is locked while addresses are taken over: that must not take a
// time that grows with their square.
func TestBadInputManyAddresses(t *testing.T) {
	t.Parallel()
	var urls strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&urls, `"h%x:1",`, i)
	}
	info := `{"proto":1,"max_payload":1024,"connect_urls":[` + urls.String() + `"10.0.0.0:1"]}`
	began := time.Now()
	nc, err := pipeServer(t, func(p *memPeer) {
		if _, ok := p.shake(info); ok && p.say("PONG\r\n") {
			p.answer()
		}
	}, Timeout(10*time.Minute)) // not to be what ends this test
	require.NoError(t, err)
	require.Less(t, time.Since(began), patience/4)
	require.NotEmpty(t, nc.DiscoveredServers())
}

package nats

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// Compatibility 13.2, 13.3: what is asked for.
func TestWebSocketRequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		tail string // of the URL
		opts []Option
		path string
		want http.Header
	}{
		"plain":      {"", nil, "/", http.Header{"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Extensions": nil, "Authorization": nil}},
		"path":       {"/a%2fb/c?x=y", nil, "/a%2fb/c?x=y", nil},
		"proxy":      {"/a?x=y", []Option{ProxyPath("p/q")}, "/p/q?x=y", nil},
		"proxy, /":   {"", []Option{ProxyPath("/p")}, "/p", nil},
		"compressed": {"", []Option{Compression(true)}, "/", http.Header{"Sec-Websocket-Extensions": {"permessage-deflate; client_no_context_takeover; server_no_context_takeover"}}},
		"headers": {"", []Option{WebSocketConnectionHeaders(http.Header{"X-A": {"1", "2"}, "Connection": {"close"}})}, "/",
			http.Header{"X-A": {"1", "2"}, "Connection": {"Upgrade"}, "Upgrade": {"websocket"}}},
	} {
		t.Run(strings.ReplaceAll(name, " ", ""), func(t *testing.T) {
			t.Parallel()
			requests := make(chan *http.Request, 1)
			s := scripted(t, func(p *peerConn) {
				r, ok := p.welcomeWeb()
				requests <- r
				if ok {
					p.serveWeb(nil)
				}
			})
			url := strings.Replace(s.webURL(), "://", "://user:secret@", 1) + c.tail
			nc := connectTo(t, url, c.opts...)
			r := got(t, requests, "request")
			require.Equal(t, c.path, r.RequestURI)
			require.Equal(t, s.ln.Addr().String(), r.Host)
			for k, v := range c.want {
				require.Equal(t, v, r.Header[k], k)
			}
			require.NotContains(t, fmt.Sprint(r.Header), "secret")
			require.Equal(t, s.ln.Addr().String(), nc.ConnectedAddr())
			require.NotEmpty(t, nc.LocalAddr())
		})
	}
}

// The handler is asked for each attempt; its error fails the attempt, and is told.
func TestWebSocketHeadersHandler(t *testing.T) {
	t.Parallel()
	requests := make(chan *http.Request, 10)
	s := scripted(t, func(p *peerConn) {
		r, ok := p.welcomeWeb()
		if r != nil { // nil: a handler that failed
			requests <- r
		}
		if ok && p.n > 0 {
			p.serveWeb(nil)
		}
	})
	broken := errors.New("no token")
	calls := 0
	handler := func() (http.Header, error) {
		calls++
		if calls == 2 {
			return nil, broken
		}
		return http.Header{"Authorization": {fmt.Sprint("Bearer ", calls)}, "Host": {"behind.example"}}, nil
	}
	failed := make(chan error, 10)
	connectTo(t, s.webURL(), append(fast(), quiet(), WebSocketConnectionHeadersHandler(handler),
		ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }))...)
	r := got(t, requests, "request")
	require.Equal(t, "Bearer 1", r.Header.Get("Authorization"))
	require.Equal(t, "behind.example", r.Host)
	require.ErrorIs(t, got(t, failed, "failure"), broken)
	require.Equal(t, "Bearer 3", got(t, requests, "request").Header.Get("Authorization"))
}

func TestWebSocketHeadersAreSetOnce(t *testing.T) {
	t.Parallel()
	fixed := WebSocketConnectionHeaders(http.Header{"A": {"b"}})
	asked := WebSocketConnectionHeadersHandler(func() (http.Header, error) { return nil, nil })
	for _, opts := range [][]Option{{fixed, asked}, {asked, fixed}} {
		_, err := Connect("ws://127.0.0.1:1", opts...)
		require.ErrorIs(t, err, ErrWebSocketHeadersAlreadySet)
	}
	_, err := Connect("ws://127.0.0.1:1", WebSocketConnectionHeaders(nil), asked)
	require.ErrorIs(t, err, ErrNoServers, "empty ones are none")
}

// Compatibility 2.3, 2.4, 2.9.
func TestWebSocketServersAreNotMixed(t *testing.T) {
	t.Parallel()
	for _, urls := range []string{"ws://a,nats://b", "nats://a,ws://b", "a,wss://b", "wss://a,tls://b"} {
		_, err := Connect(urls, DontRandomize())
		require.ErrorIs(t, err, ErrMixingWebsocketSchemes, urls)
	}
	pool := func(secure bool, urls ...string) []string {
		o := GetDefaultOptions()
		o.Secure, o.NoRandomize, o.Servers = secure, true, urls
		p, err := newServerPool(&o)
		require.NoError(t, err)
		o.secureBy(p)
		p.discover([]string{"10.0.0.1:99", "10.0.0.2"})
		return p.names(func(*server) bool { return true })
	}
	require.Equal(t, []string{"ws://a:80", "ws://b:80", "wss://c:443", "wss://10.0.0.1:99", "wss://10.0.0.2:443"},
		pool(false, "ws://a", "b", "wss://c"))
	require.Equal(t, []string{"ws://a:80", "ws://10.0.0.1:99", "ws://10.0.0.2:80"}, pool(false, "ws://a"))
	require.Equal(t, []string{"ws://a:80", "wss://b:443", "wss://10.0.0.1:99", "wss://10.0.0.2:443"}, pool(true, "ws://a", "b"))

	nc, _ := webPair(t)
	before := nc.Servers()
	require.ErrorIs(t, nc.SetServerPool([]string{"ws://a", "nats://b"}), ErrMixingWebsocketSchemes)
	require.ErrorIs(t, nc.SetServerPool([]string{"nats://b"}), ErrMixingWebsocketSchemes)
	require.Equal(t, before, nc.Servers())
	require.NoError(t, nc.SetServerPool([]string{"a", "ws://b/x"}))
	require.Equal(t, []string{"ws://a:80", "ws://b:80"}, nc.Servers())
	_, plain := connect(t)
	require.ErrorIs(t, plain.SetServerPool([]string{"ws://a"}), ErrMixingWebsocketSchemes)
	require.NoError(t, plain.SetServerPool([]string{"a"}))
}

// A cluster tells of its WebSocket addresses, and one of those is where the client goes.
func TestWebSocketServersThatAreToldOf(t *testing.T) {
	t.Parallel()
	second := scriptedWeb(t, func(p *peerConn) { p.serveWeb(nil) })
	first := scripted(t, func(p *peerConn) {
		r, ok := p.request()
		if !ok || !p.switchTo(r, "") {
			return
		}
		p.send(opBinary, fmt.Sprintf("INFO {\"max_payload\":1000,\"connect_urls\":[%q]}\r\n", second.ln.Addr()))
		if _, ok := p.receive(); ok {
			p.send(opBinary, "PONG\r\n")
		}
	})
	back, onBack := connEvents()
	nc := connectTo(t, first.webURL(), append(fast(), quiet(), ReconnectHandler(onBack), DontRandomize())...)
	require.Equal(t, []string{second.webURL()}, nc.DiscoveredServers())
	got(t, back, "reconnect")
	require.Equal(t, second.webURL(), nc.ConnectedUrl())
}

// A server, or who stands in for it, answers the upgrade with what it likes. The error
// comes in time, says server and step, and keeps secrets.
func TestHostileUpgrade(t *testing.T) {
	t.Parallel()
	const key = "Sec-WebSocket-Accept: "
	forever := func(p *peerConn, what string) {
		for p.say("%s", what) {
		}
	}
	for name, c := range map[string]struct {
		answer func(*peerConn, *http.Request)
		want   string
	}{
		"refused": {func(p *peerConn, _ *http.Request) { p.say("HTTP/1.1 403 secret\r\nContent-Length: 0\r\n\r\n") }, "invalid websocket connection: the server answered 403 Forbidden"},
		"redirected": {func(p *peerConn, _ *http.Request) {
			p.say("HTTP/1.1 302 x\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
		}, "302 Found"},
		"no HTTP":   {func(p *peerConn, _ *http.Request) { p.say("INFO {}\r\n") }, "invalid websocket connection"},
		"wrong key": {func(p *peerConn, _ *http.Request) { p.say("%s%s%s\r\n\r\n", switching, key, acceptKey("x")) }, "Sec-WebSocket-Accept"},
		"no key":    {func(p *peerConn, _ *http.Request) { p.say("%s\r\n", switching) }, "Sec-WebSocket-Accept"},
		"no upgrade": {func(p *peerConn, r *http.Request) {
			p.say("HTTP/1.1 101 x\r\n%s%s\r\n\r\n", key, acceptKey(r.Header.Get("Sec-WebSocket-Key")))
		}, "pgrade"},
		"wrong extension": {func(p *peerConn, r *http.Request) {
			p.switchTo(r, "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=8\r\n")
		}, "invalid websocket connection"},
		"hangs up":        {func(*peerConn, *http.Request) {}, "EOF"},
		"hangs up within": {func(p *peerConn, _ *http.Request) { p.say(switching) }, "EOF"},
		"is silent":       {func(p *peerConn, _ *http.Request) { p.await() }, "i/o timeout"},
		"is slow":         {func(p *peerConn, _ *http.Request) { p.say("HTTP/1.1 101"); p.await() }, "i/o timeout"},
		"endless line":    {func(p *peerConn, _ *http.Request) { p.say("HTTP/1.1 101 "); forever(p, strings.Repeat("x", 1000)) }, "invalid websocket connection"},
		"endless headers": {func(p *peerConn, _ *http.Request) { p.say(switching); forever(p, strings.Repeat("A: b\r\n", 100)) }, "invalid websocket connection"},
		"endless body": {func(p *peerConn, _ *http.Request) {
			p.say("HTTP/1.1 500 x\r\n\r\n")
			forever(p, strings.Repeat("x", 1000))
		}, "500"},
		"endless 103": {func(p *peerConn, _ *http.Request) { forever(p, "HTTP/1.1 103 x\r\nA: b\r\n\r\n") }, "invalid websocket connection"},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			s := scripted(t, func(p *peerConn) {
				if r, ok := p.request(); ok {
					c.answer(p, r)
				}
			})
			limit := patience
			if strings.HasPrefix(name, "is ") {
				limit = 150 * time.Millisecond
			}
			url := strings.Replace(s.webURL(), "://", "://user:secret@", 1) + "/secret?token=secret"
			start := time.Now()
			_, err := Connect(url, Timeout(limit), WebSocketConnectionHeaders(http.Header{"A": {"secret"}}))
			require.ErrorContains(t, err, stepUpgrade+" "+s.webURL())
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret")
			require.Less(t, len(err.Error()), 600)
			require.Less(t, time.Since(start), patience)
		})
	}
}

// A failed upgrade is told as a failed dial is.
func TestFailedUpgradeIsTold(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(p *peerConn) {
		if p.n > 0 {
			p.say("HTTP/1.1 502 x\r\n\r\n")
			return
		}
		p.welcomeWeb()
	})
	failed := make(chan error, 1000)
	connectTo(t, s.webURL(), append(fast(), quiet(), ReconnectErrHandler(func(_ *Conn, err error) { failed <- err }))...)
	require.ErrorContains(t, got(t, failed, "failure"), "502 Bad Gateway")
}

// Compatibility 13.7, 13.8: what is read, whatever it is cut into.
func TestWebSocketReads(t *testing.T) {
	t.Parallel()
	nc, p := webPair(t)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	_, ok := p.receive()
	require.True(t, ok)
	p.send(opBegin, "MSG foo 1 ")
	p.send(opPing, "are you there")
	p.send(0x00, "")
	p.send(0x00, "5\r\nhel")
	p.send(opMore, "lo\r")
	p.send(opBinary, "")
	p.send(opText, "\nMSG foo 1 2\r\nyo\r\n")
	p.send(opPongFrame, "unasked")
	for _, want := range []string{"hello", "yo"} {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, want, string(m.Data))
	}
	f, ok := p.receive()
	require.True(t, ok)
	require.Equal(t, webFrame{opPongFrame, "are you there"}, f)
}

// What a server does wrong ends the session, and says so.
func TestWebSocketProtocolErrors(t *testing.T) {
	t.Parallel()
	for name, frames := range map[string]string{
		"reserved bits":          "\xb2\x00",
		"unknown operation":      "\x83\x00",
		"unknown control":        "\x8b\x00",
		"long control frame":     "\x89\x7e\x00\x7e" + strings.Repeat("x", 126),
		"fragmented control":     "\x09\x00",
		"negative length":        "\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff",
		"nothing to continue":    "\x80\x00",
		"two messages at once":   "\x02\x01\r\x82\x00",
		"compressed, not agreed": "\xc2\x00",
		"bad close":              "\x88\x01x",
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			lost, onLost := lossEvents()
			_, p := webPair(t, append(fast(), onLost)...)
			p.say("%s", frames)
			require.ErrorContains(t, got(t, lost, "loss"), "websocket: ")
		})
	}
}

// Compatibility 13.9: what came before the close counts, and the close is answered.
func TestWebSocketClosedByServer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body string
		want func(*testing.T, error)
	}{
		"normal":    {"\x03\xe8bye", func(t *testing.T, err error) { require.Equal(t, io.EOF, err) }},
		"no status": {"", func(t *testing.T, err error) { require.Equal(t, io.EOF, err) }},
		"too big": {"\x03\xf1secret", func(t *testing.T, err error) {
			require.ErrorIs(t, err, io.EOF)
			require.ErrorContains(t, err, "websocket closed with status 1009")
			require.NotContains(t, err.Error(), "secret")
		}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			lost, onLost := lossEvents()
			told, onErr := errEvents()
			nc, p := webPair(t, append(fast(), onLost, onErr)...)
			sub, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			_, ok := p.receive()
			require.True(t, ok)
			both := "\x82\x4fMSG foo 1 1\r\nx\r\n-ERR 'Permissions Violation for Publish to \"bar\"'\r\n"
			both = both[:1] + string(rune(len(both)-2)) + both[2:]
			p.say("%s\x88%c%s", both, len(c.body), c.body)
			m, err := sub.NextMsg(patience)
			require.NoError(t, err)
			require.Equal(t, "x", string(m.Data))
			require.ErrorIs(t, got(t, told, "-ERR"), ErrPermissionViolation)
			c.want(t, got(t, lost, "loss"))
			f, ok := p.receive()
			require.True(t, ok)
			require.EqualValues(t, opClose, f.op)
			require.Equal(t, c.body[:min(2, len(c.body))], f.data[:min(2, len(c.body), len(f.data))])
		})
	}
}

// An -ERR against the credentials, and the close right behind it in one packet.
func TestWebSocketRefusalBeforeTheClose(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(p *peerConn) {
		r, ok := p.request()
		if !ok || !p.switchTo(r, "") || !p.send(opBinary, "INFO {}\r\n") {
			return
		}
		if _, ok := p.receive(); ok {
			p.say("\x82\x20-ERR 'Authorization Violation'\r\n\x88\x02\x03\xf0")
			p.await()
		}
	})
	_, err := Connect(s.webURL(), Timeout(patience))
	require.ErrorIs(t, err, ErrAuthorization)
}

// INFO may come in the packet of the answer.
func TestWebSocketInfoBehindTheAnswer(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(p *peerConn) {
		r, ok := p.request()
		if !ok {
			return
		}
		p.switchTo(r, "\r\n\x82\x09INFO {}")
		if _, ok := p.receive(); ok {
			p.send(opBinary, "PONG\r\n")
			p.serveWeb(nil)
		}
	})
	require.NoError(t, connectTo(t, s.webURL()).FlushTimeout(patience))
}

// Compatibility 13.10: the close frame is the last.
func TestWebSocketClose(t *testing.T) {
	t.Parallel()
	frames := make(chan webFrame, 100)
	s := scriptedWeb(t, func(p *peerConn) {
		p.serveWeb(func(f webFrame) {
			frames <- f
			if f.op == opClose {
				p.send(opClose, f.data)
			}
		})
		close(frames)
	})
	nc := connectTo(t, s.webURL())
	require.NoError(t, nc.Publish("foo", []byte("x")))
	nc.Close()
	require.Equal(t, webFrame{opBinary, "PUB foo 1\r\nx\r\n"}, got(t, frames, "publish"))
	require.Equal(t, webFrame{opClose, "\x03\xe8"}, got(t, frames, "close"))
	_, ok := <-frames
	require.False(t, ok, "something came behind the close")
}

// A server that does not answer the close, or takes nothing any more, is not waited for.
func TestWebSocketCloseDoesNotWait(t *testing.T) {
	t.Parallel()
	for _, fill := range []int{0, 32 << 20} {
		nc, _ := webPair(t, Timeout(100*time.Millisecond), ReconnectBufSize(64<<20))
		for range fill >> 20 {
			require.NoError(t, nc.Publish("foo", make([]byte, 1<<20-100)))
		}
		start := time.Now()
		nc.Close()
		require.Less(t, time.Since(start), 4*time.Second, fill)
	}
}

// Pings are answered also while a frame of ours takes its time, and only the last.
func TestWebSocketPingWhileWriting(t *testing.T) {
	t.Parallel()
	nc, p := webPair(t, ReconnectBufSize(64<<20), Dialer(&net.Dialer{Timeout: patience, Control: smallSendBuffer}))
	const messages, size = 8, 1<<20 - 100
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	_, ok := p.receive()
	require.True(t, ok)
	for range messages {
		require.NoError(t, nc.Publish("foo", make([]byte, size)))
	}
	for i := range 1000 {
		require.True(t, p.send(opPing, fmt.Sprint("ping ", i)))
	}
	require.True(t, p.send(opBinary, "MSG foo 1 1\r\nx\r\n"))
	_, err = sub.NextMsg(patience)
	require.NoError(t, err, "the reader waits for the writer")
	total, pongs := 0, []string{}
	for len(pongs) == 0 || pongs[len(pongs)-1] != "ping 999" || total < messages*size {
		f, ok := p.receive()
		require.True(t, ok)
		if f.op == opPongFrame {
			pongs = append(pongs, f.data)
		} else {
			total += len(f.data)
		}
	}
	require.Less(t, len(pongs), 1000)
}

// Compatibility 13.4: compression is used where both want it, and then it compresses.
func TestWebSocketCompression(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		client, server, small bool
	}{"both": {true, true, true}, "client": {true, false, false}, "server": {false, true, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			option := testserver.Websocket()
			if c.server {
				option = testserver.WebsocketCompression()
			}
			s := testserver.Run(t, option)
			proxy := faultproxy.Run(t, strings.TrimPrefix(s.WebsocketURL(), "ws://"))
			nc := connectTo(t, "ws://"+proxy.Addr(), Compression(c.client))
			sub, err := nc.SubscribeSync("foo")
			require.NoError(t, err)
			const messages, size = 200, 10_000
			for i := range messages {
				require.NoError(t, nc.Publish("foo", numbered(i, size)))
			}
			require.Zero(t, receiveNumbered(t, sub, messages))
			st := proxy.Stats()
			for dir, n := range map[string]int64{"up": st.Up.Forwarded, "down": st.Down.Forwarded} {
				require.Equal(t, c.small, n < messages*size/10, "%s: %d bytes for %d", dir, n, messages*size)
			}
			t.Logf("%d bytes: %d up, %d down", messages*size, st.Up.Forwarded, st.Down.Forwarded)
		})
	}
}

// A message that unpacks to much more than it was costs no memory: it is not kept. Not
// parallel: it looks at the memory of the process.
func TestWebSocketCompressionBomb(t *testing.T) {
	const size, limit = 32 << 20, 4 << 20
	var packed bytes.Buffer
	z, err := flate.NewWriter(&packed, flate.BestSpeed)
	require.NoError(t, err)
	_, err = z.Write(make([]byte, size))
	require.NoError(t, err)
	require.NoError(t, z.Flush())
	bomb := strings.TrimSuffix(packed.String(), "\x00\x00\xff\xff")
	require.Less(t, len(bomb), size/50)
	s := scripted(t, func(p *peerConn) {
		if r, ok := p.request(); ok && p.switchTo(r, "Sec-WebSocket-Extensions: permessage-deflate; "+
			"server_no_context_takeover; client_no_context_takeover\r\n") {
			p.send(opPackedAll, bomb)
			p.await()
		}
	})
	conn := upgraded(t, s.ln.Addr().String(), &Options{Compression: true}, func(c net.Conn) net.Conn { return c })
	var before, after runtime.MemStats
	buf := make([]byte, 32<<10)
	runtime.ReadMemStats(&before)
	for total := 0; total < size; {
		n, err := conn.Read(buf)
		require.NoError(t, err)
		total += n
	}
	runtime.ReadMemStats(&after)
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(limit))
}

// A custom dialer works below, and one that brings TLS is not given TLS again.
func TestWebSocketCustomDialer(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	s := testserver.Run(t, testserver.WebsocketTLS(certs))
	addr := strings.TrimPrefix(s.WebsocketURL(), "wss://")
	d := &dialLog{to: addr}
	conf := certs.ClientConfig()
	conf.ServerName = "localhost"
	nc := connectTo(t, "wss://10.1.2.3:77", SetCustomDialer(d), Secure(conf))
	speaks(t, nc)
	require.Equal(t, []string{"tcp 10.1.2.3:77"}, d.seen())
	state, err := nc.TLSConnectionState()
	require.NoError(t, err)
	require.NotEmpty(t, state.PeerCertificates)

	speaks(t, connectTo(t, s.WebsocketURL(), SetCustomDialer(ownTLS{conf})))
	pipe := inProcess(func() (net.Conn, error) { return net.Dial("tcp", addr) })
	speaks(t, connectTo(t, "wss://localhost", InProcessServer(pipe), RootCAs(certs.CAFile)))
}

// Compatibility 13.1: TLS is used for ws too if it is asked for, and never done without.
func TestWebSocketTLSWanted(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	with := testserver.Run(t, testserver.WebsocketTLS(certs))
	url := strings.Replace(with.WebsocketURL(), "wss:", "ws:", 1)
	speaks(t, connectTo(t, url, RootCAs(certs.CAFile)))
	speaks(t, connectTo(t, url, set(func(o *Options) { o.TLSConfig = certs.ClientConfig() })))
	_, err := Connect(with.WebsocketURL(), Timeout(patience))
	require.ErrorIs(t, err, ErrTLS, "unknown authority")
	require.ErrorContains(t, err, stepTLS+" "+with.WebsocketURL())
	plain := testserver.Run(t, testserver.Websocket())
	_, err = Connect(strings.Replace(plain.WebsocketURL(), "ws:", "wss:", 1), RootCAs(certs.CAFile), Timeout(patience))
	require.ErrorIs(t, err, ErrTLS)
}

// The outbox counts as taken what a failed write says it took. The socket may break at
// any byte of a frame; what the write says is exactly what the server can read.
func TestFailedWebSocketWriteTellsWhatWasTaken(t *testing.T) {
	t.Parallel()
	data := make([]byte, 70_000)
	for _, budget := range []int{0, 1, 2, 5, 6, 7, 13, 14, 15, 100, 4096, 4110, 30_000, 65_535, 65_536, 65_549, 69_999, 70_013} {
		socket := &brittle{left: -1}
		conn, server := webPipe(t, func(c net.Conn) net.Conn { socket.Conn = c; return socket })
		read := make(chan int, 1)
		go func() { // ends with the connection
			total := 0
			for {
				_, in, err := server.Reader(t.Context())
				if err != nil {
					read <- total
					return
				}
				buf := make([]byte, 4096)
				for err == nil {
					var n int
					n, err = in.Read(buf)
					total += n
				}
			}
		}()
		socket.left = budget
		n, err := conn.Write(data)
		require.ErrorIs(t, err, errBrittle, budget)
		_, again := conn.Write(data[:1])
		require.ErrorIs(t, again, errBrittle, "nothing follows a torn frame")
		socket.Conn.Close()
		require.Equal(t, got(t, read, "end"), n, budget)
	}
}

// webPipe is both ends of a WebSocket over a pipe; wrap is below ours.
func webPipe(t testing.TB, wrap func(net.Conn) net.Conn) (*wsConn, *websocket.Conn) {
	t.Helper()
	accepted := make(chan *websocket.Conn, 1)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err == nil {
			accepted <- c
		}
	})}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ln) }) // ends with Close
	t.Cleanup(func() { srv.Close(); wg.Wait() })
	conn := upgraded(t, ln.Addr().String(), new(Options), wrap)
	server := got(t, accepted, "connection")
	server.SetReadLimit(-1)
	t.Cleanup(func() { _ = server.CloseNow() })
	return conn, server
}

// upgraded is our end of a WebSocket, without NATS on it.
func upgraded(t testing.TB, addr string, o *Options, wrap func(net.Conn) net.Conn) *wsConn {
	t.Helper()
	raw, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	t.Cleanup(func() { raw.Close() })
	u, err := parseServerURL("ws://" + addr)
	require.NoError(t, err)
	s := &session{conn: wrap(raw)}
	c := &connector{opts: *o}
	require.NoError(t, c.upgrade(s, u))
	return s.conn.(*wsConn)
}

// A read deadline that has passed is what it is elsewhere.
func TestWebSocketReadDeadline(t *testing.T) {
	t.Parallel()
	conn, _ := webPipe(t, func(c net.Conn) net.Conn { return c })
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := conn.Read(make([]byte, 10))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
}

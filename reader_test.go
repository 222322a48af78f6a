package nats

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// afterErrLine connects to a server that says a line and stays, and returns what
// has happened before the connection is closed or is back, in an hour at most.
func afterErrLine(t *testing.T, line string, opts ...Option) (nc *Conn, events []string) {
	t.Helper()
	s := newStory()
	nc = liveTo(t, newMemNet(), says(line+"\r\n"), append([]Option{s.option}, opts...)...)
	time.Sleep(time.Minute)
	synctest.Wait()
	return nc, s.soFar()
}

// Compatibility 4.5: what each -ERR does to a live connection.
func TestReaderErrLines(t *testing.T) {
	t.Parallel()
	const (
		stays = iota
		comesBack
		ends
	)
	for line, c := range map[string]struct {
		does int
		err  error  // matched by errors.Is; of the loss, the ErrorHandler or LastError
		text string // of the error
	}{
		"-ERR 'Stale Connection'":             {comesBack, ErrStaleConnection, "nats: stale connection"},
		"-err   stale connection  ":           {comesBack, ErrStaleConnection, "nats: stale connection"},
		"-ERR 'Maximum Connections Exceeded'": {comesBack, ErrMaxConnectionsExceeded, "nats: server maximum connections exceeded"},
		"-ERR 'maximum account active connections exceeded'": {comesBack, ErrMaxAccountConnectionsExceeded,
			"nats: maximum account active connections exceeded"},
		`-ERR 'Permissions Violation for Subscription to "Foo"'`: {stays, ErrPermissionViolation,
			`nats: permissions violation: Permissions Violation for Subscription to "Foo"`},
		"-ERR 'permissions violation'":            {stays, ErrPermissionViolation, "nats: permissions violation: permissions violation"},
		"-ERR 'Maximum Subscriptions Exceeded'":   {stays, ErrMaxSubscriptionsExceeded, "nats: server maximum subscriptions exceeded"},
		"-ERR 'maximum subscriptions exceeded x'": {stays, ErrMaxSubscriptionsExceeded, "nats: server maximum subscriptions exceeded"},
		"-ERR 'Authorization Violation'":          {stays, ErrAuthorization, "nats: authorization violation"},
		"-ERR 'Authorization Violation - x'":      {stays, ErrAuthorization, "nats: authorization violation"},
		"-ERR 'User Authentication Expired'":      {stays, ErrAuthExpired, "nats: authentication expired"},
		"-ERR 'User Authentication Revoked'":      {stays, ErrAuthRevoked, "nats: authentication revoked"},
		"-ERR 'Account Authentication Expired'":   {stays, ErrAccountAuthExpired, "nats: account authentication expired"},
		"-ERR 'Invalid Subject'":                  {ends, nil, "nats: Invalid Subject"},
		"-ERR ''Slow Consumer''":                  {ends, nil, "nats: Slow Consumer"},
		// Different on purpose: one bad message does not end a service.
		"-ERR 'Maximum Payload Violation'":      {comesBack, nil, "nats: Maximum Payload Violation"},
		"-ERR 'maximum control line exceeded'":  {comesBack, nil, "nats: maximum control line exceeded"},
		"-ERR 'Authentication Timeout'":         {ends, nil, "nats: Authentication Timeout"},
		"-ERR 'Unknown Protocol Operation'":     {ends, nil, "nats: Unknown Protocol Operation"},
		"-ERR 'Stale Connection!'":              {ends, nil, "nats: Stale Connection!"},
		"-ERR 'a maximum connections exceeded'": {ends, nil, "nats: a maximum connections exceeded"},
		"-ERR":                                  {ends, nil, "nats: "},
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				nc, events := afterErrLine(t, line)
				switch c.does {
				case stays:
					require.Equal(t, []string{"connected", "error: " + c.text}, events)
					require.Equal(t, CONNECTED, nc.Status())
					require.EqualError(t, nc.LastError(), c.text)
					require.ErrorIs(t, nc.LastError(), c.err)
					require.Zero(t, nc.Stats().Reconnects)
				case comesBack:
					require.Equal(t, []string{"connected", "disconnected: " + c.text, "reconnected"}, events)
					require.NoError(t, nc.LastError(), "cleared")
				case ends:
					require.Equal(t, []string{"connected", "disconnected: nil", "closed"}, events)
					require.Equal(t, CLOSED, nc.Status())
					require.EqualError(t, nc.LastError(), c.text)
					require.Zero(t, nc.Stats().Reconnects)
				}
			})
		})
	}
}

// The errors that end a session are those of the variables themselves.
func TestReaderErrLinesIdentity(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]error{
		"-ERR 'Stale Connection'":                            ErrStaleConnection,
		"-ERR 'Maximum Connections Exceeded'":                ErrMaxConnectionsExceeded,
		"-ERR 'maximum account active connections exceeded'": ErrMaxAccountConnectionsExceeded,
	} {
		virtually(t, func(t *testing.T) {
			lost, onLost := lossEvents()
			liveTo(t, newMemNet(), says(line+"\r\n"), onLost)
			require.Equal(t, want, <-lost)
		})
		virtually(t, func(t *testing.T) {
			nc := liveTo(t, newMemNet(), says(line+"\r\n"), NoReconnect())
			<-nc.done
			require.Equal(t, want, nc.LastError())
		})
	}
}

// The first reason counts, whatever else the server says or does.
func TestReaderFirstReason(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc, events := afterErrLine(t, "-ERR 'One'\r\n-ERR 'Two'\r\nHELLO")
		require.EqualError(t, nc.LastError(), "nats: One")
		require.Equal(t, []string{"connected", "disconnected: nil", "closed"}, events)
	})
	virtually(t, func(t *testing.T) {
		_, events := afterErrLine(t, "-ERR 'Stale Connection'\r\nHELLO")
		require.Equal(t, []string{"connected", "disconnected: nats: stale connection", "reconnected"}, events)
	})
}

// Compatibility 4.11: the last error stays until the next reconnect begins.
func TestReaderLastError(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		more := make(chan string)
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			m.listen("10.0.0.0:4222", nil)
			p.welcome()
			for text := range more {
				p.say(text)
			}
		})
		nc := inMemory(t, m, "10.0.0.0")
		require.NoError(t, nc.LastError())
		more <- "-ERR 'Permissions Violation'\r\n"
		time.Sleep(time.Hour)
		require.ErrorIs(t, nc.LastError(), ErrPermissionViolation)
		more <- "-ERR 'Maximum Subscriptions Exceeded'\r\n"
		synctest.Wait()
		require.Equal(t, ErrMaxSubscriptionsExceeded, nc.LastError())
		close(more)
		synctest.Wait()
		require.Equal(t, RECONNECTING, nc.Status())
		require.NoError(t, nc.LastError())
	})
}

// Compatibility 3.9: each INFO replaces all of the last.
func TestReaderAsyncInfo(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		infos := informer(m, "10.0.0.0:4222")
		nc := inMemory(t, m, "10.0.0.0")
		require.Equal(t, "S", nc.ConnectedServerId())
		require.True(t, nc.HeadersSupported())
		infos <- `{"server_id":"T","server_name":"two","version":"9.9.9","cluster":"C","auth_required":true,` +
			`"headers":true,"max_payload":7,"client_id":5}`
		synctest.Wait()
		require.Equal(t, "T two 9.9.9 C 7 true true", fmt.Sprint(nc.ConnectedServerId(), " ", nc.ConnectedServerName(), " ",
			nc.ConnectedServerVersion(), " ", nc.ConnectedClusterName(), " ", nc.MaxPayload(), " ", nc.AuthRequired(), " ",
			nc.HeadersSupported()))
		require.NoError(t, nc.Publish("foo", make([]byte, 7)))
		require.Equal(t, ErrMaxPayload, nc.Publish("foo", make([]byte, 8)))

		for _, ignored := range []string{"", "{", "[]", `{"max_payload":"x"}`} {
			infos <- ignored
		}
		synctest.Wait()
		require.EqualValues(t, 7, nc.MaxPayload(), "what cannot be read changes nothing")

		infos <- `{"server_id":"U"}`
		synctest.Wait()
		require.Equal(t, "U", nc.ConnectedServerId())
		require.Empty(t, nc.ConnectedServerName())
		require.Zero(t, nc.MaxPayload())
		require.False(t, nc.HeadersSupported())
		require.False(t, nc.AuthRequired())
		require.Equal(t, ErrMaxPayload, nc.Publish("foo", make([]byte, 1)))
		require.NoError(t, nc.Publish("foo", nil))
		require.Equal(t, ErrHeadersNotSupported, nc.PublishMsg(&Msg{Subject: "foo", Header: Header{"a": {"b"}}}))
	})
}

// Compatibility 3.14: each PING is answered, at once and with nothing else.
func TestReaderAnswersPings(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		heard := make(chan string, 10)
		m := newMemNet()
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			p.welcome()
			for range 3 {
				p.say("PING\r\n")
				line, _ := p.in.ReadString('\n')
				heard <- line
			}
			go p.say("ping\nPING \r\nPING\r\n") // ends when it was read
			for range 3 {
				line, _ := p.in.ReadString('\n')
				heard <- line
			}
			p.deaf()
		})
		inMemory(t, m, "10.0.0.0")
		for range 6 {
			require.Equal(t, "PONG\r\n", <-heard)
		}
		require.Zero(t, time.Since(m.start))
		synctest.Wait()
		require.Empty(t, heard)
	})
}

// Compatibility 3.13 and 6.8: messages for nobody are counted and dropped.
func TestReaderUnknownSid(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		nc := liveTo(t, newMemNet(), says("MSG foo 77 5\r\nhello\r\nHMSG foo 78 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"+
			"MSG foo 9223372036854775807 0\r\n\r\n"))
		synctest.Wait()
		st := nc.Stats()
		require.EqualValues(t, 3, st.InMsgs)
		require.EqualValues(t, 5+14, st.InBytes)
		require.NoError(t, nc.LastError())
	})
}

// Compatibility 4.9: a header that cannot be decoded is reported, and its message
// delivered without it. Real time: NextMsg shares its waiters between all tests.
func TestReaderHeaderErrors(t *testing.T) {
	t.Parallel()
	blocks := map[string]bool{ // whether it can be decoded
		"NATS/1.0\r\nA: 1\r\n\r\n": true,
		"NATS/1.0\r\nno colon\r\n": false,
		"NATS/1.0\r\nA: 1\r\n":     false, // the empty line is missing
		"NATS/1.0":                 false,
		"HTTP/1.1\r\n\r\n":         false,
		"\r\n\r\n":                 false,
		"x":                        false,
		"NATS/1.0 5\r\n\r\n":       true,
		"NATS/1.0 503\r\n\r\n":     true,
	}
	for block, ok := range blocks {
		s := scripted(t, func(p *peerConn) {
			p.welcome()
			p.serve(func(f wireFrame) {
				if f.op == "SUB" {
					p.say("HMSG foo 1 re %d %d\r\n%shello\r\n", len(block), len(block)+5, block)
				}
			})
		})
		errs := make(chan string, 10)
		nc := connectTo(t, s.url(), ErrorHandler(func(_ *Conn, sub *Subscription, err error) {
			errs <- fmt.Sprintf("%s: %v", sub.Subject, err)
		}))
		sub, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		m, err := sub.NextMsg(patience)
		if !assert.NoErrorf(t, err, "%q", block) {
			continue
		}
		assert.Equal(t, "hello", string(m.Data), block)
		assert.Equal(t, "re", m.Reply, block)
		if ok {
			assert.NotNil(t, m.Header, block)
			assert.NoError(t, nc.LastError(), block)
			assert.Empty(t, errs, block)
			continue
		}
		assert.Nil(t, m.Header, block)
		assert.Equal(t, ErrBadHeaderMsg, nc.LastError(), block)
		assert.Equal(t, "foo: "+ErrBadHeaderMsg.Error(), got(t, errs, "the error"), block)
		assert.Equal(t, CONNECTED, nc.Status(), block)
	}
}

// A message that comes in many reads is one message, and its data the program's
// own for good.
func TestReaderMessagesInPieces(t *testing.T) {
	t.Parallel()
	data := strings.Repeat("0123456789", 20_000)
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		p.serve(func(f wireFrame) {
			if f.op != "SUB" {
				return
			}
			_ = p.SetNoDelay(true)
			for _, piece := range singly("MSG foo 1 5\r\nhello\r\nHMSG foo 1 r 12 14\r\nNATS/1.0\r\n\r\nhi\r\n") {
				p.say("%s", piece)
			}
			p.say("MSG foo 1 %d\r\n", len(data))
			for i := 0; i < len(data); i += 7777 {
				p.say("%s", data[i:min(i+7777, len(data))])
			}
			p.say("\r\nMSG foo 1 3\r\nend\r\n")
		})
	})
	nc := connectTo(t, s.url(), NoReconnect())
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	var all []*Msg
	for range 4 {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		all = append(all, m)
	}
	for i, want := range []string{"hello", "hi", data, "end"} {
		require.Equal(t, want, string(all[i].Data))
	}
	require.Equal(t, "r", all[1].Reply)
	st := nc.Stats()
	require.EqualValues(t, 4, st.InMsgs)
	require.EqualValues(t, 5+14+len(data)+3, st.InBytes)
}

// What came before the connection broke is delivered, also if it came in the
// same read as what broke it.
func TestReaderDeliversBeforeTheError(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{"parse error": "HELLO\r\n", "-ERR": "-ERR 'Stale Connection'\r\n", "EOF": ""} {
		s := scripted(t, func(p *peerConn) {
			p.welcome()
			if p.n > 0 {
				p.serve(nil)
				return
			}
			if line, _ := p.line(); strings.HasPrefix(line, "SUB") {
				p.say("MSG foo 1 1\r\n1\r\nMSG foo 1 1\r\n2\r\n%s", end)
			}
		})
		lost, onLost := lossEvents()
		nc := connectTo(t, s.url(), append(fast(), onLost)...)
		sub, err := nc.SubscribeSync("foo")
		require.NoError(t, err)
		err = got(t, lost, "loss")
		if name == "EOF" {
			require.Equal(t, io.EOF, err)
		}
		for _, want := range []string{"1", "2"} {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err, name)
			require.Equal(t, want, string(m.Data))
		}
	}
}

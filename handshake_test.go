package nats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connectLineFor returns what a client with these options sends after an INFO:
// everything that comes with the first bytes.
func connectLineFor(t testing.TB, info string, user string, opts ...Option) string {
	t.Helper()
	sent := make(chan string, 10)
	s := scripted(t, func(p *peerConn) {
		p.say("INFO %s\r\n", info)
		b := make([]byte, 64<<10)
		n, _ := p.Read(b) // one write of a few hundred bytes comes in one piece
		sent <- string(b[:n])
		p.say("PONG\r\n")
		p.await()
	})
	connectTo(t, strings.Replace(s.url(), "//", "//"+user, 1), opts...)
	return got(t, sent, "CONNECT")
}

// Compatibility 3.3 and 3.5: one write, the keys in their order, empty ones left out.
func TestHandshakeConnectLine(t *testing.T) {
	t.Parallel()
	tail := `"lang":"go","version":"` + Version + `","protocol":1,`
	for name, c := range map[string]struct {
		info, user string
		opts       []Option
		want       string
	}{
		"plain": {plainInfo, "", nil,
			`{"verbose":false,"pedantic":false,"tls_required":false,"name":"",` + tail + `"echo":true,"headers":true,"no_responders":true}`},
		"no headers": {`{"proto":1}`, "", []Option{Name("<x>"), NoEcho()},
			`{"verbose":false,"pedantic":false,"tls_required":false,"name":"\u003cx\u003e",` + tail + `"echo":false,"headers":false,"no_responders":false}`},
		"everything": {plainInfo, "", []Option{UserInfo("u", "p"), Token("t"),
			func(o *Options) error { o.Pedantic = true; return nil }},
			`{"verbose":false,"pedantic":true,"user":"u","pass":"p","auth_token":"t","tls_required":false,"name":"",` + tail +
				`"echo":true,"headers":true,"no_responders":true}`},
		"from the URL": {plainInfo, "a%40b:p%2Fw@", []Option{UserInfo("u", "p"), Token("t")},
			`{"verbose":false,"pedantic":false,"user":"a@b","pass":"p/w","tls_required":false,"name":"",` + tail +
				`"echo":true,"headers":true,"no_responders":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, "CONNECT "+c.want+"\r\nPING\r\n", connectLineFor(t, c.info, c.user, c.opts...))
		})
	}
}

// Compatibility 2.10 and 10.1 to 10.4.
func TestHandshakeCredentials(t *testing.T) {
	t.Parallel()
	handler := TokenHandler(func() string { return "fresh" })
	for name, c := range map[string]struct {
		user string
		opts []Option
		want credentials
		err  error
	}{
		"none":               {"", nil, credentials{}, nil},
		"options":            {"", []Option{UserInfo("u", "p")}, credentials{user: "u", password: "p"}, nil},
		"user and token":     {"", []Option{UserInfo("u", "p"), Token("t")}, credentials{user: "u", password: "p", token: "t"}, nil},
		"URL":                {"a:b@", nil, credentials{user: "a", password: "b"}, nil},
		"URL wins":           {"a:b@", []Option{UserInfo("u", "p"), Token("t")}, credentials{user: "a", password: "b"}, nil},
		"URL token":          {"tok@", []Option{UserInfo("u", "p")}, credentials{token: "tok"}, nil},
		"URL user alone":     {"x:@", []Option{Token("t")}, credentials{user: "x"}, nil},
		"handler":            {"", []Option{handler}, credentials{token: "fresh"}, nil},
		"handler and user":   {"", []Option{handler, UserInfo("u", "p")}, credentials{user: "u", password: "p", token: "fresh"}, nil},
		"handler and URL":    {"a:b@", []Option{handler}, credentials{user: "a", password: "b", token: "fresh"}, nil},
		"two tokens":         {"tok@", []Option{handler}, credentials{}, ErrTokenAlreadySet},
		"two tokens in opts": {"", []Option{handler, func(o *Options) error { o.Token = "t"; return nil }}, credentials{}, ErrTokenAlreadySet},
	} {
		var o Options
		for _, set := range c.opts {
			require.NoError(t, set(&o))
		}
		u, err := parseServerURL("nats://" + c.user + "h")
		require.NoError(t, err)
		cred, err := credentialsFor(&o, u, "")
		assert.Equal(t, c.err, err, name)
		assert.Equal(t, c.want, cred, name)
	}
}

// Two tokens are an error of the attempt: it names the server, and the cause can
// be found.
func TestHandshakeTwoTokens(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	_, err := Connect(strings.Replace(s.url(), "//", "//S3CRET@", 1), TokenHandler(func() string { return "x" }))
	require.ErrorIs(t, err, ErrTokenAlreadySet)
	require.ErrorContains(t, err, s.url())
	require.NotContains(t, err.Error(), "S3CRET")
}

// Compatibility 9.14 and 10.3: the handler is asked for each attempt.
func TestHandshakeTokenForEachAttempt(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 10)
	s := scripted(t, func(p *peerConn) {
		connect, ok := p.welcome()
		if !ok {
			return
		}
		lines <- connect
		if p.n == 0 {
			return
		}
		p.serve(nil)
	})
	n := 0 // attempts are made one after the other
	connectTo(t, s.url(), append(fast(), TokenHandler(func() string { n++; return fmt.Sprint("token-", n) }))...)
	require.Contains(t, got(t, lines, "CONNECT"), `"auth_token":"token-1"`)
	require.Contains(t, got(t, lines, "second CONNECT"), `"auth_token":"token-2"`)
}

// handshakeWith runs the client's side against a server that says INFO and then
// the answer, whatever the client sends.
func handshakeWith(t testing.TB, info, answer string, opts ...Option) (*session, error) {
	t.Helper()
	o := GetDefaultOptions()
	for _, set := range opts {
		require.NoError(t, set(&o))
	}
	o.CustomDialer = &talker{says: []string{info, answer}}
	u, err := parseServerURL("nats://joe:S3CRET@10.0.0.1:4222")
	require.NoError(t, err)
	c := connector{opts: o, onSocket: func() bool { return true }, onInfo: func(*serverInfo) {}}
	return c.connect(t.Context(), u)
}

// talker is a CustomDialer and the connection it makes. Each Read gives the next
// thing to say, then comes the end; what is written is kept.
type talker struct {
	net.Conn // nil: no other method may be called
	says     []string
	wrote    bytes.Buffer
	writeErr error
	deadline time.Time
	closed   bool
}

func (c *talker) Dial(string, string) (net.Conn, error) { return c, nil }

func (c *talker) Read(b []byte) (int, error) {
	if len(c.says) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.says[0])
	if c.says[0] = c.says[0][n:]; c.says[0] == "" {
		c.says = c.says[1:]
	}
	return n, nil
}

func (c *talker) Write(b []byte) (int, error) {
	if c.writeErr != nil {
		return 0, c.writeErr
	}
	return c.wrote.Write(b)
}

func (c *talker) Close() error                  { c.closed = true; return nil }
func (c *talker) SetDeadline(t time.Time) error { c.deadline = t; return nil }

func TestHandshakeAnswers(t *testing.T) {
	t.Parallel()
	verbose := func(o *Options) error { o.Verbose = true; return nil }
	for name, c := range map[string]struct {
		info, answer string
		opts         []Option
		rest         string
	}{
		"plain":                      {"INFO {}\r\n", "PONG\r\n", nil, ""},
		"line feeds":                 {"INFO {}\n", "PONG\n", nil, ""},
		"INFO of nothing":            {"INFO\r\n", "PONG\r\n", nil, ""},
		"INFO and a tab":             {"INFO \t {}\r\n", "PONG\r\n", nil, ""},
		"verbose":                    {"INFO {}\r\n", "+OK\r\nPONG\r\n", []Option{verbose}, ""},
		"verbose, and +OK left out":  {"INFO {}\r\n", "PONG\r\n", []Option{verbose}, ""},
		"more behind PONG":           {"INFO {}\r\n", "PONG\r\nINFO {\"a\":1}\r\nPI", nil, "INFO {\"a\":1}\r\nPI"},
		"all at once":                {"INFO {}\r\nPONG\r\nPING\r\n", "MSG a 1 0\r\n", nil, "PING\r\n"},
		"unknown fields and no more": {`INFO {"x":[1,{"y":null}],"connect_urls":null}` + "\r\n", "PONG\r\n", nil, ""},
	} {
		s, err := handshakeWith(t, c.info, c.answer, c.opts...)
		if assert.NoError(t, err, name) {
			assert.Equal(t, c.rest, string(s.rest), name)
			assert.Equal(t, "nats://10.0.0.1:4222", s.name, name)
			assert.False(t, s.conn.(*talker).closed, name)
			assert.True(t, s.conn.(*talker).deadline.IsZero(), "%s: the deadline is taken away", name)
		}
	}
}

// Bytes that come behind PONG belong to the connection.
func TestHandshakeKeepsTheRest(t *testing.T) {
	t.Parallel()
	s := scripted(t, func(p *peerConn) {
		p.say("INFO %s\r\n", plainInfo)
		p.line()
		p.line()
		p.say("PONG\r\nINFO {\"server_id\":\"next\",\"headers\":true,\"max_payload\":77}\r\nPING\r\n")
		if line, _ := p.line(); line == "PONG" {
			p.serve(nil)
		}
	})
	nc := connectTo(t, s.url(), NoReconnect())
	soon(t, func() bool { return nc.MaxPayload() == 77 && nc.ConnectedServerId() == "next" }, "the INFO behind PONG")
	require.NoError(t, nc.FlushTimeout(patience))
}

func TestHandshakeErrors(t *testing.T) {
	t.Parallel()
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	for name, c := range map[string]struct {
		info, answer string
		opts         []Option
		is           error
		as           any
		text         string
	}{
		"end":               {"", "", nil, io.EOF, nil, stepInfo},
		"end within INFO":   {"INFO {\"server", "", nil, io.EOF, nil, stepInfo},
		"lower case":        {"info {}\r\n", "PONG\r\n", nil, ErrNoInfoReceived, nil, "info {}"},
		"PING first":        {"PING\r\n", "", nil, ErrNoInfoReceived, nil, "got 'PING'"},
		"-ERR first":        {"-ERR 'x'\r\n", "", nil, ErrNoInfoReceived, nil, "-ERR 'x'"},
		"empty line":        {"\r\n", "", nil, ErrNoInfoReceived, nil, "got ''"},
		"broken JSON":       {"INFO {\"a\":\r\n", "PONG\r\n", nil, nil, &syntax, "JSON"},
		"no JSON":           {"INFO hello\r\n", "PONG\r\n", nil, nil, &syntax, "JSON"},
		"wrong types":       {`INFO {"max_payload":"x"}` + "\r\n", "PONG\r\n", nil, nil, &kind, "max_payload"},
		"number too large":  {`INFO {"max_payload":1e300}` + "\r\n", "PONG\r\n", nil, nil, &kind, "max_payload"},
		"wants TLS":         {`INFO {"tls_required":true}` + "\r\n", "PONG\r\n", nil, ErrTLS, nil, stepTLS},
		"no NoEcho":         {"INFO {}\r\n", "PONG\r\n", []Option{NoEcho()}, ErrNoEchoNotSupported, nil, ""},
		"no answer":         {"INFO {}\r\n", "", nil, io.EOF, nil, stepAnswer},
		"other answer":      {"INFO {}\r\n", "PING\r\n", nil, nil, nil, "expected 'PONG', got 'PING'"},
		"+OK unasked":       {"INFO {}\r\n", "+OK\r\nPONG\r\n", nil, nil, nil, "expected 'PONG', got '+OK'"},
		"no exact PONG":     {"INFO {}\r\n", "PONG \r\n", nil, nil, nil, "expected 'PONG', got 'PONG '"},
		"INFO of 10 MB":     {"INFO {\"x\":\"" + strings.Repeat("y", 10<<20) + "\"}\r\n", "PONG\r\n", nil, nil, nil, "more than 1048576 bytes"},
		"answer of 10 MB":   {"INFO {}\r\n", strings.Repeat("y", 10<<20) + "\r\n", nil, nil, nil, "more than 65536 bytes"},
		"INFO without end":  {strings.Repeat("INFO ", 1<<20), "", nil, nil, nil, "more than 1048576 bytes"},
		"JSON without end":  {"INFO " + strings.Repeat("[", 500_000) + "\r\n", "", nil, nil, nil, "depth"},
		"long number":       {"INFO {\"proto\":" + strings.Repeat("1", 900_000) + "}\r\n", "", nil, nil, nil, "proto"},
		"long unknown name": {"INFO " + strings.Repeat("x", 900_000) + "\r\n", "", nil, nil, nil, "JSON"},
	} {
		s, err := handshakeWith(t, c.info, c.answer, c.opts...)
		if !assert.Error(t, err, name) {
			continue
		}
		assert.Nil(t, s, name)
		var ce *connectError
		assert.True(t, errors.As(err, &ce), name)
		assert.ErrorContains(t, err, "nats://10.0.0.1:4222", name)
		assert.ErrorContains(t, err, c.text, name)
		assert.NotContains(t, err.Error(), "S3CRET", name)
		assert.Less(t, len(err.Error()), 1000, "%s: the error is short", name)
		if c.is != nil {
			assert.ErrorIs(t, err, c.is, name)
		}
		if c.as != nil {
			assert.ErrorAs(t, err, c.as, name)
		}
	}
}

// A peer that sends back what it gets has our credentials; an error, which may
// end in a log, still has none of them.
func TestHandshakeEcho(t *testing.T) {
	t.Parallel()
	echo := func(format string) *scriptedServer {
		return scripted(t, func(p *peerConn) {
			p.say("INFO {}\r\n")
			if line, ok := p.line(); ok {
				p.say(format+"\r\n", line)
			}
		})
	}
	for _, format := range []string{"%s", "-ERR 'Unknown Protocol Operation: %s'", "+OK %s"} {
		for _, opt := range []Option{UserInfo("j", "S3CRET"), Token("S3CRET")} {
			_, err := Connect(echo(format).url(), opt)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "S3CR", format)
		}
	}
}

// A password that is part of the server's words must not make them unreadable.
func TestHandshakeShortPassword(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"a", "p", "on", "Violation", "nats", "User"} {
		for text, want := range map[string]error{
			"Authorization Violation": ErrAuthorization, "User Authentication Expired": ErrAuthExpired,
			"Account Authentication Expired": ErrAccountAuthExpired,
		} {
			s := scripted(t, func(p *peerConn) {
				p.say("INFO {}\r\n")
				p.line()
				p.line()
				p.say("-ERR '%s'\r\n", text)
			})
			_, err := Connect(s.url(), UserInfo("joe", password))
			assert.EqualError(t, err, "nats: "+text, "password %q", password)
			assert.Equal(t, want, refusedAs(err), "password %q", password)
		}
	}
}

// Nor may it hide that the words are about credentials when there are more of
// them: programs and the rule of twice the same go by how they begin.
func TestHandshakeShortPasswordLongText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]error{
		"Authorization Violation - no": ErrAuthorization, "User Authentication Expired since noon": ErrAuthExpired,
	} {
		s := scripted(t, func(p *peerConn) {
			p.say("INFO {}\r\n")
			p.line()
			p.line()
			p.say("-ERR '%s'\r\n", text)
		})
		_, err := Connect(s.url(), UserInfo("joe", "a"))
		require.Equal(t, want, refusedAs(err), "%v", err)
	}
}

// The socket of a failed handshake is closed, and the server's words are heard
// even if CONNECT could not be written.
func TestHandshakeWriteError(t *testing.T) {
	t.Parallel()
	connectOver := func(c *talker) error {
		o := GetDefaultOptions()
		o.CustomDialer = c
		u, err := parseServerURL("nats://10.0.0.1")
		require.NoError(t, err)
		k := connector{opts: o, onSocket: func() bool { return true }, onInfo: func(*serverInfo) {}}
		_, err = k.connect(t.Context(), u)
		return err
	}
	c := &talker{says: []string{"INFO {}\r\n"}, writeErr: os.ErrPermission}
	err := connectOver(c)
	require.ErrorIs(t, err, os.ErrPermission)
	require.ErrorContains(t, err, "connecting to nats://10.0.0.1:4222")
	require.True(t, c.closed)

	c = &talker{says: []string{"INFO {}\r\n", "-ERR 'Authorization Violation'\r\n"}, writeErr: os.ErrPermission}
	err = connectOver(c)
	require.ErrorIs(t, err, ErrAuthorization)
	require.EqualError(t, err, "nats: Authorization Violation", "as it is, not wrapped")
	require.True(t, c.closed)
}

// Compatibility 4.3.
func TestHandshakeRefusals(t *testing.T) {
	t.Parallel()
	all := []error{ErrAuthorization, ErrAuthExpired, ErrAuthRevoked, ErrAccountAuthExpired,
		ErrMaxAccountConnectionsExceeded, ErrMaxConnectionsExceeded, ErrPermissionViolation, ErrNoServers}
	for said, c := range map[string]struct {
		text string
		is   error
	}{
		"-ERR 'Authorization Violation'":        {"nats: Authorization Violation", ErrAuthorization},
		"-ERR   ''Authorization violation''  ":  {"nats: Authorization violation", ErrAuthorization},
		"-ERR authorization violation":          {"nats: authorization violation", ErrAuthorization},
		"-ERR 'Authorization Violation - x'":    {"nats: Authorization Violation - x", nil},
		"-ERR 'Account Authentication Expired'": {"nats: Account Authentication Expired", ErrAccountAuthExpired},
		"-ERR 'maximum account active connections exceeded'": {
			"nats: maximum account active connections exceeded", ErrMaxAccountConnectionsExceeded},
		"-ERR 'User Authentication Expired'":     {"nats: User Authentication Expired", ErrAuthExpired},
		"-ERR 'User Authentication Revoked'":     {"nats: User Authentication Revoked", ErrAuthRevoked},
		"-ERR 'Maximum Connections Exceeded'":    {"nats: Maximum Connections Exceeded", ErrMaxConnectionsExceeded},
		"-ERR 'User Authentication Expired now'": {"nats: User Authentication Expired now", nil},
		"-ERR 'Permissions Violation'":           {"nats: Permissions Violation", ErrPermissionViolation},
		"-ERR 'Authentication Timeout'":          {"nats: Authentication Timeout", nil},
		"-ERR 'Something Else'":                  {"nats: Something Else", nil},
		"-ERR":                                   {"nats: ", nil},
	} {
		_, err := handshakeWith(t, "INFO {}\r\n", said+"\r\n")
		if !assert.EqualError(t, err, c.text, said) {
			continue
		}
		for _, target := range all {
			assert.Equal(t, target == c.is, errors.Is(err, target), "%q as %v", said, target)
		}
	}
}

// Compatibility 3.4: only a verbose client may get a +OK; it gets one for every
// line of a live connection too.
func TestHandshakeVerbose(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, func(o *Options) error { o.Verbose = true; return nil }, NoReconnect())
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", []byte("1")))
	require.NoError(t, nc.FlushTimeout(patience))
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "1", string(m.Data))
}

// FuzzInfo: whatever a server says in the handshake, in whatever pieces, there
// is an error that names it, or a session.
func FuzzInfo(f *testing.F) {
	for _, s := range []string{
		"INFO " + plainInfo + "\r\nPONG\r\n", "INFO\r\nPONG\r\n", "INFO {}\nPONG\nPING\n", "PONG\r\n", "",
		"INFO {\"connect_urls\":[\"a:1\",\"b\",\"\",\"x@y:1\",\"[::1\"],\"proto\":1}\r\nPONG\r\n",
		"INFO {\"max_payload\":-1}\r\n-ERR 'Authorization Violation'\r\n", "INFO {\"tls_required\":true}\r\n",
		"INFO {\"max_payload\":1e9}\r\nPONG\r\n", "INFO [[[[\r\n", "INFO null\r\nPONG\r\n", "INFO {}\r\n+OK\r\nPONG\r\n",
		"SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "\x15\x03\x01\x00\x02\x02\x16",
		"INFO {\"server_id\":\"\\u0000\xff\"}\r\n-ERR\r\n", strings.Repeat("x", 5000), "INFO {}\r\n-ERR 'CONNECT {x'\r\n",
	} {
		f.Add([]byte(s), uint16(0))
		f.Add([]byte(s), uint16(1))
	}
	f.Fuzz(func(t *testing.T, said []byte, piece uint16) {
		c := &talker{}
		for rest := string(said); rest != ""; {
			n := len(rest)
			if piece > 0 {
				n = min(n, int(piece))
			}
			c.says = append(c.says, rest[:n])
			rest = rest[n:]
		}
		o := Options{CustomDialer: c, Url: "nats://joe:S3CRET@10.0.0.1:4222"}.withDefaults()
		pool, err := newServerPool(&o)
		require.NoError(t, err)
		nc := newConn(o, pool)
		defer nc.abandon()
		pool.current = pool.list[0]
		began := time.Now()
		s, err := nc.attempt(pool.list[0], DISCONNECTED)
		require.Less(t, time.Since(began), 5*time.Second, "it hangs")
		require.NotEmpty(t, nc.Servers())
		require.Equal(t, err != nil, c.closed)
		if err == nil {
			require.True(t, bytes.HasPrefix(said, []byte("INFO")))
			require.True(t, bytes.HasSuffix(said, append(bytes.Clone(s.rest), []byte(strings.Join(c.says, ""))...)))
			require.Equal(t, CONNECTING, nc.Status())
			return
		}
		require.Equal(t, DISCONNECTED, nc.Status())
		require.NotContains(t, err.Error(), "S3CRET")
		var r *refusal
		if !errors.As(err, &r) {
			require.ErrorContains(t, err, "nats://10.0.0.1:4222")
		}
	})
}

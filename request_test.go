package nats

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// serveEcho answers requests on a subject with their data and headers.
func serveEcho(t testing.TB, nc *Conn, subject string) {
	t.Helper()
	_, err := nc.Subscribe(subject, func(m *Msg) {
		assert.NoError(t, m.RespondMsg(&Msg{Header: m.Header, Data: m.Data}))
	})
	require.NoError(t, err)
	require.NoError(t, nc.FlushTimeout(patience))
}

// requestForms are the four ways to make a request. With a wait of 0 or less,
// those that take a context get one that has ended.
var requestForms = map[string]func(nc *Conn, m *Msg, wait time.Duration) (*Msg, error){
	"Request":    func(nc *Conn, m *Msg, wait time.Duration) (*Msg, error) { return nc.Request(m.Subject, m.Data, wait) },
	"RequestMsg": func(nc *Conn, m *Msg, wait time.Duration) (*Msg, error) { return nc.RequestMsg(m, wait) },
	"RequestWithContext": func(nc *Conn, m *Msg, wait time.Duration) (*Msg, error) {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		return nc.RequestWithContext(ctx, m.Subject, m.Data)
	},
	"RequestMsgWithContext": func(nc *Conn, m *Msg, wait time.Duration) (*Msg, error) {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		return nc.RequestMsgWithContext(ctx, m)
	},
}

func eachRequestForm(t *testing.T, f func(t *testing.T, withCtx bool, call func(*Conn, *Msg, time.Duration) (*Msg, error))) {
	for name, call := range requestForms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, strings.HasSuffix(name, "Context"), call)
		})
	}
}

// wantNoRequests checks that no request is remembered any more.
func wantNoRequests(t testing.TB, nc *Conn) {
	t.Helper()
	require.Zero(t, waitingRequests(nc), "requests in the table")
}

func waitingRequests(nc *Conn) int {
	nc.requests.mu.Lock()
	defer nc.requests.mu.Unlock()
	return len(nc.requests.waiting)
}

func TestRequestReply(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	serveEcho(t, nc, "echo")
	_, err := nc.SubscribeSync("mute")
	require.NoError(t, err)
	eachRequestForm(t, func(t *testing.T, withCtx bool, call func(*Conn, *Msg, time.Duration) (*Msg, error)) {
		for _, data := range [][]byte{[]byte("hello"), nil, make([]byte, 100_000)} {
			m := &Msg{Subject: "echo", Reply: "is.not.used", Data: data}
			reply, err := call(nc, m, patience)
			require.NoError(t, err)
			require.Equal(t, string(data), string(reply.Data))
			require.Equal(t, "is.not.used", m.Reply, "the message is left as it is")
		}
		_, err := call(nc, &Msg{Subject: "nobody.home"}, patience)
		require.Equal(t, ErrNoResponders, err)
		want := ErrTimeout
		if withCtx {
			want = context.DeadlineExceeded
		}
		for _, wait := range []time.Duration{3 * time.Millisecond, 0, -time.Hour} {
			start := time.Now()
			reply, err := call(nc, &Msg{Subject: "mute"}, wait)
			require.Equal(t, want, err, "%v", wait)
			require.Nil(t, reply)
			require.GreaterOrEqual(t, time.Since(start), wait)
		}
	})
	t.Cleanup(func() { assert.Zero(t, waitingRequests(nc)) })
}

func TestRequestHeaders(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	serveEcho(t, nc, "echo")
	want := Header{"one": {"1"}, "many": {"a", "b", "a"}}
	for name, call := range map[string]func(*Msg) (*Msg, error){
		"RequestMsg":            func(m *Msg) (*Msg, error) { return nc.RequestMsg(m, patience) },
		"RequestMsgWithContext": func(m *Msg) (*Msg, error) { return nc.RequestMsgWithContext(t.Context(), m) },
	} {
		reply, err := call(&Msg{Subject: "echo", Header: want, Data: []byte("x")})
		require.NoError(t, err, name)
		require.Equal(t, want, reply.Header, name)
		require.Equal(t, "x", string(reply.Data), name)
	}
}

// The checks in their order: each row has all the faults of those below it.
func TestRequestChecks(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	closed := connectTo(t, nc.ConnectedUrl(), unhurried())
	closed.Close()
	badKey := Header{"a b": {"c"}}
	tooBig := make([]byte, nc.MaxPayload()+1)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	var noConn *Conn
	var noCtx context.Context
	for name, c := range map[string]struct {
		call func() (*Msg, error)
		want error
	}{
		"Msg, nil":              {func() (*Msg, error) { return noConn.RequestMsg(nil, 0) }, ErrInvalidMsg},
		"Msg, header":           {func() (*Msg, error) { return noConn.RequestMsg(&Msg{Header: badKey}, 0) }, ErrBadHeaderMsg},
		"Msg, connection":       {func() (*Msg, error) { return noConn.RequestMsg(&Msg{}, 0) }, ErrInvalidConnection},
		"connection":            {func() (*Msg, error) { return noConn.Request("", nil, 0) }, ErrInvalidConnection},
		"closed before subject": {func() (*Msg, error) { return closed.Request("a b", tooBig, patience) }, ErrConnectionClosed},
		"subject before size":   {func() (*Msg, error) { return nc.Request("a b", tooBig, patience) }, ErrBadSubject},
		"empty subject":         {func() (*Msg, error) { return nc.Request("", nil, patience) }, ErrBadSubject},
		"size":                  {func() (*Msg, error) { return nc.Request("a", tooBig, patience) }, ErrMaxPayload},
		"ctx Msg, nil":          {func() (*Msg, error) { return noConn.RequestMsgWithContext(noCtx, nil) }, ErrInvalidMsg},
		"ctx Msg, header":       {func() (*Msg, error) { return noConn.RequestMsgWithContext(noCtx, &Msg{Header: badKey}) }, ErrBadHeaderMsg},
		"ctx Msg, context":      {func() (*Msg, error) { return noConn.RequestMsgWithContext(noCtx, &Msg{}) }, ErrInvalidContext},
		"ctx, context":          {func() (*Msg, error) { return noConn.RequestWithContext(noCtx, "", nil) }, ErrInvalidContext},
		"ctx, connection":       {func() (*Msg, error) { return noConn.RequestWithContext(ended, "", nil) }, ErrInvalidConnection},
		"ctx, ended":            {func() (*Msg, error) { return nc.RequestWithContext(ended, "", tooBig) }, context.Canceled},
		"ctx, closed":           {func() (*Msg, error) { return closed.RequestWithContext(t.Context(), "a b", nil) }, ErrConnectionClosed},
		"ctx, subject":          {func() (*Msg, error) { return nc.RequestWithContext(t.Context(), "a b", tooBig) }, ErrBadSubject},
		"ctx, size":             {func() (*Msg, error) { return nc.RequestWithContext(t.Context(), "a", tooBig) }, ErrMaxPayload},
	} {
		m, err := c.call()
		require.Equal(t, c.want, err, name)
		require.Nil(t, m, name)
	}
	wantNoRequests(t, nc)
	require.Zero(t, nc.Stats().OutMsgs, "nothing was sent")
}

func TestRequestWithoutServersHelp(t *testing.T) {
	t.Parallel()
	headerless := strings.Replace(plainInfo, `"headers":true`, `"headers":false`, 1)
	peer := scripted(t, func(c *peerConn) {
		c.say("INFO %s\r\nPONG\r\n", headerless)
		c.serve(nil)
	})
	nc := connectTo(t, peer.url(), unhurried())
	_, err := nc.RequestMsg(&Msg{Subject: "a", Header: Header{"a": {"b"}}}, patience)
	require.Equal(t, ErrHeadersNotSupported, err)
	_, err = nc.RequestMsg(&Msg{Subject: "a", Header: Header{}}, 3*time.Millisecond)
	require.Equal(t, ErrTimeout, err)
	wantNoRequests(t, nc)
}

func TestRequestContextEndsMeanwhile(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() {
		_, err := nc.RequestWithContext(ctx, "foo", nil)
		result <- err
	}()
	soon(t, func() bool { return len(p.publishes()) == 1 }, "the request")
	cancel()
	require.Equal(t, context.Canceled, got(t, result, "end of the request"))
	wantNoRequests(t, nc)
}

func TestRequestsInFlight(t *testing.T) {
	t.Parallel()
	const n = 1000
	_, nc := connect(t, unhurried())
	responder := connectTo(t, nc.ConnectedUrl(), unhurried())
	requests := make(chan *Msg, n)
	_, err := responder.Subscribe("foo", func(m *Msg) { requests <- m })
	require.NoError(t, err)
	require.NoError(t, responder.FlushTimeout(patience))
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			data := strconv.Itoa(i)
			m, err := nc.Request("foo", []byte(data), patience)
			if assert.NoError(t, err) {
				assert.Equal(t, data, string(m.Data))
			}
		})
	}
	var all []*Msg
	for range n {
		all = append(all, got(t, requests, "request"))
	}
	require.Equal(t, n, waitingRequests(nc), "all at once")
	for i := range all { // the last one first
		m := all[n-1-i]
		require.NoError(t, m.Respond(m.Data))
	}
	wg.Wait()
	wantNoRequests(t, nc)
	require.Equal(t, 1, nc.NumSubscriptions())
}

// All requests share one subscription, whoever makes the first one.
func TestFirstRequestsAtOnce(t *testing.T) {
	t.Parallel()
	srv, responder := connect(t, unhurried())
	serveEcho(t, responder, "echo")
	nc := connectTo(t, srv.URL(), unhurried(), Name("requester"))
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			<-start
			_, err := nc.Request("echo", nil, patience)
			assert.NoError(t, err)
		})
	}
	close(start)
	wg.Wait()
	require.Equal(t, 1, nc.NumSubscriptions())
	require.NoError(t, nc.FlushTimeout(patience))
	z, err := srv.Server().Connz(&natsserver.ConnzOptions{Subscriptions: true})
	require.NoError(t, err)
	for _, c := range z.Conns {
		if c.Name == "requester" {
			require.Equal(t, []string{nc.requests.prefix + "*"}, c.Subs)
		}
	}
}

// Of those that find no subscription at the same moment, one makes it.
func TestFirstRequestsRace(t *testing.T) {
	t.Parallel()
	for range 500 {
		nc := newConn(GetDefaultOptions(), nil)
		var ready, done sync.WaitGroup
		start := make(chan struct{})
		for range 4 {
			ready.Add(1)
			done.Go(func() {
				ready.Done()
				<-start
				assert.NoError(t, nc.requests.subscribe(nc))
			})
		}
		ready.Wait()
		close(start)
		done.Wait()
		require.Equal(t, 1, nc.NumSubscriptions())
		require.Same(t, nc.requests.sub, nc.subs.lookup(nc.requests.sub.sid))
		nc.cancel()
	}
}

// requestPeer is a scripted server for one connection's requests.
func requestPeer(t *testing.T, opts ...Option) (*peerSession, *Conn) {
	_, p, nc := connectPeer(t, opts...)
	return p, nc
}

// asked waits until n requests have been made and returns their reply subjects,
// by data.
func (s *peerSession) asked(t testing.TB, n int) map[string]string {
	t.Helper()
	soon(t, func() bool { return len(s.publishes()) >= n }, "%d requests", n)
	replies := map[string]string{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.all {
		if f.op == "PUB" {
			replies[f.data] = strings.Fields(f.line)[2]
		}
	}
	return replies
}

// answer sends a message to the first subscription, the one of the requests.
func (s *peerSession) answer(t testing.TB, subject, data string) {
	t.Helper()
	require.True(t, s.say("MSG %s 1 %d\r\n%s\r\n", subject, len(data), data))
}

// ask makes a request in the background.
func ask(nc *Conn, data string) chan string {
	result := make(chan string, 1)
	go func() {
		m, err := nc.Request("foo", []byte(data), patience)
		if err != nil {
			result <- err.Error()
			return
		}
		result <- string(m.Data)
	}()
	return result
}

// Only the first reply counts, and one that comes when nobody waits is dropped.
func TestRepliesTooManyAndTooLate(t *testing.T) {
	t.Parallel()
	p, nc := requestPeer(t)
	_, err := nc.Request("foo", []byte("a"), time.Millisecond)
	require.Equal(t, ErrTimeout, err)
	late := p.asked(t, 1)["a"]
	b := ask(nc, "b")
	inTime := p.asked(t, 2)["b"]
	require.NotEqual(t, late, inTime)
	p.answer(t, late, "late")
	p.answer(t, inTime, "first")
	p.answer(t, inTime, "second")
	require.Equal(t, "first", got(t, b, "reply"))
	c := ask(nc, "c")
	p.asked(t, 3)
	p.answer(t, inTime, "third")
	p.answer(t, p.asked(t, 3)["c"], "mine")
	require.Equal(t, "mine", got(t, c, "reply"))
	require.NoError(t, nc.FlushTimeout(patience))
	wantNoRequests(t, nc)
	require.EqualValues(t, 5, nc.Stats().InMsgs)
}

// A reply can come at the very moment when its request gives up. It must not be
// left for the next one.
func TestReplyAtTheLastMoment(t *testing.T) {
	t.Parallel()
	srv, responder := connect(t, unhurried())
	serveEcho(t, responder, "echo")
	nc := connectTo(t, srv.URL(), unhurried())
	w, subject, err := nc.requests.open(nc)
	require.NoError(t, err)
	want := &Msg{Subject: subject}
	nc.requests.reply(want)
	m, inTime := nc.requests.finish(w)
	require.True(t, inTime)
	require.Same(t, want, m)
	require.Empty(t, w.reply)

	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				data := strconv.Itoa(g*1000 + i)
				m, err := nc.Request("echo", []byte(data), time.Duration(i*5)*time.Microsecond)
				if err == nil {
					assert.Equal(t, data, string(m.Data))
				} else {
					assert.Equal(t, ErrTimeout, err)
				}
			}
		})
	}
	wg.Wait()
	_, err = nc.Request("echo", nil, patience) // the last one, so the responder is done with all
	require.NoError(t, err)
	wantNoRequests(t, nc)
}

// A reply that comes under another subject can only be told apart while there
// is one request.
func TestReplySubjectRewritten(t *testing.T) {
	t.Parallel()
	p, nc := requestPeer(t)
	a := ask(nc, "a")
	p.asked(t, 1)
	p.answer(t, "other.subject", "for a")
	require.Equal(t, "for a", got(t, a, "reply"))

	b, c := ask(nc, "b"), ask(nc, "c")
	subjects := p.asked(t, 3)
	p.answer(t, "other.subject", "for nobody")
	p.answer(t, subjects["c"], "for c")
	require.Equal(t, "for c", got(t, c, "reply"))
	p.answer(t, nc.requests.prefix+"notthere", "for nobody") // ours, so it is late and not rewritten
	p.answer(t, "another", "for b")
	require.Equal(t, "for b", got(t, b, "reply"))
}

// <inbox>.* is subscribed once; each request has a token of its own behind it.
func TestRequestLines(t *testing.T) {
	t.Parallel()
	const tokens = 20
	for name, c := range map[string]struct {
		opts  []Option
		inbox string
	}{
		"default": {nil, `_INBOX\.[0-9A-Za-z]{22}`},
		"custom":  {[]Option{CustomInboxPrefix("$BOB")}, `\$BOB\.[0-9A-Za-z]{22}`},
		"dots":    {[]Option{CustomInboxPrefix("my.own")}, `my\.own\.[0-9A-Za-z]{22}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, nc := requestPeer(t, c.opts...)
			seen := map[string]bool{}
			for i := range tokens {
				data := "r" + strconv.Itoa(i)
				result := ask(nc, data)
				reply := p.asked(t, i+1)[data]
				require.Regexp(t, "^"+c.inbox+`\.[0-9A-Za-z]{8}$`, reply)
				require.True(t, strings.HasPrefix(reply, nc.requests.prefix))
				seen[reply] = true
				p.answer(t, reply, data)
				require.Equal(t, data, got(t, result, "reply"))
			}
			require.Len(t, seen, tokens)
			require.Equal(t, []string{"SUB " + nc.requests.prefix + "*  1"}, p.subLines())
			require.Regexp(t, "^"+c.inbox+"$", nc.NewInbox())
			require.NotEqual(t, nc.NewInbox(), nc.NewInbox())
		})
	}
	require.Regexp(t, `^_INBOX\.[0-9A-Za-z]{22}$`, NewInbox())
}

func TestCustomInboxPrefixRefused(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "a.>", "a.*", "*", "a."} {
		nc, err := Connect("nats://127.0.0.1:1", CustomInboxPrefix(bad))
		require.Nil(t, nc)
		require.EqualError(t, err, "nats: invalid custom prefix", "%q", bad)
	}
}

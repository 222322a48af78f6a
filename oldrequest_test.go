package nats

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// Each request has an inbox and a subscription of its own, which go with it.
func TestOldRequestStyle(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	replies := make(chan string, 10)
	_, err := connectTo(t, s.URL()).Subscribe("echo", func(m *Msg) {
		replies <- m.Reply
		_ = m.Respond(m.Data)
		_ = m.Respond([]byte("too many"))
	})
	require.NoError(t, err)
	nc := connectTo(t, s.URL(), UseOldRequestStyle(), CustomInboxPrefix("$BOB"))
	seen := make(map[string]bool)
	soon(t, func() bool { _, err := nc.Request("echo", []byte("x"), patience); return err == nil }, "the responder")
	for range 3 {
		m, err := nc.Request("echo", []byte("x"), patience)
		require.NoError(t, err)
		require.Equal(t, "x", string(m.Data))
		reply := got(t, replies, "request")
		require.Equal(t, 2, len(strings.Split(reply, ".")), reply)
		require.True(t, strings.HasPrefix(reply, "$BOB."), reply)
		require.False(t, seen[reply])
		seen[reply] = true
		require.Zero(t, nc.NumSubscriptions())
	}
	h := NewMsg("echo")
	h.Header.Set("k", "v")
	_, err = nc.RequestMsg(h, patience)
	require.NoError(t, err)
	_, err = nc.Request("nobody", nil, patience)
	require.ErrorIs(t, err, ErrNoResponders)
	_, err = nc.Request("", nil, patience)
	require.ErrorIs(t, err, ErrBadSubject)
	require.Zero(t, nc.NumSubscriptions())
}

// Every way in which a request can end without a reply.
func TestOldRequestStyleErrors(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	nc := connectTo(t, s.URL(), UseOldRequestStyle())
	_, err := nc.SubscribeSync("mute")
	require.NoError(t, err)
	for _, d := range []time.Duration{-1, 0, time.Millisecond} {
		_, err = nc.Request("mute", nil, d)
		require.ErrorIs(t, err, ErrTimeout)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = nc.RequestWithContext(ctx, "mute", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Equal(t, 1, nc.NumSubscriptions())
	waited := make(chan error, 1)
	go func() { _, err := nc.Request("mute", nil, patience); waited <- err }() // ends with Close
	awaitSubs(t, nc, 2)
	nc.Close()
	require.ErrorIs(t, got(t, waited, "request"), ErrConnectionClosed)
	_, err = nc.Request("mute", nil, patience)
	require.ErrorIs(t, err, ErrConnectionClosed)
}

// A request that was given up before it was sent is not sent late.
func TestOldRequestStyleWithdrawsWhatIsUnsent(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	s, nc := connect(t, append(fast(), onLost, UseOldRequestStyle())...)
	s.Stop()
	got(t, lost, "loss")
	_, err := nc.Request("foo", []byte("x"), time.Millisecond)
	require.ErrorIs(t, err, ErrTimeout)
	n, err := nc.Buffered()
	require.NoError(t, err)
	require.Zero(t, n)
}

// Reply subjects for the program's own use lie under the inbox of the requests.
func TestNewRespInbox(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	a, b := nc.NewRespInbox(), nc.NewRespInbox()
	require.NotEqual(t, a, b)
	base := func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }
	require.Equal(t, base(a), base(b))
	require.Len(t, strings.TrimPrefix(a, base(a)), 8)
	require.Zero(t, nc.NumSubscriptions())
	seen := make(chan string, 1)
	_, err := nc.Subscribe("echo", func(m *Msg) {
		seen <- m.Reply
		_ = m.Respond(nil)
	})
	require.NoError(t, err)
	_, err = nc.Request("echo", nil, patience)
	require.NoError(t, err)
	require.Equal(t, base(a), base(got(t, seen, "request")))
	require.Equal(t, base(a), base(nc.NewRespInbox()))
}

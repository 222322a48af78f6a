package nats

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What would end a name on the wire, or begin another command.
var injections = []string{" ", "\t", "\r", "\n", "\x00", "\r\nPUB evil 0\r\n\r\n", " 0\r\n\r\nPUB evil", "\nUNSUB 1"}

// No name that goes on the wire can carry a second command there: it is refused
// before anything is sent.
func TestNamesCannotCarryCommands(t *testing.T) {
	t.Parallel()
	var log frameLog
	s := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.serve(log.add)
		}
	})
	nc := connectTo(t, s.url())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	handler := func(*Msg) {}
	for _, bad := range injections {
		for _, name := range []string{"a" + bad + "b", bad + "b", "a" + bad} {
			withHeader := NewMsg("ok")
			withHeader.Header.Set(name, "x")
			subscribed := func(_ *Subscription, err error) error { return err }
			requested := func(_ *Msg, err error) error { return err }
			for call, c := range map[string]struct{ err, want error }{
				"Publish":               {nc.Publish(name, nil), ErrBadSubject},
				"PublishWithContext":    {nc.PublishWithContext(ctx, name, nil), ErrBadSubject},
				"PublishRequest":        {nc.PublishRequest(name, "r", nil), ErrBadSubject},
				"PublishRequest, reply": {nc.PublishRequest("ok", name, nil), ErrBadSubject},
				"PublishMsg":            {nc.PublishMsg(&Msg{Subject: name}), ErrBadSubject},
				"PublishMsg, reply":     {nc.PublishMsg(&Msg{Subject: "ok", Reply: name}), ErrBadSubject},
				"PublishMsg, header":    {nc.PublishMsg(withHeader), ErrBadHeaderMsg},
				"Request":               {requested(nc.Request(name, nil, time.Second)), ErrBadSubject},
				"RequestMsg":            {requested(nc.RequestMsg(&Msg{Subject: name}, time.Second)), ErrBadSubject},
				"RequestWithContext":    {requested(nc.RequestWithContext(ctx, name, nil)), ErrBadSubject},
				"Respond":               {(&Msg{Reply: name, Sub: &Subscription{conn: nc}}).Respond(nil), ErrBadSubject},
				"Subscribe":             {subscribed(nc.Subscribe(name, handler)), ErrBadSubject},
				"SubscribeSync":         {subscribed(nc.SubscribeSync(name)), ErrBadSubject},
				"ChanSubscribe":         {subscribed(nc.ChanSubscribe(name, make(chan *Msg, 1))), ErrBadSubject},
				"QueueSubscribe":        {subscribed(nc.QueueSubscribe("ok", name, handler)), ErrBadQueueName},
				"QueueSubscribeSync":    {subscribed(nc.QueueSubscribeSync("ok", name)), ErrBadQueueName},
				"ChanQueueSubscribe":    {subscribed(nc.ChanQueueSubscribe("ok", name, make(chan *Msg, 1))), ErrBadQueueName},
			} {
				assert.ErrorIs(t, c.err, c.want, "%s of %q", call, name)
			}
			assert.Error(t, CustomInboxPrefix(name)(&Options{}), "%q", name)
		}
	}
	require.NoError(t, nc.FlushTimeout(patience))
	for _, line := range log.lines() {
		require.True(t, line == "PING" || strings.HasPrefix(line, "SUB _INBOX."), line)
	}
}

// An inbox prefix that did not come through its option is refused where it would
// be used; with SkipSubjectValidation too.
func TestInboxPrefixCannotCarryCommands(t *testing.T) {
	t.Parallel()
	var log frameLog
	s := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.serve(log.add)
		}
	})
	nc := connectTo(t, s.url(), SkipSubjectValidation(), set(func(o *Options) { o.InboxPrefix = "a\r\nPUB evil 0\r\n\r\n" }))
	_, err := nc.Request("foo", nil, time.Second)
	require.ErrorIs(t, err, ErrBadSubject)
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, []string{"PING"}, log.lines())
}

// A header's value stays on its line, whatever is in it.
func TestHeaderValuesStayOnTheirLine(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	for _, bad := range injections {
		m := NewMsg("foo")
		m.Header.Set("k", "a"+bad+"b")
		require.NoError(t, nc.PublishMsg(m))
		in, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Len(t, in.Header, 1, "%q", bad)
		require.Equal(t, "a"+strings.NewReplacer("\r", " ", "\n", " ").Replace(bad)+"b", in.Header.Get("k"))
	}
}

// What goes into CONNECT is JSON, so a name there cannot leave it.
func TestConnectLineCannotCarryCommands(t *testing.T) {
	t.Parallel()
	evil := "x\"}\r\nPUB evil 0\r\n\r\n\x00"
	line := connectLineFor(t, plainInfo, "", Name(evil), UserInfo(evil, evil), Token(evil))
	require.Equal(t, 2, strings.Count(line, "\r\n"), line)
	require.Equal(t, evil, connectJSON(t, plainInfo, "", Name(evil))["name"])
}

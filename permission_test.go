package nats

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

const permissionConf = `authorization {
	users = [{user: u, password: p, permissions: {subscribe: {deny: ["foo", "foo q"]}, publish: ">"}}]
}`

// With the option a refused subscription says so, to all that wait and later.
func TestRefusedSubscriptionTellsNextMsg(t *testing.T) {
	t.Parallel()
	errs, onErr := errEvents()
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	srv := testserver.RunConfig(t, permissionConf)
	nc := connectTo(t, srv.URL(), append(fast(), UserInfo("u", "p"), PermissionErrOnSubscribe(true),
		onErr, onLost, ReconnectHandler(onBack))...)
	fine, err := nc.SubscribeSync("bar")
	require.NoError(t, err)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	twin, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	grouped, err := nc.QueueSubscribeSync("foo", "q")
	require.NoError(t, err)
	for _, refused := range []*Subscription{s, twin, grouped, s} {
		_, err = refused.NextMsg(patience)
		require.ErrorIs(t, err, ErrPermissionViolation)
	}
	require.Contains(t, err.Error(), `nats: permissions violation: Permissions Violation for Subscription to "foo"`)
	_, err = s.NextMsgWithContext(t.Context())
	require.ErrorIs(t, err, ErrPermissionViolation)
	for _, err := range s.Msgs() {
		require.ErrorIs(t, err, ErrPermissionViolation)
	}
	require.True(t, s.IsValid())
	require.ErrorIs(t, got(t, errs, "error event"), ErrPermissionViolation)
	require.ErrorIs(t, nc.LastError(), ErrPermissionViolation)
	publishNumbers(t, nc, "bar", 0, 1)
	_, err = fine.NextMsg(patience)
	require.NoError(t, err)
	// Another server may think otherwise, and is asked again.
	require.Equal(t, 1, srv.CutClients())
	got(t, lost, "loss")
	got(t, back, "reconnect")
	_, err = s.NextMsg(patience)
	require.ErrorIs(t, err, ErrPermissionViolation)
}

// A new session forgets the refusal.
func TestRefusalIsForgottenWithTheSession(t *testing.T) {
	t.Parallel()
	peer, first, nc := connectPeer(t, append(fast(), PermissionErrOnSubscribe(true), quiet())...)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	waited := make(chan error, 2)
	go func() { _, err := s.NextMsg(patience); waited <- err }() // both end with the refusal
	go func() { _, err := s.NextMsgWithContext(t.Context()); waited <- err }()
	soon(t, func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.waiters) == 2 }, "both wait")
	first.say("-ERR 'Permissions Violation for Subscription to \"foo\"'\r\n")
	require.ErrorIs(t, got(t, waited, "NextMsg"), ErrPermissionViolation)
	require.ErrorIs(t, got(t, waited, "NextMsg"), ErrPermissionViolation)
	first.cut()
	second := got(t, peer.sessions, "second session")
	second.deliver(t, s, 1, 1)
	m, err := s.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "1", string(m.Data))
}

// Without the option only the ErrorHandler hears of it.
func TestRefusedSubscriptionWithoutTheOption(t *testing.T) {
	t.Parallel()
	errs, onErr := errEvents()
	_, p, nc := connectPeer(t, onErr)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	p.say("-ERR 'Permissions Violation for Subscription to \"foo\"'\r\n")
	require.ErrorIs(t, got(t, errs, "error event"), ErrPermissionViolation)
	_, err = s.NextMsg(0)
	require.ErrorIs(t, err, ErrTimeout)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.NextMsgWithContext(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRefusedSubscriptionTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		`Permissions Violation for Subscription to "foo.*"`:                {"foo.*", ""},
		`Permissions Violation for Subscription to "foo" using queue "q1"`: {"foo", "q1"},
		`Permissions Violation for Publish to "foo"`:                       {},
		`Subscription to "a b"`:                                            {},
		`Subscription to "`:                                                {},
		`Subscription to ""`:                                               {},
		`subscription to "foo"`:                                            {},
	} {
		subject, queue, ok := refusedSubscription(text)
		require.Equal(t, want, [2]string{subject, queue}, text)
		require.Equal(t, want[0] != "", ok, text)
	}
}

package nats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// speaks shows that a connection works in both directions.
func speaks(t testing.TB, nc *Conn) {
	t.Helper()
	sub, err := nc.SubscribeSync(nc.NewInbox())
	require.NoError(t, err)
	require.NoError(t, nc.Publish(sub.Subject, []byte("x")))
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "x", string(m.Data))
	require.NoError(t, sub.Unsubscribe())
}

// refused connects with options that the server does not accept.
func refused(t testing.TB, url string, opts ...Option) {
	t.Helper()
	_, err := Connect(url, append([]Option{Timeout(patience)}, opts...)...)
	require.ErrorIs(t, err, ErrAuthorization)
}

func TestUserPasswordAndToken(t *testing.T) {
	t.Parallel()
	users := testserver.RunConfig(t, `authorization { user: joe, password: "p@ss w0rd" }`)
	speaks(t, connectTo(t, users.URL(), UserInfo("joe", "p@ss w0rd")))
	speaks(t, connectTo(t, strings.Replace(users.URL(), "//", "//joe:p%40ss%20w0rd@", 1)))
	speaks(t, connectTo(t, users.URL(), UserInfoHandler(func() (string, string) { return "joe", "p@ss w0rd" })))
	refused(t, users.URL())
	refused(t, users.URL(), UserInfo("joe", "wrong"))
	token := testserver.RunConfig(t, `authorization { token: "S3CR3T" }`)
	speaks(t, connectTo(t, token.URL(), Token("S3CR3T")))
	speaks(t, connectTo(t, strings.Replace(token.URL(), "//", "//S3CR3T@", 1)))
	speaks(t, connectTo(t, token.URL(), TokenHandler(func() string { return "S3CR3T" })))
	refused(t, token.URL(), Token("other"))
	require.True(t, connectTo(t, token.URL(), Token("S3CR3T")).AuthRequired())
}

// Users of two accounts do not hear each other, whatever the subject.
func TestAccounts(t *testing.T) {
	t.Parallel()
	s := testserver.RunConfig(t, `accounts {
		A { users: [{user: a, password: pa}] }
		B { users: [{user: b, password: pb}] }
	}`)
	a, b := connectTo(t, s.URL(), UserInfo("a", "pa")), connectTo(t, s.URL(), UserInfo("b", "pb"))
	inA, err := a.SubscribeSync("x")
	require.NoError(t, err)
	inB, err := b.SubscribeSync("x")
	require.NoError(t, err)
	require.NoError(t, b.Flush())
	require.NoError(t, a.Publish("x", []byte("of a")))
	m, err := inA.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "of a", string(m.Data))
	require.NoError(t, a.Flush())
	require.NoError(t, b.Flush())
	_, err = inB.NextMsg(0)
	require.ErrorIs(t, err, ErrTimeout)
	refused(t, s.URL(), UserInfo("a", "pb"))
}

func TestNkeyUsers(t *testing.T) {
	t.Parallel()
	key, seed := newKeys(t, nkeys.PrefixByteUser)
	other, otherSeed := newKeys(t, nkeys.PrefixByteUser)
	s := testserver.RunConfig(t, fmt.Sprintf(`authorization { users: [{nkey: %s}] }`, key))
	fromFile, err := NkeyOptionFromSeed(fileOf(t, seed))
	require.NoError(t, err)
	speaks(t, connectTo(t, s.URL(), fromFile))
	speaks(t, connectTo(t, s.URL(), Nkey(key, signer(seed))))
	refused(t, s.URL(), Nkey(other, signer(otherSeed)))
	refused(t, s.URL(), Nkey(key, signer(otherSeed)))
	refused(t, s.URL(), UserInfo("joe", "x"))
}

// signer signs with a seed.
func signer(seed string) SignatureHandler {
	return func(nonce []byte) ([]byte, error) {
		kp, err := nkeys.FromSeed([]byte(seed))
		if err != nil {
			return nil, err
		}
		return kp.Sign(nonce)
	}
}

// operatorMode starts a server that takes users with JWTs.
func operatorMode(t testing.TB) (*testserver.Operator, *testserver.Server) {
	t.Helper()
	op := testserver.RunOperator(t)
	text, err := op.Config()
	require.NoError(t, err)
	return op, testserver.RunConfig(t, text)
}

func jwtUser(t testing.TB, op *testserver.Operator) *testserver.User {
	t.Helper()
	u, err := op.User(0)
	require.NoError(t, err)
	return u
}

func TestOperatorMode(t *testing.T) {
	t.Parallel()
	op, s := operatorMode(t)
	u, other := jwtUser(t, op), jwtUser(t, op)
	for name, option := range map[string]Option{
		"chained file": UserCredentials(fileOf(t, u.Creds())),
		"two files":    UserCredentials(fileOf(t, u.JWT), fileOf(t, u.Seed)),
		"bytes":        UserCredentialBytes([]byte(u.Creds())),
		"two slices":   UserCredentialBytes([]byte(u.JWT), []byte(u.Seed)),
		"strings":      UserJWTAndSeed(u.JWT, u.Seed),
		"handlers":     UserJWT(func() (string, error) { return u.JWT, nil }, signer(u.Seed)),
	} {
		t.Log(name)
		speaks(t, connectTo(t, s.URL(), option))
	}
	refused(t, s.URL(), UserJWTAndSeed(u.JWT, other.Seed))
	refused(t, s.URL())
	stranger := testserver.RunOperator(t)
	refused(t, s.URL(), UserCredentialBytes([]byte(jwtUser(t, stranger).Creds())))
}

// A user is revoked while it is connected. Its file has another one by then, and
// that counts for the next connection.
func TestRotatedCredentials(t *testing.T) {
	t.Parallel()
	op, s := operatorMode(t)
	first, second := jwtUser(t, op), jwtUser(t, op)
	file := fileOf(t, first.Creds())
	back, onBack := connEvents()
	errs, onErr := errEvents()
	nc := connectTo(t, s.URL(), append(fast(), onErr, UserCredentials(file), ReconnectHandler(onBack))...)
	speaks(t, nc)

	op.Revoke(first.Key)
	text, err := op.Config()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(second.Creds()), 0o600))
	rewriteConfig(t, s, text)
	require.ErrorIs(t, got(t, errs, "revocation"), ErrAuthRevoked)
	got(t, back, "reconnect with the new credentials")
	speaks(t, nc)
	refused(t, s.URL(), UserJWTAndSeed(first.JWT, first.Seed))
}

// Credentials that cannot be had for a while are told, and tried again. The handlers
// of the program run under no lock: they may use the connection.
func TestCredentialsThatAreGoneForAWhile(t *testing.T) {
	t.Parallel()
	op, s := operatorMode(t)
	u := jwtUser(t, op)
	file := fileOf(t, u.Creds())
	errs, onErr := errEvents()
	back, onBack := connEvents()
	var conn atomic.Pointer[Conn]
	using := func(nonce []byte) ([]byte, error) {
		if nc := conn.Load(); nc != nil {
			_ = nc.Publish("from.the.handler", nil)
			_, _ = nc.Status(), nc.LastError()
		}
		return signWithFile(file, nonce)
	}
	nc := connectTo(t, s.URL(), append(fast(), onErr, ReconnectHandler(onBack),
		UserJWT(func() (string, error) { return jwtFromFile(file) }, using))...)
	conn.Store(nc)
	require.NoError(t, os.Rename(file, file+".away"))
	s.CutClients()
	err := got(t, errs, "missing file")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "connecting to "+s.URL())
	require.NoError(t, os.Rename(file+".away", file))
	got(t, back, "reconnect")
	speaks(t, nc)
}

// rewriteConfig replaces the server's operator and accounts, for its next start too.
func rewriteConfig(t testing.TB, s *testserver.Server, text string) {
	t.Helper()
	old, err := os.ReadFile(s.ConfigFile())
	require.NoError(t, err)
	i := strings.Index(string(old), "\nhost:")
	require.Positive(t, i)
	require.NoError(t, os.WriteFile(s.ConfigFile(), []byte(text+string(old[i:])), 0o600))
	require.NoError(t, s.Server().Reload())
}

// A user that is taken back while it is connected: the program is told, and the
// second refusal in a row ends it.
func TestRevokedUser(t *testing.T) {
	t.Parallel()
	key, seed := newKeys(t, nkeys.PrefixByteUser)
	other, _ := newKeys(t, nkeys.PrefixByteUser)
	users := func(key string) string { return fmt.Sprintf("authorization { users: [{nkey: %s}] }\n", key) }
	s := testserver.RunConfig(t, users(key))
	errs, onErr := errEvents()
	closed, onClosed := connEvents()
	nc := connectTo(t, s.URL(), append(fast(), Nkey(key, signer(seed)), onErr, ClosedHandler(onClosed))...)
	rewriteConfig(t, s, users(other))
	require.ErrorIs(t, got(t, errs, "refusal"), ErrAuthorization)
	got(t, closed, "close")
	require.ErrorIs(t, nc.LastError(), ErrAuthorization)
}

// The JWT ends while the connection is up. A handler with a new one each time
// brings the connection back; with the same file it ends, unless told to go on.
func TestExpiry(t *testing.T) {
	t.Parallel()
	op, s := operatorMode(t)
	u := jwtUser(t, op)
	short := func() (string, error) { return u.Renew(2 * time.Second) }
	errs, onErr := errEvents()
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	nc := connectTo(t, s.URL(), append(fast(), UserJWT(short, signer(u.Seed)), onErr, onLost, ReconnectHandler(onBack))...)

	jwt, err := u.Renew(2 * time.Second)
	require.NoError(t, err)
	closed, onClosed := connEvents()
	fixed := connectTo(t, s.URL(), append(fast(), quiet(), UserJWTAndSeed(jwt, u.Seed), ClosedHandler(onClosed))...)
	stubborn := connectTo(t, s.URL(), append(fast(), quiet(), UserJWTAndSeed(jwt, u.Seed), IgnoreAuthErrorAbort())...)

	require.ErrorIs(t, got(t, errs, "expiry"), ErrAuthExpired)
	got(t, lost, "loss")
	got(t, back, "reconnect")
	speaks(t, nc)
	got(t, closed, "close of the one whose JWT stays the same")
	last := fixed.LastError() // which of the two depends on the server's clock
	require.True(t, errors.Is(last, ErrAuthExpired) || errors.Is(last, ErrAuthorization), "%v", last)
	require.True(t, stubborn.IsReconnecting() || stubborn.Status() == CONNECTING)
	stubborn.Close()
}

const permissions = `authorization { users: [
	{user: joe, password: s3cret, permissions: {
		publish: {allow: ["ok.>", "_INBOX.>"]}
		subscribe: {allow: ["ok.>", "_INBOX.>", "work.> q1"], deny: ["ok.but.not"]}
	}}
] }`

// What the server does not permit is told to the ErrorHandler, and the connection
// goes on.
func TestPermissions(t *testing.T) {
	t.Parallel()
	s := testserver.RunConfig(t, permissions)
	errs, onErr := errEvents()
	nc := connectTo(t, s.URL(), UserInfo("joe", "s3cret"), onErr)
	wants := func(text string) {
		t.Helper()
		err := got(t, errs, text)
		require.ErrorIs(t, err, ErrPermissionViolation)
		require.ErrorContains(t, err, text)
		require.Equal(t, err, nc.LastError())
	}
	require.NoError(t, nc.Publish("not.ok", nil))
	wants(`Permissions Violation for Publish to "not.ok"`)
	_, err := nc.SubscribeSync("not.ok")
	require.NoError(t, err)
	wants(`Permissions Violation for Subscription to "not.ok"`)
	_, err = nc.QueueSubscribeSync("work.a", "q2")
	require.NoError(t, err)
	wants(`Permissions Violation for Subscription to "work.a" using queue "q2"`)
	_, err = nc.QueueSubscribeSync("work.a", "q1")
	require.NoError(t, err)
	speaks(t, nc)
	require.Empty(t, errs)
}

// Compatibility 7.40.
func TestPermissionErrOnSubscribe(t *testing.T) {
	t.Parallel()
	s := testserver.RunConfig(t, permissions)
	nc := connectTo(t, s.URL(), UserInfo("joe", "s3cret"), quiet(), PermissionErrOnSubscribe(true))
	var denied []*Subscription
	for _, q := range []string{"", "", "q2"} {
		sub, err := nc.QueueSubscribeSync("ok.but.not", q)
		require.NoError(t, err)
		denied = append(denied, sub)
	}
	fine, err := nc.SubscribeSync("ok.fine")
	require.NoError(t, err)
	for _, sub := range denied {
		for range 2 {
			_, err := sub.NextMsg(patience)
			require.ErrorIs(t, err, ErrPermissionViolation, "a call that waits, and every later one")
		}
		require.True(t, sub.IsValid())
	}
	_, err = fine.NextMsg(0)
	require.ErrorIs(t, err, ErrTimeout)
}

// What one server says against a subscription is not what the next one says.
func TestPermissionErrEndsWithTheSession(t *testing.T) {
	t.Parallel()
	refused := make(chan struct{})
	s := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); !ok {
			return
		}
		p.serve(func(f wireFrame) {
			if f.op != "SUB" {
				return
			}
			if p.n == 0 {
				p.say("-ERR 'Permissions Violation for Subscription to \"foo\"'\r\n")
				<-refused
				p.cut()
				return
			}
			p.say("MSG foo 1 5\r\nhello\r\n")
		})
	})
	back, onBack := connEvents()
	nc := connectTo(t, s.url(), append(fast(), quiet(), PermissionErrOnSubscribe(true), ReconnectHandler(onBack))...)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	_, err = sub.NextMsg(patience)
	require.ErrorIs(t, err, ErrPermissionViolation)
	close(refused)
	got(t, back, "reconnect")
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Data))
}

// Without the option NextMsg knows nothing of it.
func TestPermissionErrNotAsked(t *testing.T) {
	t.Parallel()
	s := testserver.RunConfig(t, permissions)
	errs, onErr := errEvents()
	nc := connectTo(t, s.URL(), UserInfo("joe", "s3cret"), onErr)
	sub, err := nc.SubscribeSync("ok.but.not")
	require.NoError(t, err)
	got(t, errs, "the server's word")
	_, err = sub.NextMsg(0)
	require.ErrorIs(t, err, ErrTimeout)
}

// The text of a refusal is the server's, so it is read with care.
func TestDeniedSubscriptionText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		`Permissions Violation for Subscription to "a.b"`:                         {"a.b", ""},
		`Permissions Violation for Subscription to "a.b" using queue "q"`:         {"a.b", "q"},
		`Permissions Violation for Publish to "a.b"`:                              {"", ""},
		`permissions violation for subscription to "a.b"`:                         {"", ""},
		`Subscription to "a.b`:                                                    {"", ""},
		`Subscription to ""`:                                                      {"", ""},
		`Subscription to`:                                                         {"", ""},
		`Permissions Violation for Subscription to "a.b" using queue "unfinished`: {"a.b", ""},
	} {
		subject, queue, ok := refusedSubscription(text)
		require.Equal(t, want[0] != "", ok, text)
		if want[0] != "" {
			require.Equal(t, want, [2]string{subject, queue}, text)
		}
	}
}

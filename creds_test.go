package nats

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// newKeys makes the keys of a kind and returns them with their seed.
func newKeys(t testing.TB, kind nkeys.PrefixByte) (public, seed string) {
	t.Helper()
	kp, err := nkeys.CreatePair(kind)
	require.NoError(t, err)
	public, err = kp.PublicKey()
	require.NoError(t, err)
	s, err := kp.Seed()
	require.NoError(t, err)
	return public, string(s)
}

// fileOf writes a file and returns its path.
func fileOf(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// noJWT is a credential handler that has nothing to say.
func noJWT() (string, error)                { return "", nil }
func signNothing([]byte) ([]byte, error)    { return nil, nil }
func literally(f func(*Options)) (o Option) { return set(f) }
func asked(t testing.TB, opts ...Option) Options { // the options, before any connection
	t.Helper()
	o := GetDefaultOptions()
	for _, set := range opts {
		require.NoError(t, set(&o))
	}
	return o
}

// Compatibility 1.9 and 1.11: refused before any network.
func TestCredentialConflicts(t *testing.T) {
	t.Parallel()
	own := errors.New("no JWT today")
	key, _ := newKeys(t, nkeys.PrefixByteUser)
	for name, c := range map[string]struct {
		opts []Option
		want error
	}{
		"nkey without signature":         {[]Option{Nkey(key, nil)}, ErrNkeyButNoSigCB},
		"literal nkey without signature": {[]Option{literally(func(o *Options) { o.Nkey = key })}, ErrNkeyButNoSigCB},
		"no JWT handler":                 {[]Option{UserJWT(nil, signNothing)}, ErrNoUserCB},
		"JWT without signature":          {[]Option{UserJWT(noJWT, nil)}, ErrUserButNoSigCB},
		"JWT handler fails":              {[]Option{UserJWT(func() (string, error) { return "", own }, signNothing)}, own},
		"JWT and nkey":                   {[]Option{UserJWT(noJWT, signNothing), Nkey(key, signNothing)}, ErrNkeyAndUser},
		"token and handler":              {[]Option{Token("t"), TokenHandler(func() string { return "x" })}, ErrTokenAlreadySet},
		"no file":                        {[]Option{UserCredentials(filepath.Join(t.TempDir(), "x"))}, fs.ErrNotExist},
	} {
		d := &dialLog{}
		_, err := Connect("nats://10.0.0.1", append(c.opts, SetCustomDialer(d))...)
		assert.ErrorIs(t, err, c.want, name)
		assert.Empty(t, d.seen(), name)
		assert.True(t, strings.HasPrefix(err.Error(), "nats: ") || c.want == own, name)
	}
	require.NoError(t, Nkey("", nil)(&Options{}), "no key is no conflict")
}

// connectJSON is a CONNECT line as it went over the wire.
func connectJSON(t testing.TB, info string, user string, opts ...Option) map[string]any {
	t.Helper()
	line, _, _ := strings.Cut(connectLineFor(t, info, user, opts...), "\r\n")
	var m map[string]any
	require.NoError(t, json.Unmarshal([]byte(strings.TrimPrefix(line, "CONNECT ")), &m))
	return m
}

const nonceInfo = `{"server_id":"S","proto":1,"headers":true,"max_payload":1048576,"auth_required":true,"nonce":"PXoWU7zWAMt75FY"}`

// signedBy checks that the signature in CONNECT is that of the key.
func signedBy(t testing.TB, key string, connect map[string]any) {
	t.Helper()
	kp, err := nkeys.FromPublicKey(key)
	require.NoError(t, err)
	sig, err := base64.RawURLEncoding.DecodeString(connect["sig"].(string))
	require.NoError(t, err)
	require.NoError(t, kp.Verify([]byte("PXoWU7zWAMt75FY"), sig))
}

// Every way to the same JWT and signature.
func TestCredentialSources(t *testing.T) {
	t.Parallel()
	key, seed := newKeys(t, nkeys.PrefixByteUser)
	const jwt = "eyJ0.eyJz.c2ln"
	chained := testserver.Creds(jwt, seed)
	for name, option := range map[string]Option{
		"chained file":    UserCredentials(fileOf(t, chained)),
		"two files":       UserCredentials(fileOf(t, jwt), fileOf(t, seed)),
		"first of three":  UserCredentials(fileOf(t, jwt+"\n"), fileOf(t, seed+"\n"), "no-such-file"),
		"decorated files": UserCredentials(fileOf(t, chained), fileOf(t, chained)),
		"bytes":           UserCredentialBytes([]byte(chained)),
		"bytes and seed":  UserCredentialBytes([]byte(jwt), []byte(seed)),
		"strings":         UserJWTAndSeed(jwt, seed),
	} {
		c := connectJSON(t, nonceInfo, "", option)
		assert.Equal(t, jwt, c["jwt"], name)
		assert.NotContains(t, c, "nkey", name)
		signedBy(t, key, c)
	}
	fromFile, err := NkeyOptionFromSeed(fileOf(t, "# a comment\n"+seed+"\n"))
	require.NoError(t, err)
	c := connectJSON(t, nonceInfo, "", fromFile)
	require.Equal(t, key, c["nkey"])
	require.NotContains(t, c, "jwt")
	signedBy(t, key, c)
}

// Compatibility 10.1: a URL with a user does not want the key, but the JWT.
func TestCredentialsOfURLAndKeys(t *testing.T) {
	t.Parallel()
	key, seed := newKeys(t, nkeys.PrefixByteUser)
	fromFile, err := NkeyOptionFromSeed(fileOf(t, seed))
	require.NoError(t, err)
	c := connectJSON(t, nonceInfo, "joe:secret@", fromFile)
	require.NotContains(t, c, "nkey")
	require.NotContains(t, c, "sig")
	require.Equal(t, "joe", c["user"])
	c = connectJSON(t, nonceInfo, "joe:secret@", UserJWTAndSeed("a.b.c", seed))
	require.Equal(t, "a.b.c", c["jwt"])
	signedBy(t, key, c)
	c = connectJSON(t, nonceInfo, "", UserJWT(noJWT, signNothing))
	require.NotContains(t, c, "jwt")
	require.NotContains(t, c, "sig")
}

func TestUserInfoHandler(t *testing.T) {
	t.Parallel()
	h := UserInfoHandler(func() (string, string) { return "joe", "secret" })
	c := connectJSON(t, plainInfo, "", h)
	require.Equal(t, []any{"joe", "secret"}, []any{c["user"], c["pass"]})
	c = connectJSON(t, plainInfo, "ann:other@", h)
	require.Equal(t, []any{"ann", "other"}, []any{c["user"], c["pass"]})
	_, err := handshakeOver(t, "nats://10.0.0.1", "INFO {}\r\n", h, UserInfo("ann", ""))
	require.ErrorIs(t, err, ErrUserInfoAlreadySet)
}

// handshakeOver is handshakeWith with another URL and a server that only speaks once.
func handshakeOver(t testing.TB, url, says string, opts ...Option) (*talker, error) {
	t.Helper()
	o := asked(t, opts...)
	peer := &talker{says: []string{says}}
	o.CustomDialer = peer
	u, err := parseServerURL(url)
	require.NoError(t, err)
	c := connector{opts: o.withDefaults(), onSocket: func() bool { return true }, onInfo: func(*serverInfo) {}}
	_, err = c.connect(t.Context(), u)
	return peer, err
}

// Compatibility 10.9: a key and a server that asks for no signature, whatever
// else there is. It is not told anything.
func TestNkeyNeedsNonce(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"nats://10.0.0.1", "nats://joe:secret@10.0.0.1"} {
		peer, err := handshakeOver(t, url, "INFO {}\r\n", Nkey("U", signNothing))
		require.ErrorIs(t, err, ErrNkeysNotSupported)
		require.Zero(t, peer.wrote.Len())
	}
}

// Compatibility 10.5 to 10.10: what is wrong with a file, and which.
func TestCredentialErrors(t *testing.T) {
	t.Parallel()
	_, seed := newKeys(t, nkeys.PrefixByteUser)
	_, account := newKeys(t, nkeys.PrefixByteAccount)
	missing := filepath.Join(t.TempDir(), "missing")
	jwtFile := fileOf(t, "a.b.c")
	own := errors.New("the key is elsewhere")
	for name, c := range map[string]struct {
		option Option
		text   string
		is     error
	}{
		"seed file missing": {UserCredentials(jwtFile, missing),
			`error signing nonce: unable to extract key pair from file "` + missing + `": nats: open ` + missing, fs.ErrNotExist},
		"no seed in file":  {UserCredentials(jwtFile), `from file "` + jwtFile + `": nkeys: no nkey seed found`, nkeys.ErrNoSeedFound},
		"bad seed":         {UserJWTAndSeed("a.b.c", seed[:20]), "error signing nonce: unable to extract key pair from seed: nkeys:", nil},
		"bad seed bytes":   {UserCredentialBytes([]byte("a.b.c"), []byte("x")), "unable to extract key pair from bytes: nkeys:", nkeys.ErrNoSeedFound},
		"signer's failure": {Nkey("U", func([]byte) ([]byte, error) { return nil, own }), "error signing nonce: the key is elsewhere", own},
	} {
		_, err := handshakeOver(t, "nats://10.0.0.1", "INFO "+nonceInfo+"\r\n", c.option)
		assert.ErrorContains(t, err, c.text, name)
		assert.ErrorContains(t, err, "connecting to nats://10.0.0.1:4222", name)
		assert.NotContains(t, err.Error(), seed[:20], name)
		if c.is != nil {
			assert.ErrorIs(t, err, c.is, name)
		}
	}
	_, err := NkeyOptionFromSeed(missing)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "nats: open ")
	_, err = NkeyOptionFromSeed(jwtFile)
	require.ErrorIs(t, err, nkeys.ErrNoSeedFound)
	_, err = NkeyOptionFromSeed(fileOf(t, account))
	require.EqualError(t, err, "nats: Not a valid nkey user seed")
}

// Compatibility 10.7 and 10.11. Not parallel: it changes the environment.
func TestCredentialPaths(t *testing.T) {
	_, seed := newKeys(t, nkeys.PrefixByteUser)
	home := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(home, "u.creds"), []byte(testserver.Creds("a.b.c", seed)), 0o600))
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv("HOMEDRIVE", "")
	t.Setenv("CREDS_DIR", home)
	for _, path := range []string{"~/u.creds", "$CREDS_DIR/u.creds", "${CREDS_DIR}/u.creds"} {
		c := connectJSON(t, nonceInfo, "", UserCredentials(path))
		require.Equal(t, "a.b.c", c["jwt"], path)
		require.NotEmpty(t, c["sig"], path)
	}
	t.Setenv("HOME", "")
	t.Setenv("USERPROFILE", "")
	require.ErrorContains(t, UserCredentials("~/u.creds")(&Options{}), "failed to get home dir")
}

// What is read for a signature is not left in the memory that it was read into.
func TestSeedIsWiped(t *testing.T) {
	t.Parallel()
	_, seed := newKeys(t, nkeys.PrefixByteUser)
	contents := []byte(testserver.Creds("a.b.c", seed))
	jwt, err := jwtFrom(contents)
	require.NoError(t, err)
	require.Equal(t, "a.b.c", jwt)
	require.NotContains(t, string(contents), seed)

	kp, err := nkeys.FromSeed([]byte(seed))
	require.NoError(t, err)
	_, err = signWith(kp, nil, "seed", []byte("x"))
	require.NoError(t, err)
	left, err := kp.Seed()
	require.True(t, err != nil || string(left) != seed, "the key pair still has its seed")
}

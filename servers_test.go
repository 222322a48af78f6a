package nats

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestServerURLForms(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"h":                      "nats://h:4222",
		"h:":                     "nats://h:4222",
		"h:1":                    "nats://h:1",
		"nats://h":               "nats://h:4222",
		"nats://h:65535":         "nats://h:65535",
		"NATS://h":               "nats://h:4222",
		"tcp://h:7":              "tcp://h:7",
		"nats://h/":              "nats://h:4222/",
		"nats://h/path?q=1":      "nats://h:4222/path?q=1",
		"nats://h:8/path":        "nats://h:8/path",
		"1.2.3.4":                "nats://1.2.3.4:4222",
		"[::1]":                  "nats://[::1]:4222",
		"[::1]:":                 "nats://[::1]:4222",
		"[::1]:7":                "nats://[::1]:7",
		"nats://[2001:db8::1]/x": "nats://[2001:db8::1]:4222/x",
		"nats://[fe80::1%25en0]": "nats://[fe80::1%25en0]:4222",
		"user:pw@h":              "nats://user:pw@h:4222",
		"nats://tok@h:5":         "nats://tok@h:5",
		"nats://u:@h":            "nats://u:@h:4222",
		"nats://u%40x:p%2Fw@h":   "nats://u%40x:p%2Fw@h:4222",
	} {
		u, err := parseServerURL(in)
		if assert.NoErrorf(t, err, "%q", in) {
			assert.Equalf(t, want, u.String(), "%q", in)
		}
	}
}

func TestServerURLErrors(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                      "host",
		"nats://":               "host",
		"nats://:4222":          "host",
		"nats://u:p@":           "host",
		"nats:///path":          "host",
		"//h":                   "host",
		"http://h":              `unknown scheme "http"`,
		"foo://h:4222":          `unknown scheme "foo"`,
		"natss://h":             `unknown scheme "natss"`,
		"://h":                  "missing protocol scheme",
		"1nats://h":             "first path segment",
		"nats://h:0":            "port",
		"nats://h:65536":        "port",
		"nats://h:-1":           "port",
		"nats://h:x":            "port",
		"nats://h:99999999999":  "port",
		"nats://h h":            "invalid character",
		"nats://h\n":            "control character",
		"nats://[::1":           "']'",
		"nats://[::1]x:3":       "port",
		"nats://[h]:3":          "IP",
		"nats://[1.2.3.4]:3":    "IP",
		"nats://[::%25%2586]:3": "IPv6",
		"nats://[::1%25%25]:3":  "IPv6",
		"nats://h%zz":           "escape",
		" nats://h":             "first path segment",
	} {
		u, err := parseServerURL(in)
		assert.ErrorContainsf(t, err, want, "%q gave %v", in, u)
	}
}

// Compatibility 2.2: an entry of Options is one URL, not a list.
func TestServerURLIsNoList(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"a,b", "a:1,b:2", "nats://a:1,nats://b:2", "nats://a:1,b"} {
		u, err := parseServerURL(in)
		assert.Errorf(t, err, "%q gave %v", in, u)
	}
}

// An IPv6 address without brackets is not repaired, so it must not be taken for
// something else either.
func TestServerURLBareIPv6(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"::1", "nats://::1", "nats://::1/", "2001:db8::1:4222"} {
		u, err := parseServerURL(in)
		assert.Errorf(t, err, "%q gave %v", in, u)
	}
}

// No error about a URL may show what stands before the host, whatever was
// wrong: most are there because a password was not escaped.
func TestServerURLErrorsHideCredentials(t *testing.T) {
	t.Parallel()
	for _, in := range []string{
		"nats://joe:S3CRET@h:99999", "foo://joe:S3CRET@h", "nats://joe:S3CRET@",
		"nats://joe:S3CRET%zz@h", "nats://joe:S3CRET/@h", "nats://joe:S3CRET w@h", "nats://jo e:S3CRET@h",
		"nats://joe:p@S3CRET%@h", "joe:S3CRET\x7f@h", "nats://joe:x#S3CRET@h", "nats://joe:x?S3CRET@h",
		"nats://joe:x/S3CRET@h", "nats://:S3CRET@h h",
		// A user without a password is a token.
		"foo://S3CRET@h", "nats://S3CRET@h:0", "nats://S3CRET@", "nats://S3CRET%@h",
		// The URL can be parsed, but not as it was meant.
		"joe:S3CRET://x@h", "joe:x://S3CRET@h", "foo://joe:12/S3CRET@h", "nats://:12/S3CRET@h",
		"foo://joe:12?S3CRET@h", "foo://joe:12#S3CRET@h", "foo://joe/S3CRET@h",
	} {
		u, err := parseServerURL(in)
		if assert.Errorf(t, err, "%q gave %v", in, u) {
			assert.NotContainsf(t, err.Error(), "S3CRET", "%q", in)
		}
		_, err = Connect(in, Timeout(time.Second))
		if assert.Errorf(t, err, "Connect %q", in) {
			assert.NotContainsf(t, err.Error(), "S3CRET", "Connect %q", in)
		}
	}
}

func TestSplitURLs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		"": nil, " , ": nil, "/": nil, ",,": nil,
		"a":                  {"a"},
		" a , b,c ":          {"a", "b", "c"},
		"nats://a/,b/ , /":   {"nats://a", "b"},
		"nats://a//":         {"nats://a/"},
		"nats://u:p@a:1\t,b": {"nats://u:p@a:1", "b"},
	} {
		assert.Equalf(t, want, splitURLs(in), "%q", in)
	}
}

// poolOf is a pool of entries given by the program, the first one current.
func poolOf(t testing.TB, o Options) *serverPool {
	t.Helper()
	p, err := newServerPool(&o)
	require.NoError(t, err)
	p.current = p.list[0]
	return p
}

func poolNames(p *serverPool) string {
	return strings.ReplaceAll(strings.Join(p.names(func(*server) bool { return true }), " "), "nats://", "")
}

func TestPoolOrder(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]Options{
		"127.0.0.1:4222":           {},
		"a:4222":                   {Url: "a"},
		"a:1 b:2 c:3":              {Servers: []string{"a:1", "b:2", "c:3"}},
		"d:4 b:2 c:3 a:1":          {Servers: []string{"a:1", "b:2", "c:3"}, Url: "d:4"},
		"a:1 a:1 a:1":              {Servers: []string{"a:1", "a:1"}, Url: "a:1"},
		"a:1 tcp://b:2 [::1]:4222": {Servers: []string{"nats://u:p@a:1/x?y", "tcp://b:2", "nats://tok@[::1]"}},
	} {
		o.NoRandomize = true
		assert.Equal(t, want, poolNames(poolOf(t, o)))
	}
	for _, o := range []Options{{Url: "foo://x"}, {Servers: []string{"a", ""}}, {Servers: []string{"a"}, Url: "b:x"}} {
		_, err := newServerPool(&o)
		assert.Error(t, err)
	}
}

func TestPoolShuffles(t *testing.T) {
	t.Parallel()
	first, second := map[string]bool{}, map[string]bool{}
	for range 300 {
		p := poolOf(t, Options{Servers: []string{"a", "b", "c", "d"}})
		require.Len(t, p.list, 4)
		first[p.list[0].url.Host] = true
		p = poolOf(t, Options{Servers: []string{"a", "b", "c"}, Url: "x"})
		require.Equal(t, "x:4222", p.list[0].url.Host, "Url is always the first")
		second[p.list[1].url.Host] = true
	}
	require.Len(t, first, 4)
	require.Len(t, second, 3)
}

func TestPoolNext(t *testing.T) {
	t.Parallel()
	p := poolOf(t, Options{Servers: []string{"a", "b", "c"}, NoRandomize: true})
	require.Equal(t, "b:4222", p.next(1).url.Host)
	require.Equal(t, "b:4222 c:4222 a:4222", poolNames(p))
	p.current.reconnects = 1
	require.Equal(t, "c:4222", p.next(1).url.Host)
	require.Equal(t, "c:4222 a:4222", poolNames(p))
	p.current.reconnects = 100
	require.Equal(t, "a:4222", p.next(-1).url.Host, "negative: no limit")
	require.Equal(t, "c:4222", p.next(0).url.Host, "zero: not tried again")
	require.Nil(t, p.next(100))
	require.Empty(t, p.list)
	require.Nil(t, p.next(100))
}

func TestPoolDiscovers(t *testing.T) {
	t.Parallel()
	p := poolOf(t, Options{Servers: []string{"nats://joe:S3CRET@a:1", "b:2"}, NoRandomize: true})
	require.True(t, p.discover([]string{"c:3", "d:4", "b:2", "a:1"}))
	require.Equal(t, "a:1 b:2 c:3 d:4", poolNames(p), "new ones at the end, known ones once")
	require.Equal(t, []bool{false, false, true, true}, implicits(p))
	require.Equal(t, "nats://joe:S3CRET@d:4", p.list[3].url.String(), "credentials of the current one")
	require.Nil(t, p.list[1].url.User)

	p.list[2].reconnects, p.list[1].reconnects = 7, 5
	require.False(t, p.discover(nil), "nothing told, nothing changed")
	require.False(t, p.discover([]string{}))
	require.False(t, p.discover([]string{"d:4", "c:3"}))
	require.Equal(t, "a:1 b:2 c:3 d:4", poolNames(p), "explicit ones stay, whatever is told")
	require.Equal(t, 7, p.list[2].reconnects)
	require.Equal(t, 5, p.list[1].reconnects)

	require.False(t, p.discover([]string{"c:3"}))
	require.Equal(t, "a:1 b:2 c:3", poolNames(p), "no longer told of")
	require.False(t, p.discover([]string{"c:3", "d:4"}), "it was seen before")
	require.Equal(t, "a:1 b:2 c:3 d:4", poolNames(p))

	p.current = p.list[2]
	require.True(t, p.discover([]string{"e:5"}))
	require.Equal(t, "a:1 b:2 c:3 e:5", poolNames(p), "the current one stays")
}

func implicits(p *serverPool) (is []bool) {
	for _, s := range p.list {
		is = append(is, s.implicit)
	}
	return is
}

func TestPoolDiscoverShuffles(t *testing.T) {
	t.Parallel()
	seconds := map[string]bool{}
	for range 200 {
		p := poolOf(t, Options{Url: "a:1"})
		require.True(t, p.discover([]string{"b:2", "c:3", "d:4"}))
		require.Equal(t, "a:1", p.list[0].url.Host)
		seconds[p.list[1].url.Host] = true
		before := poolNames(p)
		require.False(t, p.discover([]string{"b:2", "c:3", "d:4"}))
		require.Equal(t, before, poolNames(p), "nothing new, so the order stays")
	}
	require.Len(t, seconds, 3)
}

// What a server tells is not to be trusted.
func TestPoolDiscoversNonsense(t *testing.T) {
	t.Parallel()
	p := poolOf(t, Options{Url: "nats://joe:S3CRET@a:1", NoRandomize: true})
	p.discover([]string{"", ":", "h:0", "h:99999", "[::1", "a b", "%zz", "\x00", "h:x", "x:1"})
	require.Equal(t, "a:1 x:1", poolNames(p))
	p.discover([]string{"evil:pw@y:2", "x:1"})
	for _, s := range p.list {
		require.Equal(t, "joe", s.url.User.Username(), "of %s", s.name())
		require.NotContains(t, s.name(), "@")
	}
}

// An address that is told again and again is one entry and news once, in
// whatever form it is told.
func TestPoolDiscoversOnce(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"b:2", "b", "b:", "[::1]", "u:p@b:2", "b:2/", "b:2/path?x#y"} {
		p := poolOf(t, Options{Url: "a:1"})
		first := p.discover([]string{addr})
		p.current = p.list[len(p.list)-1]
		again := false
		for range 5 {
			again = p.discover([]string{addr}) || again
		}
		assert.Falsef(t, again, "%q is news again", addr)
		if first {
			assert.Lenf(t, p.list, 2, "%q", addr)
		}
	}
}

// Addresses that were seen are forgotten at some point, so that a server that
// makes up new ones costs no memory.
func TestPoolKnownIsBounded(t *testing.T) {
	t.Parallel()
	p := poolOf(t, Options{Url: "a:1"})
	for i := range maxKnown { // as if they had been told of
		p.known[fmt.Sprintf("h%d:1", i)] = true
	}
	for i := range 10 {
		p.discover([]string{fmt.Sprintf("x%d:1", i)})
		require.LessOrEqual(t, len(p.known), maxKnown+2)
	}
	require.Less(t, len(p.known), 20)
	require.Len(t, p.list, 2)
	require.True(t, p.known["a:1"])
}

// Where more is known than is to be kept, taking over an address is no slower: an
// INFO line has room for 100,000 of them.
func TestPoolDiscoversFastWhenFull(t *testing.T) {
	t.Parallel()
	p := poolOf(t, Options{Url: "a:1"})
	for i := range maxKnown {
		host := fmt.Sprintf("h%d:1", i)
		p.known[host] = true
		p.list = append(p.list, &server{url: &url.URL{Scheme: "nats", Host: host}})
	}
	var addrs []string
	for i := range 1000 {
		addrs = append(addrs, fmt.Sprintf("x%d:1", i))
	}
	began := time.Now()
	require.True(t, p.discover(addrs))
	require.Less(t, time.Since(began), patience/4)
}

// FuzzServerURL: no panic; what is accepted can be dialled and named without
// showing credentials, and no error shows them.
func FuzzServerURL(f *testing.F) {
	for _, s := range []string{
		"", "h", "h:1", "nats://u:p@h:1", "tcp://[::1]:7/x?y#z", "u:p://x@h", "foo://tok@h", "nats://a:1,b:2",
		"nats://u:1/p@h", "nats://u:p%zz@h", "nats://u:1?p@h", "nats://@h", "nats://:@h", "nats://a@b@c:1",
		"[fe80::1%25eth0]:1", "nats://h:0", "nats://h:65536", "://", "nats:h", "nats://%68:1", "h\x7f",
	} {
		f.Add(s)
	}
	const secret = "S3CRETS3CRET"
	f.Fuzz(func(t *testing.T, s string) {
		inputs := []string{s}
		if at := strings.LastIndexByte(s, '@'); at >= 0 && !strings.Contains(s, secret) {
			inputs = append(inputs, s[:at]+secret+s[at:]) // the end of a password or token
		}
		for _, in := range inputs {
			u, err := parseServerURL(in)
			if err != nil {
				require.NotContains(t, err.Error(), secret)
				continue
			}
			checkServerURL(t, u)
			if password, _ := u.User.Password(); strings.Contains(password, secret) {
				require.NotContains(t, u.Redacted(), secret)
			}
		}
	})
}

func checkServerURL(t *testing.T, u *url.URL) {
	t.Helper()
	require.True(t, slices.Contains(schemes, u.Scheme), u.Scheme)
	require.NotEmpty(t, u.Hostname())
	require.NotEmpty(t, u.Port())
	s := &server{url: u}
	require.NotContains(t, s.name(), "@")
	named, err := parseServerURL(s.name())
	require.NoError(t, err, "the name is a URL again")
	require.Nil(t, named.User)
	require.Equal(t, u.Host, named.Host)
	if _, ok := u.User.Password(); ok {
		redacted, err := url.Parse(u.Redacted())
		require.NoError(t, err)
		hidden, _ := redacted.User.Password()
		require.Equal(t, "xxxxx", hidden)
	}
}

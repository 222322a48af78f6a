package nats

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeaderMethods(t *testing.T) {
	t.Parallel()
	h := Header{}
	h.Add("key", "1")
	h.Add("Key", "2")
	h.Add("key", "3")
	require.Equal(t, Header{"key": {"1", "3"}, "Key": {"2"}}, h, "keys are used as they are")
	require.Equal(t, "1", h.Get("key"))
	require.Empty(t, h.Get("KEY"))
	require.Equal(t, []string{"1", "3"}, h.Values("key"))
	require.Nil(t, h.Values("KEY"))
	h.Set("key", "4")
	require.Equal(t, []string{"4"}, h.Values("key"))
	h.Del("Key")
	h.Del("KEY")
	require.Equal(t, Header{"key": {"4"}}, h)

	var none Header
	require.Empty(t, none.Get("key"))
	require.Nil(t, none.Values("key"))
	require.NotPanics(t, func() { none.Del("key") })
	require.Empty(t, Header{"key": {}}.Get("key"), "no value is no reason to panic")

	web := http.Header(h)
	web.Add("x-y", "z")
	require.Equal(t, "z", Header(web).Get("X-Y"))
}

func TestHeaderEncode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		h    Header
		want string
	}{
		"nil":              {nil, ""},
		"empty":            {Header{}, ""},
		"one":              {Header{"k": {"v"}}, "k: v\r\n"},
		"order of values":  {Header{"k": {"b", "a", "b"}}, "k: b\r\nk: a\r\nk: b\r\n"},
		"key as it is":     {Header{"aB-c": {"v"}}, "aB-c: v\r\n"},
		"no value":         {Header{"k": {}}, ""},
		"empty value":      {Header{"k": {""}}, "k: \r\n"},
		"trimmed":          {Header{"k": {" \t\r\n v w\t \r\n"}}, "k: v w\r\n"},
		"only white space": {Header{"k": {" \t\r\n"}}, "k: \r\n"},
		"line breaks":      {Header{"k": {"a\rb\nc\r\nd"}}, "k: a b c  d\r\n"},
		"injection":        {Header{"k": {"v\r\nevil: 1\r\n\r\nPUB x 0"}}, "k: v  evil: 1    PUB x 0\r\n"},
		"other bytes":      {Header{"k": {"\x00\x7f:é\xff"}}, "k: \x00\x7f:é\xff\r\n"},
	} {
		b, err := c.h.appendTo(nil)
		require.NoError(t, err, name)
		if len(c.h) == 0 {
			require.Nil(t, b, name)
			continue
		}
		require.Equal(t, "NATS/1.0\r\n"+c.want+"\r\n", string(b), name)
	}
	b, err := Header{"a": {"1"}, "b": {"2", "3"}}.appendTo(nil)
	require.NoError(t, err)
	require.Contains(t, []string{
		"NATS/1.0\r\na: 1\r\nb: 2\r\nb: 3\r\n\r\n", "NATS/1.0\r\nb: 2\r\nb: 3\r\na: 1\r\n\r\n",
	}, string(b))
}

func TestHeaderKeys(t *testing.T) {
	t.Parallel()
	const no = `"(),/:;<=>?@[\]{}`
	for c := range 256 {
		good := c >= 33 && c <= 126 && !strings.ContainsRune(no, rune(c))
		for _, key := range []string{string([]byte{byte(c)}), string([]byte{'a', byte(c), 'b'})} {
			_, err := Header{key: {"v"}}.appendTo(nil)
			if good {
				require.NoError(t, err, "%q", key)
			} else {
				require.Equal(t, ErrBadHeaderMsg, err, "%q", key)
			}
		}
	}
	_, err := Header{"": {"v"}}.appendTo(nil)
	require.Equal(t, ErrBadHeaderMsg, err)
}

// As it goes out: a header makes an HPUB, none or an empty one a PUB, a bad one
// nothing.
func TestHeaderOnWire(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	for _, h := range []Header{{"k": {"v", "w"}}, nil, {}, {"bad key": {"v"}}, {"": {"v"}}} {
		err := nc.PublishMsg(&Msg{Subject: "foo", Reply: "re", Header: h, Data: []byte("data")})
		if len(h) == 0 || h["k"] != nil {
			require.NoError(t, err)
		} else {
			require.Equal(t, ErrBadHeaderMsg, err)
		}
	}
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, []string{"NATS/1.0\r\nk: v\r\nk: w\r\n\r\ndata", "data", "data"}, p.publishes())
	require.Equal(t, []string{"HPUB foo re 24 28", "PUB foo re 4", "PUB foo re 4"}, p.lines()[:3])
	st := nc.Stats()
	require.EqualValues(t, 3, st.OutMsgs)
	require.EqualValues(t, 24+3*4, st.OutBytes)
}

func TestHeaderDecode(t *testing.T) {
	t.Parallel()
	status := func(code, text string) Header {
		h := Header{"Status": {code}}
		if text != "" {
			h["Description"] = []string{text}
		}
		return h
	}
	for block, want := range map[string]any{
		"NATS/1.0\r\n\r\n":                                              Header{},
		"NATS/1.0\r\nk: v\r\n\r\n":                                      Header{"k": {"v"}},
		"NATS/1.0\r\nk:v\r\nK: w\r\nk: x\r\n\r\n":                       Header{"k": {"v", "x"}, "K": {"w"}},
		"NATS/1.0\r\nk: \t v w \t\r\n\r\n":                              Header{"k": {"v w \t"}},
		"NATS/1.0\r\nk:\r\n\r\n":                                        Header{"k": {""}},
		"NATS/1.0\r\nk: a:b\r\n\r\n":                                    Header{"k": {"a:b"}},
		"NATS/1.0\r\n k : v\r\n\r\n":                                    Header{" k ": {"v"}},
		"NATS/1.0\r\n: v\r\nk: v\r\n\r\n":                               Header{"k": {"v"}},
		"NATS/1.0\nk: v\n\n":                                            Header{"k": {"v"}},
		"NATS/1.0\nk: v\r\n\n":                                          Header{"k": {"v"}},
		"NATS/1.0\r\nk: v\r\n\r\nmore: x\r\n":                           Header{"k": {"v"}},
		"NATS/1.0\r\nk: v\r\n w: x\r\n\r\n":                             Header{"k": {"v"}, " w": {"x"}},
		"NATS/1.0\r\nk: \x00é\xff\r\n\r\n":                              Header{"k": {"\x00é\xff"}},
		"NATS/1.0 503\r\n\r\n":                                          status("503", ""),
		"NATS/1.0503\r\n\r\n":                                           status("503", ""),
		"NATS/1.0  404   No Messages  \r\n\r\n":                         status("404", "No Messages"),
		"NATS/1.0 100Idle\r\n\r\n":                                      status("100", "Idle"),
		"NATS/1.0\t\r\n\r\n":                                            Header{},
		"NATS/1.0 5\r\n\r\n":                                            status("5", ""),
		"NATS/1.0 50\r\n\r\n":                                           status("50", ""),
		"NATS/1.0 200 x\r\nStatus: 1\r\nk: v\r\nDescription: y\r\n\r\n": Header{"Status": {"1", "200"}, "Description": {"y", "x"}, "k": {"v"}},
		"":                                  ErrBadHeaderMsg,
		"\r\n\r\n":                          ErrBadHeaderMsg,
		"NATS/1.":                           ErrBadHeaderMsg,
		"nats/1.0\r\n\r\n":                  ErrBadHeaderMsg,
		" NATS/1.0\r\n\r\n":                 ErrBadHeaderMsg,
		"HTTP/1.1\r\nk: v\r\n\r\n":          ErrBadHeaderMsg,
		"NATS/1.0\r\nk\r\n\r\n":             ErrBadHeaderMsg,
		"NATS/1.0\r\nk: v\r\nw\r\n\r\n":     ErrBadHeaderMsg,
		"NATS/1.0\r\nk: v\r\n fold\r\n\r\n": ErrBadHeaderMsg,
		"NATS/1.0":                          io.EOF,
		"NATS/1.0\r\n":                      io.EOF,
		"NATS/1.0\r\n\r":                    io.EOF,
		"NATS/1.0\r\nk: v":                  io.EOF,
		"NATS/1.0\r\nk: v\r\n":              io.EOF,
		"NATS/1.0 503\r\n":                  io.EOF,
	} {
		h, err := DecodeHeadersMsg([]byte(block))
		if wantErr, bad := want.(error); bad {
			require.Equal(t, wantErr, err, "%q", block)
			require.Nil(t, h, "%q", block)
			continue
		}
		require.NoError(t, err, "%q", block)
		require.Equal(t, want, h, "%q", block)
	}
}

// What is decoded is a copy: the block may be used again.
func TestHeaderDecodeCopies(t *testing.T) {
	t.Parallel()
	block := []byte("NATS/1.0 503 text\r\nkey: value\r\n\r\n")
	h, err := DecodeHeadersMsg(block)
	require.NoError(t, err)
	for i := range block {
		block[i] = '#'
	}
	require.Equal(t, Header{"key": {"value"}, "Status": {"503"}, "Description": {"text"}}, h)
}

// asEncoded is what a header looks like after it was sent: values trimmed, line
// breaks in them replaced, keys without values gone.
func asEncoded(h Header) Header {
	out := Header{}
	breaks := strings.NewReplacer("\r", " ", "\n", " ")
	for k, vs := range h {
		for _, v := range vs {
			out.Add(k, breaks.Replace(strings.Trim(v, " \t\r\n")))
		}
	}
	return out
}

// checkRoundTrip encodes a header and decodes it again; false if it has a key
// that cannot be sent.
func checkRoundTrip(t *testing.T, h Header) bool {
	b, err := h.appendTo(nil)
	if err != nil {
		require.Equal(t, ErrBadHeaderMsg, err)
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Keys(h)), func(k string) bool {
			return k == "" || strings.ContainsFunc(k, func(r rune) bool {
				return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
			})
		}), "%q", h)
		return false
	}
	if len(h) == 0 {
		require.Empty(t, b)
		return true
	}
	back, err := DecodeHeadersMsg(b)
	require.NoError(t, err)
	require.Equal(t, asEncoded(h), back)
	return true
}

func FuzzHeader(f *testing.F) {
	for _, seed := range []struct{ block, key, value, second string }{
		{"", "", "", ""},
		{"NATS/1.0\r\n\r\n", "k", "v", "w"},
		{"NATS/1.0\r\nk: v\r\nk: w\r\nK:x\r\n\r\n", "Key-1", " v ", "\tw\t"},
		{"NATS/1.0 503\r\n\r\n", "Status", "503", ""},
		{"NATS/1.0  404   No Messages\r\nStatus: 1\r\n\r\n", "Description", "a\r\nb", "\r\n"},
		{"NATS/1.0 5\r\n\r\n", "a b", "v", "w"},
		{"NATS/1.0\nk: v\n\n", "k", "\r\n\r\nPUB x 0", "NATS/1.0"},
		{"NATS/1.0\r\nk : v\r\n: v\r\n\r\nrest", "k:", "\x00\xff", "é"},
		{"NATS/1.0\r\nk: v\r\nnocolon\r\n\r\n", "\x7f", "\u00a0v\u2028", "\v\f"},
		{"NATS/1.0\r\nk: v", "é", ": :", ":"},
		{"NATS/1.0 日本語\r\n\r\n", "~!#$%&'*+-.^_`|", "v", "v"},
		{"NATS/1.0\r\r\nk:\r\r\n\r\n", "k", "\r", "a\rb"},
	} {
		f.Add([]byte(seed.block), seed.key, seed.value, seed.second)
	}
	f.Fuzz(func(t *testing.T, block []byte, key, value, second string) {
		checkRoundTrip(t, Header{key: {value, second}, "other": {second}})
		before := string(block)
		h, err := DecodeHeadersMsg(block)
		require.Equal(t, before, string(block), "the block is only read")
		if err != nil {
			require.True(t, err == ErrBadHeaderMsg || errors.Is(err, io.EOF), "%v", err)
			require.Nil(t, h)
			return
		}
		require.True(t, strings.HasPrefix(before, "NATS/1.0"))
		checkRoundTrip(t, h)
	})
}

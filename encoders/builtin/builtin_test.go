package builtin

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDefaultEncoder(t *testing.T) {
	t.Parallel()
	var enc DefaultEncoder
	for text, v := range map[string]any{
		"text": "text", "bytes": []byte("bytes"), "true": true, "false": false, "": nil, "-7": -7, "1.5": 1.5,
		"{A:1}": struct{ A int }{1}, "[1 2]": []int{1, 2},
	} {
		b, err := enc.Encode("foo", v)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
	}
	var s string
	var b []byte
	var i int
	var i32 int32
	var i64 int64
	var f32 float32
	var f64 float64
	var ok bool
	for _, c := range []struct {
		text      string
		ptr, want any
	}{
		{"x", &s, "x"}, {"x", &b, []byte("x")}, {"-12", &i, -12}, {"-12", &i32, int32(-12)},
		{"9223372036854775807", &i64, int64(math.MaxInt64)}, {"1.5", &f32, float32(1.5)}, {"1e300", &f64, 1e300},
		{"true", &ok, true},
	} {
		require.NoError(t, enc.Decode("foo", []byte(c.text), c.ptr))
	}
	require.Equal(t, []any{"x", []byte("x"), -12, int32(-12), int64(math.MaxInt64), float32(1.5), 1e300, true},
		[]any{s, b, i, i32, i64, f32, f64, ok})
	for text, ptr := range map[string]any{
		"x": &i, "99999999999": &i32, "1.5": &i64, "": &f32, "y": &f64, "maybe": &ok,
	} {
		require.Error(t, enc.Decode("foo", []byte(text), ptr), text)
	}
	require.Equal(t, int32(-12), i32, "an error changes nothing")
	require.EqualError(t, enc.Decode("foo", nil, &struct{}{}), "nats: Default Encoder can't decode to type struct {}")
	require.Error(t, enc.Decode("foo", nil, nil))
	require.Error(t, enc.Decode("foo", nil, 7))
}

func TestJsonEncoder(t *testing.T) {
	t.Parallel()
	var enc JsonEncoder
	b, err := enc.Encode("foo", map[string]int{"a": 1})
	require.NoError(t, err)
	require.JSONEq(t, `{"a":1}`, string(b))
	_, err = enc.Encode("foo", func() {})
	require.Error(t, err)
	for text, want := range map[string]string{
		`"quoted"`: "quoted", `plain`: "plain", `"a\nb"`: `a\nb`, `"`: `"`, `""`: "", `""x""`: `"x"`, `"open`: `"open`,
	} {
		var s string
		require.NoError(t, enc.Decode("foo", []byte(text), &s))
		require.Equal(t, want, s)
	}
	var raw []byte
	require.NoError(t, enc.Decode("foo", []byte(`{"a":1}`), &raw))
	require.Equal(t, `{"a":1}`, string(raw))
	var m map[string]int
	require.NoError(t, enc.Decode("foo", []byte(`{"a":1}`), &m))
	require.Equal(t, map[string]int{"a": 1}, m)
	require.Error(t, enc.Decode("foo", []byte(`{`), &m))
}

func TestGobEncoder(t *testing.T) {
	t.Parallel()
	type pair struct{ A, B int }
	var enc GobEncoder
	for range 2 { // each message stands for itself
		b, err := enc.Encode("foo", pair{1, 2})
		require.NoError(t, err)
		var p pair
		require.NoError(t, enc.Decode("foo", b, &p))
		require.Equal(t, pair{1, 2}, p)
	}
	_, err := enc.Encode("foo", func() {})
	require.Error(t, err)
	require.Error(t, enc.Decode("foo", []byte("no gob"), &pair{}))
}

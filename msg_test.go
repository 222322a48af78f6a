package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewMsg(t *testing.T) {
	t.Parallel()
	m := NewMsg("foo")
	require.Equal(t, &Msg{Subject: "foo", Header: Header{}}, m)
	m.Header.Set("a", "b") // the header can be filled
}

func TestMsgSize(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m    *Msg
		want int
	}{
		"empty":         {&Msg{}, 0},
		"empty header":  {NewMsg("foo"), 3},
		"no header":     {&Msg{Subject: "foo", Reply: "re", Data: []byte("data")}, 9},
		"header":        {&Msg{Subject: "foo", Header: Header{"k": {"v"}}, Data: []byte("data")}, 3 + len("NATS/1.0\r\nk: v\r\n\r\n") + 4},
		"two values":    {&Msg{Header: Header{"k": {"v", " wx "}}}, len("NATS/1.0\r\nk: v\r\nk: wx\r\n\r\n")},
		"invalid":       {&Msg{Subject: "foo", Header: Header{"a b": {"v"}}, Data: []byte("data")}, 7},
		"key, no value": {&Msg{Header: Header{"k": nil}}, len("NATS/1.0\r\n\r\n")},
	} {
		require.Equal(t, c.want, c.m.Size(), name)
	}
}

// A received message counts its header block as it came.
func TestMsgSizeReceived(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	for hdr, status := range map[string]string{
		"NATS/1.0\r\nk:v\r\n\r\n":             "",
		"NATS/1.0\r\nk:      v\r\n\r\n":       "",
		"NATS/1.0 100 Idle Heartbeat\r\n\r\n": "100",
	} {
		require.True(t, p.say("HMSG foo 1 re %d %d\r\n%sdata\r\n", len(hdr), len(hdr)+4, hdr))
		m, err := r.sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, 3+2+len(hdr)+4, m.Size())
		require.Equal(t, status, m.Header.Get("Status"))
	}
}

func TestMsgEqual(t *testing.T) {
	t.Parallel()
	base := func() *Msg {
		return &Msg{Subject: "s", Reply: "r", Data: []byte("d"), Header: Header{"a": {"1", "2"}, "b": {}}}
	}
	change := func(f func(*Msg)) *Msg {
		m := base()
		f(m)
		return m
	}
	for name, c := range map[string]struct {
		m, other *Msg
		want     bool
	}{
		"nil and nil":          {nil, nil, true},
		"nil":                  {base(), nil, false},
		"same values":          {base(), base(), true},
		"sub is ignored":       {base(), change(func(m *Msg) { m.Sub = &Subscription{} }), true},
		"subject":              {base(), change(func(m *Msg) { m.Subject = "S" }), false},
		"reply":                {base(), change(func(m *Msg) { m.Reply = "" }), false},
		"data":                 {base(), change(func(m *Msg) { m.Data = []byte("D") }), false},
		"nil and empty data":   {&Msg{}, &Msg{Data: []byte{}}, true},
		"nil and empty header": {&Msg{}, &Msg{Header: Header{}}, true},
		"header value":         {base(), change(func(m *Msg) { m.Header["a"][1] = "3" }), false},
		"order of values":      {base(), change(func(m *Msg) { m.Header["a"] = []string{"2", "1"} }), false},
		"missing value":        {base(), change(func(m *Msg) { m.Header["a"] = []string{"1"} }), false},
		"missing key":          {base(), change(func(m *Msg) { m.Header.Del("b") }), false},
		"other key":            {base(), change(func(m *Msg) { m.Header.Del("b"); m.Header["B"] = []string{} }), false},
		"more keys":            {base(), change(func(m *Msg) { m.Header["c"] = nil }), false},
	} {
		require.Equal(t, c.want, c.m.Equal(c.other), name)
		require.Equal(t, c.want, c.other.Equal(c.m), "%s, the other way", name)
	}
	m := base()
	require.True(t, m.Equal(m))
}

func TestRespondErrors(t *testing.T) {
	t.Parallel()
	_, _, nc := connectPeer(t)
	sub := newSubRig(t, nc, SyncSubscription, "foo", "").sub
	for name, c := range map[string]struct {
		m    *Msg
		want error
	}{
		"nil":             {nil, ErrMsgNotBound},
		"not received":    {&Msg{Reply: "re"}, ErrMsgNotBound},
		"nobody's sub":    {&Msg{Sub: &Subscription{}}, ErrMsgNotBound},
		"no reply":        {&Msg{Sub: sub}, ErrMsgNoReply},
		"bad reply":       {&Msg{Sub: sub, Reply: "a b"}, ErrBadSubject},
		"all as it ought": {&Msg{Sub: sub, Reply: "re"}, nil},
	} {
		require.Equal(t, c.want, c.m.Respond(nil), name)
		require.Equal(t, c.want, c.m.RespondMsg(NewMsg("x")), name)
	}
	m := &Msg{Sub: sub, Reply: "re"}
	require.Equal(t, ErrMsgNotBound, (&Msg{}).RespondMsg(nil))
	require.Equal(t, ErrMsgNoReply, (&Msg{Sub: sub}).RespondMsg(nil))
	require.Equal(t, ErrInvalidMsg, m.RespondMsg(nil))
	require.Equal(t, ErrBadHeaderMsg, m.RespondMsg(&Msg{Header: Header{"": {"x"}}}))
	nc.Close()
	require.Equal(t, ErrConnectionClosed, m.Respond(nil))
	require.Equal(t, ErrConnectionClosed, m.RespondMsg(NewMsg("x")))
}

// Respond needs the connection, not the subscription.
func TestRespondAfterSubscriptionEnded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		max int // 0: unsubscribe
	}{"unsubscribed": {0}, "had its max": {1}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, nc := connectPeer(t)
			r := newSubRig(t, nc, SyncSubscription, "foo", "")
			if c.max > 0 {
				require.NoError(t, r.sub.AutoUnsubscribe(c.max))
			}
			require.True(t, p.say("MSG foo 1 re.ply 0\r\n\r\n"))
			m, err := r.sub.NextMsg(patience)
			require.NoError(t, err)
			if c.max == 0 {
				require.NoError(t, r.sub.Unsubscribe())
			}
			require.False(t, r.sub.IsValid())
			require.NoError(t, m.Respond([]byte("one")))
			answer := &Msg{Subject: "gets.replaced", Reply: "and.you", Data: []byte("two")}
			require.NoError(t, m.RespondMsg(answer))
			require.Equal(t, "re.ply", answer.Subject)
			require.NoError(t, nc.FlushTimeout(patience))
			require.Subset(t, p.lines(), []string{"PUB re.ply 3", "PUB re.ply and.you 3"})
			require.Equal(t, []string{"one", "two"}, p.publishes())
		})
	}
}

// Headers come out as they went in, over several hops, and a received message
// may be changed and sent on.
func TestMsgSentOn(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	hops := make([]*subRig, 4)
	for i := range hops {
		hops[i] = newSubRig(t, nc, SyncSubscription, "hop."+string(rune('0'+i)), "")
	}
	want := Header{"Case": {"1"}, "case": {"2"}, "many": {"b", "a", "b"}, "empty": {""}, "bytes": {"\x00é\xff:"}}
	require.NoError(t, nc.PublishMsg(&Msg{Subject: "hop.0", Header: want, Data: []byte("data")}))
	for i, r := range hops {
		m, err := r.sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, want, m.Header)
		require.Equal(t, "data", string(m.Data))
		m.Header.Add("hop", m.Subject)
		want.Add("hop", m.Subject)
		if i+1 < len(hops) {
			m.Subject = hops[i+1].sub.Subject
			require.NoError(t, nc.PublishMsg(m))
		}
	}
}

package nats

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The order of the checks is part of the contract: the first one that fails
// gives the error.
func TestPublishChecks(t *testing.T) {
	t.Parallel()
	old := scripted(t, func(p *peerConn) {
		if p.say(`INFO {"server_id":"old","max_payload":10}` + "\r\n") {
			p.line()
			p.serve(nil)
		}
	})
	nc := connectTo(t, old.url())
	closed := connectTo(t, old.url())
	closed.Close()
	var none *Conn
	bad := Header{"a b": {"v"}}
	good := Header{"a": {"v"}}
	long := []byte("01234567890")
	for _, tc := range []struct {
		name string
		err  error
		want error
	}{
		{"nil message on nil connection", none.PublishMsg(nil), ErrInvalidMsg},
		{"bad header on nil connection", none.PublishMsg(&Msg{Header: bad}), ErrBadHeaderMsg},
		{"nil connection", none.Publish("", nil), ErrInvalidConnection},
		{"nil connection, request", none.PublishRequest("", "", nil), ErrInvalidConnection},
		{"empty subject", nc.Publish("", long), ErrBadSubject},
		{"space", nc.Publish("a b", nil), ErrBadSubject},
		{"tab", nc.Publish("a\tb", nil), ErrBadSubject},
		{"CR", nc.Publish("a\rb", nil), ErrBadSubject},
		{"LF", nc.Publish("a\nb", nil), ErrBadSubject},
		{"closed, bad subject", closed.Publish("a b", nil), ErrBadSubject},
		{"reply", nc.PublishRequest("a", "b c", nil), ErrBadSubject},
		{"empty reply", nc.PublishRequest("a", "", nil), ErrBadSubject},
		{"reply in a message", nc.PublishMsg(&Msg{Subject: "a", Reply: "b c"}), ErrBadSubject},
		{"no headers here", nc.PublishMsg(&Msg{Subject: "a", Header: good, Data: long}), ErrHeadersNotSupported},
		{"closed before size", closed.Publish("a", long), ErrConnectionClosed},
		{"closed", closed.Publish("a", nil), ErrConnectionClosed},
		{"size", nc.Publish("a", long), ErrMaxPayload},
		{"wildcard", nc.Publish("a.*.>", nil), nil},
		{"empty token", nc.Publish("a..b", nil), nil},
		{"empty header", nc.PublishMsg(&Msg{Subject: "a", Header: Header{}}), nil},
		{"largest", nc.Publish("a", long[:10]), nil},
	} {
		require.ErrorIs(t, tc.err, tc.want, tc.name)
	}
	st := nc.Stats()
	require.EqualValues(t, 4, st.OutMsgs, "what is refused is not counted")
	require.EqualValues(t, 10, st.OutBytes)
}

func TestSkipSubjectValidation(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, SkipSubjectValidation())
	require.ErrorIs(t, nc.Publish("", nil), ErrBadSubject)
	require.NoError(t, nc.PublishRequest("a", "", nil), "replies are not looked at")
	require.NoError(t, nc.Flush())
}

// What goes on the wire, byte by byte, also where a frame goes over chunks.
func TestPublishOnTheWire(t *testing.T) {
	t.Parallel()
	var log frameLog
	s := scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.serve(log.add)
		}
	})
	nc := connectTo(t, s.url())
	big := strings.Repeat("0123456789", 50_000)
	data := []byte("reused")
	require.NoError(t, nc.Publish("a", data))
	copy(data, "xxxxxx")
	require.NoError(t, nc.Publish("a", nil))
	require.NoError(t, nc.PublishRequest("a", "r", []byte("1")))
	require.NoError(t, nc.PublishMsg(&Msg{Subject: "a", Header: Header{"k": {"v"}}, Data: []byte(big)}))
	require.NoError(t, nc.Publish(strings.Repeat("s", 3000), []byte(big[:1000])))
	require.NoError(t, nc.FlushTimeout(patience))
	hdr := "NATS/1.0\r\nk: v\r\n\r\n"
	require.Equal(t, []string{
		"PUB a 6", "PUB a 0", "PUB a r 1", "HPUB a 18 500018",
		"PUB " + strings.Repeat("s", 3000) + " 1000", "PING",
	}, log.lines())
	require.Equal(t, []string{"reused", "", "1", hdr + big, big[:1000]}, log.publishes())
}

func TestPublishConnectedAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("allocations are not those of a program under the race detector")
	}
	_, nc := connect(t)
	data := make([]byte, 128)
	require.NoError(t, nc.Publish("some.subject", data))
	perRun := testing.AllocsPerRun(2000, func() { _ = nc.Publish("some.subject", data) })
	require.Less(t, perRun, 0.5, "a publish allocates")
}

func BenchmarkPublish(b *testing.B) {
	for _, size := range []int{16, 128, 1024} {
		b.Run(strconv.Itoa(size), func(b *testing.B) {
			_, nc := connect(b)
			data := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if err := nc.Publish("foo", data); err != nil {
					b.Fatal(err)
				}
			}
			if err := nc.Flush(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkPublishDisconnected is what a publish into the reconnect buffer costs.
func BenchmarkPublishDisconnected(b *testing.B) {
	box := newOutbox(boxLimits{bytes: 1 << 40}, &Statistics{})
	data := make([]byte, 128)
	b.ReportAllocs()
	for b.Loop() {
		_ = box.publish("some.subject", "", nil, data, nil)
		if box.bytes > 8<<20 {
			box.abandon(ErrConnectionClosed, false)
		}
	}
}

// BenchmarkPublishModes is what the modes cost, side by side, against a server in
// the same process.
func BenchmarkPublishModes(b *testing.B) {
	for _, mode := range []struct {
		name string
		opts []Option
	}{
		{"default", nil},
		{"AtLeastOnce", []Option{AtLeastOnce()}},
		{"MsgIDHeader", []Option{MsgIDHeader()}},
		{"both", []Option{AtLeastOnce(), MsgIDHeader()}},
	} {
		b.Run(mode.name, func(b *testing.B) {
			_, nc := connect(b, mode.opts...)
			data := make([]byte, 128)
			b.ReportAllocs()
			for b.Loop() {
				if err := nc.Publish("foo", data); err != nil {
					b.Fatal(err)
				}
			}
			if err := nc.Flush(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultplan"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// JetStream by plain requests: there is no API for it in this package yet.

// jetStream makes a request to the server's API and decodes the answer.
func jetStream(t *testing.T, nc *Conn, subject string, body, into any) {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	m, err := nc.Request("$JS.API."+subject, data, patience)
	require.NoError(t, err, subject)
	var failed struct {
		Error any `json:"error"`
	}
	require.NoError(t, json.Unmarshal(m.Data, &failed))
	require.Nil(t, failed.Error, subject)
	if into != nil {
		require.NoError(t, json.Unmarshal(m.Data, into))
	}
}

// createStream makes a stream S of all chaos subjects, with a duplicate window that
// no run outlasts.
func createStream(t *testing.T, nc *Conn) { createStreamFor(t, nc, *chaosFor+10*patience) }

func createStreamFor(t *testing.T, nc *Conn, window time.Duration) {
	t.Helper()
	jetStream(t, nc, "STREAM.CREATE.S", map[string]any{"name": "S", "subjects": []string{"chaos.*"},
		"storage": "file", "duplicate_window": window}, nil)
}

// streamCount is how many messages the stream holds.
func streamCount(t *testing.T, nc *Conn) int {
	var info struct {
		State struct{ Messages int } `json:"state"`
	}
	jetStream(t, nc, "STREAM.INFO.S", struct{}{}, &info)
	return info.State.Messages
}

// readStream returns the numbers of the messages in the stream, in its order, and
// wants every id only once.
func readStream(t *testing.T, nc *Conn) (numbers []int) {
	inbox := NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	jetStream(t, nc, "CONSUMER.CREATE.S", map[string]any{"stream_name": "S", "config": map[string]any{
		"deliver_subject": inbox, "ack_policy": "none", "deliver_policy": "all", "mem_storage": true}}, nil)
	ids := make(map[string]bool)
	for range streamCount(t, nc) {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		_, n, ok := chaosNumber(m.Data)
		require.True(t, ok, "not as it was published")
		id := m.Header.Get(MsgIdHdr)
		require.NotEmpty(t, id)
		require.False(t, ids[id], "%s twice", id)
		ids[id] = true
		numbers = append(numbers, n)
	}
	return numbers
}

// With MsgIDHeader a stream holds each message exactly once and in order, whatever
// AtLeastOnce had to repeat.
func TestStreamHoldsEachMessageOnce(t *testing.T) { // alone: it needs the whole machine
	for _, kind := range []string{"reset", "blackhole", "mixed"} {
		t.Run(kind, func(t *testing.T) {
			s := testserver.Run(t, testserver.JetStream(), func(o *natsd.Options) {
				o.StreamMaxBufferedMsgs, o.StreamMaxBufferedSize = 1<<22, 1<<30 // else a stream that is behind throws away
			})
			proxy := faultproxy.Run(t, s.Addr())
			direct := connectTo(t, s.URL())
			createStream(t, direct)
			nc := connectTo(t, proxy.URL(), append(fast(), quiet(), AtLeastOnce(), MsgIDHeader(), ReconnectBufOverflow(OverflowBlock))...)
			nc.setHandler(func(o *Options) { o.Timeout = chaosStall }) // of handshakes in a black hole
			pub := chaosPublisher{nc: nc, refused: make(map[error]int)}
			ctx, cancel := context.WithTimeout(t.Context(), *chaosFor)
			defer cancel()
			var work sync.WaitGroup
			rate := min(*chaosRate, 20_000)
			if raceEnabled {
				rate = min(rate, 5000)
			}
			work.Go(func() { pub.run(ctx, rate) }) // ends with ctx
			faults := faultplan.Run(ctx, kind, rand.New(rand.NewPCG(*chaosSeed, 0)), proxy)
			work.Wait()
			require.NoError(t, nc.FlushTimeout(patience))
			accepted := pub.accepted.count()
			require.Empty(t, pub.refused)
			soon(t, func() bool { return streamCount(t, direct) >= accepted }, "not everything is in the stream")
			for i, n := range readStream(t, direct) {
				require.Equal(t, i, n, "in the stream")
			}
			require.Equal(t, accepted, streamCount(t, direct))
			t.Logf("faults %v: accepted %d, repeated %d", faults, accepted, nc.BufferStats().Repeated)
		})
	}
}

// A server with a stream dies by SIGKILL. What it had confirmed and not written goes
// with it; everything else is in the stream, once and in order.
func TestStreamOfAServerThatIsKilled(t *testing.T) { // alone: it needs the whole machine
	s := testserver.RunProcess(t, "jetstream: enabled")
	direct := connectTo(t, s.URL(), append(fast(), quiet())...)
	createStream(t, direct)
	dialer := &deathDialer{open: true}
	nc := connectTo(t, s.URL(), append(fast(), quiet(), AtLeastOnce(), MsgIDHeader(), ReconnectBufOverflow(OverflowBlock), SetCustomDialer(dialer))...)
	r := &deathRig{t: t, nc: nc, dialer: dialer, pub: chaosPublisher{nc: nc, refused: make(map[error]int)}}
	r.start(5000)
	r.load()
	s.Kill()
	soon(t, r.lost, "the loss was not noticed")
	require.NoError(t, s.Start())
	r.load()
	r.stop()
	require.NoError(t, nc.FlushTimeout(patience))
	confirmed, accepted := r.deaths[0].confirmed, r.pub.accepted.count()
	soon(t, direct.IsConnected, "not back")
	soon(t, func() bool { return streamCount(t, direct) >= accepted-confirmed }, "not everything is in the stream")
	var have chaosSet
	last := -1
	read := func() []int { return readStream(t, direct) }
	var numbers []int
	soon(t, func() bool { numbers = read(); return len(numbers) > 0 && numbers[len(numbers)-1] == accepted-1 }, "the last is missing")
	for _, n := range numbers {
		require.Greater(t, n, last, "in the stream")
		last = n
		have.add(n)
	}
	missing := r.pub.accepted.without(have)
	require.Equal(t, missing.count(), missing.below(confirmed), "missing, and not confirmed by the server that died")
	t.Logf("accepted %d, confirmed before the death %d, missing %d", accepted, confirmed, missing.count())
}

// What comes again behind the end of the duplicate window is stored again.
func TestStreamForgetsIDsBehindItsWindow(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t, testserver.JetStream())
	proxy := faultproxy.Run(t, s.Addr())
	direct := connectTo(t, s.URL())
	createStreamFor(t, direct, 100*time.Millisecond) // the shortest that there is
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), AtLeastOnce(), MsgIDHeader())...)
	proxy.Live().StopForwarding(faultproxy.Down, faultproxy.Drop)
	require.NoError(t, nc.Publish("chaos.0", chaosPayload(nil, 0, 0)))
	soon(t, func() bool { return streamCount(t, direct) == 1 }, "not stored")
	// The stream has forgotten the id once another message with it is stored.
	id := &Msg{Subject: "chaos.0", Header: Header{MsgIdHdr: {"probe"}}}
	require.NoError(t, direct.PublishMsg(id))
	soon(t, func() bool {
		require.NoError(t, direct.PublishMsg(id))
		return streamCount(t, direct) >= 3
	}, "ids are kept for ever")
	before := streamCount(t, direct)
	proxy.Live().Cut(faultproxy.RST)
	require.NoError(t, nc.FlushTimeout(patience))
	soon(t, func() bool { return streamCount(t, direct) > before }, "not stored again")
}

// A stream that may have next to nothing waiting throws away what it cannot keep up
// with, though the server has confirmed it.
func TestStreamThatIsBehindThrowsAway(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t, testserver.JetStream(), func(o *natsd.Options) { o.StreamMaxBufferedMsgs = 2 })
	createStream(t, connectTo(t, s.URL()))
	nc := connectTo(t, s.URL(), AtLeastOnce(), MsgIDHeader())
	const messages = 20_000
	for n := range messages {
		require.NoError(t, nc.Publish("chaos.0", chaosPayload(nil, 0, n)))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	require.EqualValues(t, messages, nc.BufferStats().Confirmed)
	soon(t, func() bool { // its answer comes behind all that it keeps
		m, err := nc.Request("chaos.0", []byte("the last"), patience)
		return err == nil && !strings.Contains(string(m.Data), "error")
	}, "it takes nothing any more")
	require.Less(t, streamCount(t, nc), messages)
}

// A message has its own id over all repeats, and no other message of any connection
// has it; one that the program has given stays.
func TestMsgIDs(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	sub := subscribedTo(t, s)
	seen := make(map[string]bool)
	for range 2 {
		nc := connectTo(t, s.URL(), MsgIDHeader())
		for range 3 {
			require.NoError(t, nc.Publish("foo", nil))
			require.NoError(t, nc.PublishMsg(&Msg{Subject: "foo", Header: Header{"k": {"v"}}}))
		}
		require.NoError(t, nc.PublishMsg(&Msg{Subject: "foo", Header: Header{MsgIdHdr: {"own"}, "k": {"v"}}}))
		require.NoError(t, nc.Flush())
		for i := range 7 {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err)
			require.Len(t, m.Header[MsgIdHdr], 1)
			if id := m.Header.Get(MsgIdHdr); i < 6 {
				require.False(t, seen[id], "%s twice", id)
				seen[id] = true
			} else {
				require.Equal(t, "own", id)
			}
			require.Equal(t, map[bool]string{true: "v"}[i%2 == 1 || i == 6], m.Header.Get("k"), fmt.Sprint("message ", i))
		}
	}
}

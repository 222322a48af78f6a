package nats

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each subscription gets its messages in the server's order, a handler one at a
// time, however they are mixed with those of others.
func TestDeliveryOrder(t *testing.T) {
	t.Parallel()
	const msgs = 500
	_, nc := connect(t, unhurried())
	var inside atomic.Int32
	handled := make(chan *Msg, msgs)
	serial, err := nc.Subscribe("foo", func(m *Msg) {
		assert.EqualValues(t, 1, inside.Add(1), "calls at once")
		handled <- m
		inside.Add(-1)
	})
	require.NoError(t, err)
	rigs := []*subRig{{sub: serial, ch: handled}}
	for _, kind := range subKinds {
		rigs = append(rigs, newSubRig(t, nc, kind, "foo", ""), newSubRig(t, nc, kind, ">", "q"+strconv.Itoa(int(kind))))
	}
	for i := range msgs {
		require.NoError(t, nc.Publish("foo", []byte(strconv.Itoa(i))))
	}
	for _, r := range rigs {
		r.wants(t, 0, msgs)
	}
}

func TestBlockedHandlerHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	hold := newGate(t)
	entered := make(chan struct{}, 1000)
	_, err := nc.Subscribe("foo", func(*Msg) { entered <- struct{}{}; hold.wait() })
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", nil))
	got(t, entered, "call of the handler")
	for _, kind := range subKinds {
		r := newSubRig(t, nc, kind, "foo", "")
		publishNumbers(t, nc, "foo", 0, 100)
		r.wants(t, 0, 100)
	}
	_, err = nc.Subscribe("echo", func(m *Msg) { assert.NoError(t, m.Respond(m.Data)) })
	require.NoError(t, err)
	_, err = nc.Request("echo", nil, patience)
	require.NoError(t, err)
	require.Empty(t, entered, "still in its first call")
}

// A handler may call whatever it likes, Close included.
func TestHandlerMayUseConnection(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	_, err := nc.Subscribe("echo", func(m *Msg) { assert.NoError(t, m.Respond(m.Data)) })
	require.NoError(t, err)
	done := make(chan struct{})
	_, err = nc.Subscribe("foo", func(m *Msg) {
		defer close(done)
		s, err := nc.SubscribeSync("bar")
		assert.NoError(t, err)
		assert.NoError(t, nc.Publish("bar", []byte("x")))
		assert.NoError(t, nc.FlushTimeout(patience))
		reply, err := s.NextMsg(patience)
		assert.NoError(t, err)
		assert.NoError(t, s.Unsubscribe())
		reply, err = nc.Request("echo", reply.Data, patience)
		assert.NoError(t, err)
		assert.Equal(t, "x", string(reply.Data))
		assert.NoError(t, m.Sub.SetPendingLimits(5, 5))
		assert.NoError(t, m.Sub.Unsubscribe())
		nc.Close()
	})
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", nil))
	got(t, done, "end of the handler")
	require.True(t, nc.IsClosed())
}

// The end of a subscription discards what is queued; the call that is running
// goes on, and none follows.
func TestEndWhileHandlerRuns(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*Subscription) error{
		"Unsubscribe":     (*Subscription).Unsubscribe,
		"AutoUnsubscribe": func(s *Subscription) error { return s.AutoUnsubscribe(0) },
		"Close":           func(s *Subscription) error { s.conn.Close(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, nc := connectPeer(t)
			hold := newGate(t)
			calls, finished := make(chan string, 100), make(chan string, 100)
			sub, err := nc.Subscribe("foo", func(m *Msg) {
				calls <- string(m.Data)
				hold.wait()
				finished <- string(m.Data)
			})
			require.NoError(t, err)
			p.deliver(t, sub, 0, 10)
			require.Equal(t, "0", got(t, calls, "first call"))
			require.NoError(t, end(sub))
			require.Empty(t, finished, "the end does not wait for the handler")
			if !nc.IsClosed() {
				p.deliver(t, sub, 10, 10)
			}
			hold.open()
			require.Equal(t, "0", got(t, finished, "end of the first call"))
			awaitIdle(t, sub)
			require.Empty(t, calls)
		})
	}
}

// The read loop may have looked a subscription up just before it ended, and hand
// over messages just after.
func TestMessagesAfterEnd(t *testing.T) {
	t.Parallel()
	eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
		_, p, nc := connectPeer(t)
		r := newSubRig(t, nc, kind, "foo", "")
		p.deliver(t, r.sub, 0, 3)
		if kind != SyncSubscription {
			r.wants(t, 0, 3)
		}
		require.NoError(t, r.sub.Unsubscribe())
		require.Nil(t, r.sub.queue.first, "the queue is given back")
		var run msgRun
		run.add(&Msg{}, false)
		require.Equal(t, outcome{}, r.sub.push(&run))
		awaitIdle(t, r.sub)
		require.Nil(t, r.sub.queue.first)
		require.Empty(t, r.ch)
	})
}

// What came in front of a PONG is there when the Flush returns that it ends,
// also if one read brought both.
func TestMessagesBeforePong(t *testing.T) {
	t.Parallel()
	nc := newConn(GetDefaultOptions(), nil)
	defer nc.cancel()
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	flush := &flushWaiter{done: make(chan error)} // without room, so it holds the reader up
	nc.pings.fifo = []*pingMark{{waiters: []*flushWaiter{flush}}}
	nc.out.asked = []uint64{0}
	r := &reader{nc: nc}
	r.parser = parser{sink: r, maxPayload: 100}
	result := make(chan error, 1)
	go func() { result <- r.feed([]byte("MSG foo 1 1\r\na\r\nPONG\r\nMSG foo 1 1\r\nb\r\n")) }()
	soon(t, func() bool { n, _ := s.QueuedMsgs(); return n == 1 }, "the message before the PONG")
	require.NoError(t, got(t, flush.done, "PONG"))
	require.NoError(t, got(t, result, "end of the feed"))
	wantPending(t, s, 2, 2)
}

// Not parallel, because it counts all goroutines.
func TestIdleSubscriptionsHaveNoGoroutines(t *testing.T) {
	const subs = 1000
	_, nc := connect(t, unhurried())
	require.NoError(t, nc.FlushTimeout(patience))
	before := runtime.NumGoroutine()
	calls := make(chan struct{}, subs)
	for i := range subs {
		_, err := nc.Subscribe(fmt.Sprintf("idle.%d", i), func(*Msg) { calls <- struct{}{} })
		require.NoError(t, err)
	}
	require.NoError(t, nc.FlushTimeout(patience))
	require.Less(t, runtime.NumGoroutine(), before+subs/10)
	for i := range subs {
		require.NoError(t, nc.Publish(fmt.Sprintf("idle.%d", i), nil))
	}
	for range subs {
		got(t, calls, "call of a handler")
	}
	soon(t, func() bool { return runtime.NumGoroutine() < before+subs/10 }, "end of the delivery goroutines")
}

// The library never closes the program's channel.
func TestChannelStaysOpen(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*testing.T, *peerSession, *subRig){
		"Unsubscribe": func(t *testing.T, _ *peerSession, r *subRig) { require.NoError(t, r.sub.Unsubscribe()) },
		"Close":       func(_ *testing.T, _ *peerSession, r *subRig) { r.sub.conn.Close() },
		"maximum": func(t *testing.T, p *peerSession, r *subRig) {
			require.NoError(t, r.sub.AutoUnsubscribe(2))
			p.deliver(t, r.sub, 1, 1)
			r.wants(t, 1, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, p, nc := connectPeer(t)
			r := newSubRig(t, nc, ChanSubscription, "foo", "")
			p.deliver(t, r.sub, 0, 1)
			r.wants(t, 0, 1)
			end(t, p, r)
			require.False(t, r.sub.IsValid())
			select {
			case m, ok := <-r.ch:
				require.Fail(t, "the channel has something", "%v %v", m, ok)
			default:
			}
		})
	}
}

// Once Unsubscribe has returned nothing is sent to the channel any more, so the
// program may close it.
func TestChannelMayBeClosedAfterUnsubscribe(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t, quiet())
	for range 100 {
		ch := make(chan *Msg, 10)
		s, err := nc.ChanSubscribe("foo", ch)
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			for range 20 {
				p.say("%s", strings.Repeat("MSG foo "+sidOf(s)+" 0\r\n\r\n", 5))
			}
		})
		got(t, ch, "message")
		require.NoError(t, s.Unsubscribe())
		close(ch)
		wg.Wait()
	}
	require.NoError(t, nc.FlushTimeout(patience))
}

// A program that closes its channel too soon loses messages, not its process.
func TestChannelClosedTooSoon(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t, quiet())
	ch := make(chan *Msg, 10)
	s, err := nc.ChanSubscribe("foo", ch)
	require.NoError(t, err)
	close(ch)
	p.deliver(t, s, 0, 3)
	wantDropped(t, s, 3)
	require.Equal(t, CONNECTED, nc.Status())
	require.NoError(t, s.Unsubscribe())
}

// Without a buffer there is room only while the program receives.
func TestUnbufferedChannel(t *testing.T) {
	t.Parallel()
	errs, onErr := errEvents()
	_, p, nc := connectPeer(t, onErr)
	ch := make(chan *Msg)
	s, err := nc.ChanSubscribe("foo", ch)
	require.NoError(t, err)
	p.deliver(t, s, 0, 3)
	dropped, err := s.Dropped()
	require.NoError(t, err)
	require.Equal(t, 3, dropped)
	delivered, err := s.Delivered()
	require.NoError(t, err)
	require.Zero(t, delivered)
	require.Equal(t, ErrSlowConsumer, got(t, errs, "slow consumer"))

	received := make(chan *Msg, 1)
	go func() { received <- <-ch }()
	for i := 0; len(received) == 0; i++ { // until the goroutine is there
		require.Less(t, i, 100_000)
		p.deliver(t, s, 5, 1)
	}
	require.Equal(t, "5", string(got(t, received, "message").Data))
	delivered, err = s.Delivered()
	require.NoError(t, err)
	require.EqualValues(t, 1, delivered)
}

// A message whose headers make no sense comes without them.
func TestBadHeaderReceived(t *testing.T) {
	t.Parallel()
	type event struct {
		sub *Subscription
		err error
	}
	events := make(chan event, 10)
	_, p, nc := connectPeer(t, ErrorHandler(func(_ *Conn, s *Subscription, err error) { events <- event{s, err} }))
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	for _, hdr := range []string{"junk\r\n\r\n", "NATS/1.0\r\nnocolon\r\n\r\n", "NATS/1.0\r\na: b"} {
		require.True(t, p.say("HMSG foo 1 %d %d\r\n%sdata\r\n", len(hdr), len(hdr)+4, hdr))
		m, err := r.sub.NextMsg(patience)
		require.NoError(t, err)
		require.Nil(t, m.Header)
		require.Equal(t, "data", string(m.Data))
		require.Equal(t, event{r.sub, ErrBadHeaderMsg}, got(t, events, "error event"))
		require.Equal(t, ErrBadHeaderMsg, nc.LastError())
	}
	require.True(t, p.say("HMSG foo 1 18 22\r\nNATS/1.0\r\na: b\r\n\r\ndata\r\n"))
	m, err := r.sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, Header{"a": {"b"}}, m.Header)
	st := nc.Stats()
	require.EqualValues(t, 4, st.InMsgs)
	require.Equal(t, CONNECTED, nc.Status())
}

// A received message is the program's own: what the library reads next does not
// show in it.
func TestReceivedDataIsACopy(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, SyncSubscription, ">", "")
	const n = 50
	for i := range n {
		c := string(rune('a' + i%26))
		data := strings.Repeat(c, 100)
		require.True(t, p.say("HMSG s.%s 1 re.%s 18 118\r\nNATS/1.0\r\nk: %s\r\n\r\n%s\r\n", c, c, c, data))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	msgs := make([]*Msg, n)
	for i := range msgs {
		var err error
		msgs[i], err = r.sub.NextMsg(0)
		require.NoError(t, err)
		copy(msgs[i].Data[:50], strings.Repeat("#", 50))
	}
	require.NoError(t, nc.FlushTimeout(patience))
	for i, m := range msgs {
		c := string(rune('a' + i%26))
		require.Equal(t, strings.Repeat("#", 50)+strings.Repeat(c, 50), string(m.Data))
		require.Equal(t, "s."+c, m.Subject)
		require.Equal(t, "re."+c, m.Reply)
		require.Equal(t, c, m.Header.Get("k"))
		_ = append(m.Data, "overflow"...)
	}
	for i, m := range msgs {
		require.Equal(t, string(rune('a'+i%26)), string(m.Data[99:]), "message %d after appends to its neighbours", i)
	}
}

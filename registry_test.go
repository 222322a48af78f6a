package nats

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ignoreMsg(*Msg) {}

// subscribeForms are all ways to subscribe; those without a queue group leave
// it out. nothing stands for a nil handler or channel.
var subscribeForms = map[string]struct {
	kind   SubscriptionType
	queues bool
	call   func(nc *Conn, subject, queue string, nothing bool) (*Subscription, error)
}{
	"Subscribe": {AsyncSubscription, false, func(nc *Conn, subject, _ string, nothing bool) (*Subscription, error) {
		if nothing {
			return nc.Subscribe(subject, nil)
		}
		return nc.Subscribe(subject, ignoreMsg)
	}},
	"QueueSubscribe": {AsyncSubscription, true, func(nc *Conn, subject, queue string, nothing bool) (*Subscription, error) {
		if nothing {
			return nc.QueueSubscribe(subject, queue, nil)
		}
		return nc.QueueSubscribe(subject, queue, ignoreMsg)
	}},
	"SubscribeSync": {SyncSubscription, false, func(nc *Conn, subject, _ string, _ bool) (*Subscription, error) {
		return nc.SubscribeSync(subject)
	}},
	"QueueSubscribeSync": {SyncSubscription, true, func(nc *Conn, subject, queue string, _ bool) (*Subscription, error) {
		return nc.QueueSubscribeSync(subject, queue)
	}},
	"ChanSubscribe": {ChanSubscription, false, func(nc *Conn, subject, _ string, nothing bool) (*Subscription, error) {
		if nothing {
			return nc.ChanSubscribe(subject, nil)
		}
		return nc.ChanSubscribe(subject, make(chan *Msg, 1))
	}},
	"ChanQueueSubscribe": {ChanSubscription, true, func(nc *Conn, subject, queue string, nothing bool) (*Subscription, error) {
		if nothing {
			return nc.ChanQueueSubscribe(subject, queue, nil)
		}
		return nc.ChanQueueSubscribe(subject, queue, make(chan *Msg, 1))
	}},
}

func TestSubscribeChecks(t *testing.T) {
	t.Parallel()
	_, _, open := connectPeer(t)
	_, _, closed := connectPeer(t)
	closed.Close()
	for name, form := range subscribeForms {
		t.Run(name, func(t *testing.T) {
			for what, c := range map[string]struct {
				nc             *Conn
				subject, queue string
				nothing        bool
				want           error
			}{
				"nil connection first":                        {nil, "", " ", true, ErrInvalidConnection},
				"subject before queue, closed and nil":        {closed, "a b", "q q", true, ErrBadSubject},
				"queue before closed and nil":                 {closed, "a", "q q", true, ErrBadQueueName},
				"closed before nil":                           {closed, "a", "q", true, ErrConnectionClosed},
				"nil handler or channel":                      {open, "a", "q", true, ErrBadSubscription},
				"subject of a good one on the closed":         {closed, "a", "q", false, ErrConnectionClosed},
				"bad subject, all else good":                  {open, "a..b", "q", false, ErrBadSubject},
				"bad queue, all else good":                    {open, "a", "q\t", false, ErrBadQueueName},
				"no queue is no bad queue":                    {open, "a", "", false, nil},
				"a queue name may have what a subject cannot": {open, "a", ".q..>.", false, nil},
			} {
				want := c.want
				if want == ErrBadQueueName && !form.queues {
					if want = nil; c.nc == closed {
						want = ErrConnectionClosed
					}
				}
				if want == ErrBadSubscription && form.kind == SyncSubscription {
					want = nil
				}
				s, err := form.call(c.nc, c.subject, c.queue, c.nothing)
				require.Equal(t, want, err, what)
				require.Equal(t, want == nil, s != nil, what)
			}
		})
	}
}

// The connection can be closed behind the last check for it.
func TestSubscribeWhileClosing(t *testing.T) {
	t.Parallel()
	_, _, nc := connectPeer(t)
	nc.Close()
	s := &Subscription{Subject: "foo", conn: nc}
	require.Equal(t, ErrConnectionClosed, nc.subs.add(s))
	require.Zero(t, nc.NumSubscriptions())
}

func TestSubscribeSubjects(t *testing.T) {
	t.Parallel()
	_, _, nc := connectPeer(t)
	for _, bad := range []string{"", " ", "a b", " a", "a ", "a\tb", "a\r", "\na", ".", ".a", "a.", "a..b", "..", "a. .b"} {
		_, err := nc.SubscribeSync(bad)
		require.Equal(t, ErrBadSubject, err, "%q", bad)
	}
	for _, good := range []string{"a", "*", ">", "a.*.b", "a.>", "a.>.b", "a*", "é.日", "a\vb"} {
		_, err := nc.SubscribeSync(good)
		require.NoError(t, err, "%q", good)
	}
	for _, bad := range []string{" ", "a b", "a\t", "\ra", "a\nb"} {
		_, err := nc.QueueSubscribeSync("a", bad)
		require.Equal(t, ErrBadQueueName, err, "%q", bad)
	}
}

func TestSubscriptionSaysWhatItIs(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	for name, form := range subscribeForms {
		s, err := form.call(nc, "foo.*", "q", false)
		require.NoError(t, err)
		assert.Equal(t, form.kind, s.Type(), name)
		assert.Equal(t, "foo.*", s.Subject, name)
		if form.queues {
			assert.Equal(t, "q", s.Queue, name)
		} else {
			assert.Empty(t, s.Queue, name)
		}
		assert.True(t, s.IsValid(), name)
	}
	require.Equal(t, len(subscribeForms), nc.NumSubscriptions())
}

// The lines as they go out, and ids that are never used again.
func TestSubscriptionLines(t *testing.T) {
	t.Parallel()
	peer, p, nc := connectPeer(t, fast()...)
	plain := newSubRig(t, nc, AsyncSubscription, "foo", "").sub
	queue := newSubRig(t, nc, SyncSubscription, "foo.>", "q").sub
	zero := newSubRig(t, nc, ChanSubscription, "*", "").sub
	require.NoError(t, plain.Unsubscribe())
	require.NoError(t, queue.AutoUnsubscribe(5))
	require.NoError(t, queue.AutoUnsubscribe(9))
	require.NoError(t, queue.AutoUnsubscribe(2))
	require.NoError(t, zero.AutoUnsubscribe(0))
	newSubRig(t, nc, SyncSubscription, "foo", "")
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, []string{
		"SUB foo  1", "SUB foo.> q 2", "SUB *  3", "UNSUB 1 ",
		"UNSUB 2 5", "UNSUB 2 9", "UNSUB 2 2", "UNSUB 3 ", "SUB foo  4",
	}, p.subLines())
	require.Equal(t, 2, nc.NumSubscriptions())

	p.cut()
	p = got(t, peer.sessions, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))
	require.ElementsMatch(t, []string{"SUB foo.> q 2", "UNSUB 2 2", "SUB foo  4"}, p.subLines())
	newSubRig(t, nc, SyncSubscription, "foo", "")
	require.NoError(t, nc.FlushTimeout(patience))
	require.Equal(t, "SUB foo  5", p.subLines()[3])
}

func TestWildcards(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	patterns := map[string][]string{
		"a.b": {"a.b"}, "a.*": {"a.b", "a.c"}, "a.>": {"a.b", "a.c", "a.b.c"},
		"*.b.*": {"a.b.c"}, ">": {"a", "a.b", "a.c", "a.b.c"}, "*": {"a"},
	}
	for _, kind := range subKinds {
		rigs := make(map[string]*subRig)
		for pattern := range patterns {
			rigs[pattern] = newSubRig(t, nc, kind, pattern, "")
		}
		for _, subject := range []string{"a", "a.b", "a.c", "a.b.c"} {
			require.NoError(t, nc.Publish(subject, []byte(subject)))
		}
		require.NoError(t, nc.FlushTimeout(patience))
		for pattern, subjects := range patterns {
			r := rigs[pattern]
			for _, subject := range subjects {
				require.Equal(t, subject, r.next(t), pattern)
			}
			d, err := r.sub.Delivered()
			require.NoError(t, err)
			require.EqualValues(t, len(subjects), d, pattern)
			require.Equal(t, pattern, r.sub.Subject)
			require.NoError(t, r.sub.Unsubscribe())
		}
	}
}

func TestReceivedMsgFields(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, unhurried())
	eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
		subject := "fields." + subKindNames[kind]
		r := newSubRig(t, nc, kind, subject+".*", "")
		require.NoError(t, nc.PublishRequest(subject+".x", "re.ply", []byte("data")))
		var m *Msg
		if kind == SyncSubscription {
			var err error
			m, err = r.sub.NextMsg(patience)
			require.NoError(t, err)
		} else {
			m = got(t, r.ch, "message")
		}
		require.Equal(t, subject+".x", m.Subject)
		require.Equal(t, "re.ply", m.Reply)
		require.Equal(t, "data", string(m.Data))
		require.Nil(t, m.Header)
		require.Same(t, r.sub, m.Sub)
	})
}

func TestQueueGroups(t *testing.T) {
	t.Parallel()
	const msgs = 300
	_, nc := connect(t, unhurried())
	groups := map[string][]*subRig{}
	for _, kind := range subKinds {
		groups["g1"] = append(groups["g1"], newSubRig(t, nc, kind, "foo", "g1"))
		groups["g2"] = append(groups["g2"], newSubRig(t, nc, kind, "*", "g2"))
	}
	plain := newSubRig(t, nc, SyncSubscription, "foo", "")
	publishNumbers(t, nc, "foo", 0, msgs)
	plain.wants(t, 0, msgs)
	for name, members := range groups {
		seen := make([]int, msgs)
		soon(t, func() bool { return deliveredOrQueued(t, members) == msgs }, "group %s has all", name)
		for _, r := range members {
			last := -1
			for range deliveredOrQueued(t, []*subRig{r}) {
				n, err := strconv.Atoi(r.next(t))
				require.NoError(t, err)
				require.Greater(t, n, last, "order")
				last = n
				seen[n]++
			}
		}
		for n, times := range seen {
			require.Equal(t, 1, times, "message %d in group %s", n, name)
		}
	}
}

// deliveredOrQueued counts the messages that some rigs have been given and that
// the test has not taken yet.
func deliveredOrQueued(t *testing.T, rigs []*subRig) (n int) {
	for _, r := range rigs {
		if r.sub.Type() != SyncSubscription {
			n += len(r.ch)
			continue
		}
		queued, err := r.sub.QueuedMsgs()
		require.NoError(t, err)
		n += queued
	}
	return n
}

// Messages for an id that is not, or no more, in use count and go nowhere.
func TestUnknownSubscription(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, SyncSubscription, "foo", "")
	require.True(t, p.say("MSG foo 99 3\r\nabc\r\nMSG foo 1 1\r\n0\r\nMSG foo 99 3\r\nabc\r\nMSG foo 1 1\r\n1\r\n"))
	require.NoError(t, nc.FlushTimeout(patience))
	r.wants(t, 0, 2)
	require.NoError(t, r.sub.Unsubscribe())
	require.True(t, p.say("MSG foo 1 3\r\nabc\r\n"))
	require.NoError(t, nc.FlushTimeout(patience))
	st := nc.Stats()
	require.EqualValues(t, 5, st.InMsgs)
	require.EqualValues(t, 11, st.InBytes)
	require.Equal(t, CONNECTED, nc.Status())
}

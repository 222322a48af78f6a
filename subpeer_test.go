package nats

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// subPeer is a scripted server through which a test speaks as the server.
type subPeer struct {
	*scriptedServer
	sessions chan *peerSession
}

// peerSession is one connection to it, with what the client has sent.
type peerSession struct {
	*peerConn
	frameLog
}

func newSubPeer(t testing.TB) *subPeer {
	t.Helper()
	p := &subPeer{sessions: make(chan *peerSession, 100)}
	p.scriptedServer = scripted(t, func(c *peerConn) {
		if _, ok := c.welcome(); !ok {
			return
		}
		s := &peerSession{peerConn: c}
		p.sessions <- s
		c.serve(s.add)
	})
	return p
}

// connectPeer connects to a new subPeer.
func connectPeer(t testing.TB, opts ...Option) (*subPeer, *peerSession, *Conn) {
	t.Helper()
	p := newSubPeer(t)
	nc := connectTo(t, p.url(), append(opts, unhurried())...)
	return p, got(t, p.sessions, "session"), nc
}

// subLines returns the SUB and UNSUB lines seen so far, in order.
func (s *peerSession) subLines() []string {
	lines := []string{}
	for _, l := range s.lines() {
		if strings.HasPrefix(l, "SUB ") || strings.HasPrefix(l, "UNSUB ") {
			lines = append(lines, l)
		}
	}
	return lines
}

// deliver sends n messages to a subscription in one write, numbered from from,
// and waits until the client has handed them over.
func (s *peerSession) deliver(t testing.TB, sub *Subscription, from, n int) {
	t.Helper()
	var b strings.Builder
	for i := from; i < from+n; i++ {
		data := strconv.Itoa(i)
		fmt.Fprintf(&b, "MSG foo %d %d\r\n%s\r\n", sub.sid, len(data), data)
	}
	require.True(t, s.say("%s", b.String()))
	require.NoError(t, sub.conn.FlushTimeout(patience))
}

// publishNumbers publishes n numbers from from and waits until those that come
// back have been handed over.
func publishNumbers(t testing.TB, nc *Conn, subject string, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		require.NoError(t, nc.Publish(subject, []byte(strconv.Itoa(i))))
	}
	require.NoError(t, nc.FlushTimeout(patience))
}

// subRig is a subscription of any kind with one way to take its messages.
type subRig struct {
	sub *Subscription
	ch  chan *Msg // of the handler, or the channel of the subscription
}

var subKinds = []SubscriptionType{AsyncSubscription, SyncSubscription, ChanSubscription}

var subKindNames = map[SubscriptionType]string{
	AsyncSubscription: "async", SyncSubscription: "sync", ChanSubscription: "chan",
}

func eachSubKind(t *testing.T, f func(t *testing.T, kind SubscriptionType)) {
	for _, kind := range subKinds {
		t.Run(subKindNames[kind], func(t *testing.T) {
			t.Parallel()
			f(t, kind)
		})
	}
}

func newSubRig(t testing.TB, nc *Conn, kind SubscriptionType, subject, queue string) *subRig {
	t.Helper()
	r := &subRig{ch: make(chan *Msg, 2000)}
	var err error
	switch kind {
	case AsyncSubscription:
		r.sub, err = nc.QueueSubscribe(subject, queue, func(m *Msg) { r.ch <- m })
	case SyncSubscription:
		r.sub, err = nc.QueueSubscribeSync(subject, queue)
	default:
		r.sub, err = nc.ChanQueueSubscribe(subject, queue, r.ch)
	}
	require.NoError(t, err)
	return r
}

// next takes the next message and returns its data.
func (r *subRig) next(t testing.TB) string {
	t.Helper()
	if r.sub.Type() == SyncSubscription {
		m, err := r.sub.NextMsg(patience)
		require.NoError(t, err)
		return string(m.Data)
	}
	return string(got(t, r.ch, "message").Data)
}

// wants takes n messages, which must be numbered from from.
func (r *subRig) wants(t testing.TB, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		require.Equal(t, strconv.Itoa(i), r.next(t))
	}
}

// quiet keeps errors that the test provokes off the standard error output.
func quiet() Option { return ErrorHandler(func(*Conn, *Subscription, error) {}) }

// sidOf is the id of a subscription as it stands on the wire.
func sidOf(s *Subscription) string { return strconv.FormatInt(s.sid, 10) }

// unhurried lets a handshake take as long as a busy machine needs.
func unhurried() Option { return Timeout(patience) }

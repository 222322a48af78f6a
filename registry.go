package nats

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"
)

// registry holds the live subscriptions of a connection, and is where SUB and
// UNSUB come from. Lock order: registry before subscription and outbox.
type registry struct {
	box *outbox

	mu       sync.RWMutex
	byID     map[int64]*Subscription
	lastID   int64
	sessions int // so far
	closed   bool
	draining bool // nothing new is taken
	// gone is closed once none of leaving is left; see without.
	gone    chan struct{}
	leaving map[int64]bool
}

func newRegistry(box *outbox) *registry {
	return &registry{box: box, byID: make(map[int64]*Subscription)}
}

// add registers a subscription, gives it its id and sends SUB. Without a
// session the next one's replay does that: because both happen under the
// registry's lock, a subscription is in the replay or in the outbox.
func (g *registry) add(s *Subscription) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrConnectionClosed
	}
	if g.draining {
		return ErrConnectionDraining
	}
	g.lastID++
	s.sid = g.lastID
	g.byID[s.sid] = s
	g.box.sendControl(appendSub(nil, s))
	return nil
}

// remove ends a subscription and sends UNSUB; false if it had ended already.
func (g *registry) remove(s *Subscription, reason error) bool { return g.drop(s, reason, true) }

// over ends a subscription that has had all it is going to get: it was drained,
// or has had all it asked for. Of that the server has ended it by itself, unless
// it counted from a reconnect on and so waits for more.
func (g *registry) over(s *Subscription) {
	if s.isDraining() {
		g.drop(s, ErrBadSubscription, false)
		return
	}
	g.mu.RLock()
	tell := g.sessions > 1
	g.mu.RUnlock()
	g.drop(s, ErrMaxMessages, tell)
}

func (g *registry) drop(s *Subscription, reason error, tell bool) bool {
	if !s.end(reason) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, ok := g.byID[s.sid]; !ok {
		return true
	}
	g.forgetLocked(s)
	if tell {
		g.box.sendControl(appendUnsub(nil, s.sid, 0))
	}
	return true
}

// limit sets how many messages a subscription wants in all and tells the server,
// in one step under the registry's lock: a message that reaches the number
// meanwhile ends the subscription behind that step, so the server always knows.
func (g *registry) limit(s *Subscription, max uint64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	spent, err := s.limit(max)
	if err != nil {
		return err
	}
	if _, ok := g.byID[s.sid]; !ok {
		return nil
	}
	if spent {
		s.end(ErrMaxMessages)
		g.forgetLocked(s)
		max = 0
	}
	g.box.sendControl(appendUnsub(nil, s.sid, max))
	return nil
}

func (g *registry) forgetLocked(s *Subscription) {
	delete(g.byID, s.sid)
	delete(g.leaving, s.sid)
	g.checkGoneLocked()
}

func (g *registry) lookup(sid int64) *Subscription {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.byID[sid]
}

func (g *registry) len() int {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.byID)
}

// list is what there is, but for the subscription of requests, by age.
func (g *registry) list() []*Subscription {
	g.mu.RLock()
	defer g.mu.RUnlock()
	all := make([]*Subscription, 0, len(g.byID))
	for _, id := range slices.Sorted(maps.Keys(g.byID)) {
		if s := g.byID[id]; s.mux == nil {
			all = append(all, s)
		}
	}
	return all
}

// attach encodes the replay of all subscriptions and attaches the outbox with
// it in front, in one step under the registry's lock: see add. True: there is
// nothing to replay, so replayed will not be called.
func (g *registry) attach(server *serverLimits, replayed func()) (nothing bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sessions++
	var ahead []byte
	for _, s := range g.byID {
		s.forgive()
		ahead = appendReplay(ahead, s)
	}
	return g.box.attach(ahead, server, replayed)
}

// appendReplay encodes what a new server must know of a subscription.
func appendReplay(b []byte, s *Subscription) []byte {
	left, spent := s.remaining()
	switch {
	case s.isDraining():
		return b
	case spent:
		return appendUnsub(b, s.sid, 0)
	case left > 0:
		return appendUnsub(appendSub(b, s), s.sid, left)
	}
	return appendSub(b, s)
}

// close ends every subscription.
func (g *registry) close() {
	g.mu.Lock()
	subs := g.byID
	g.byID = make(map[int64]*Subscription)
	g.closed = true
	clear(g.leaving)
	g.checkGoneLocked()
	g.mu.Unlock()
	for _, s := range subs {
		s.end(ErrConnectionClosed)
		s.tellClosedApart()
	}
}

func appendSub(b []byte, s *Subscription) []byte {
	b = append(b, "SUB "...)
	b = append(b, s.Subject...)
	b = append(b, ' ')
	b = append(b, s.Queue...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, s.sid, 10)
	return append(b, "\r\n"...)
}

func appendUnsub(b []byte, sid int64, max uint64) []byte {
	b = append(b, "UNSUB "...)
	b = strconv.AppendInt(b, sid, 10)
	b = append(b, ' ')
	if max > 0 {
		b = strconv.AppendUint(b, max, 10)
	}
	return append(b, "\r\n"...)
}

// Subscribe calls handler for every message on subject, which may have
// wildcards ("*" for a token, ">" for the rest). Each subscription has its own
// goroutine while it has messages; the order of its messages is kept.
//
// Errors: [ErrBadSubject], [ErrBadSubscription] for a nil handler,
// [ErrConnectionClosed], [ErrConnectionDraining], [ErrInvalidConnection]. What the
// server says against the subscription comes later, to the [ErrorHandler].
func (nc *Conn) Subscribe(subject string, handler MsgHandler) (*Subscription, error) {
	return nc.QueueSubscribe(subject, "", handler)
}

// QueueSubscribe is Subscribe as a member of a queue group: each message goes to
// one member of the group. [ErrBadQueueName]: the name has white space.
func (nc *Conn) QueueSubscribe(subject, queue string, handler MsgHandler) (*Subscription, error) {
	if nc == nil {
		return nil, ErrInvalidConnection
	}
	return nc.subscribe(&Subscription{
		Subject: subject, Queue: queue, kind: AsyncSubscription, handler: handler,
		limitMsgs: DefaultSubPendingMsgsLimit, limitBytes: DefaultSubPendingBytesLimit,
	})
}

// SubscribeSync subscribes to subject; messages wait for [Subscription.NextMsg]. Errors are
// those of Subscribe.
func (nc *Conn) SubscribeSync(subject string) (*Subscription, error) {
	return nc.QueueSubscribeSync(subject, "")
}

// QueueSubscribeSync is SubscribeSync as a member of a queue group.
func (nc *Conn) QueueSubscribeSync(subject, queue string) (*Subscription, error) {
	if nc == nil {
		return nil, ErrInvalidConnection
	}
	return nc.subscribe(&Subscription{
		Subject: subject, Queue: queue, kind: SyncSubscription, capacity: nc.Opts.SubChanLen,
		limitMsgs: nc.Opts.SubChanLen, limitBytes: DefaultSubPendingBytesLimit,
	})
}

// ChanSubscribe sends the messages on subject to ch. A message for which ch has
// no room is dropped and reported as [ErrSlowConsumer]; ch is never closed by the
// library. A nil channel is [ErrBadSubscription].
func (nc *Conn) ChanSubscribe(subject string, ch chan *Msg) (*Subscription, error) {
	return nc.ChanQueueSubscribe(subject, "", ch)
}

// ChanQueueSubscribe is ChanSubscribe as a member of a queue group.
func (nc *Conn) ChanQueueSubscribe(subject, queue string, ch chan *Msg) (*Subscription, error) {
	if nc == nil {
		return nil, ErrInvalidConnection
	}
	return nc.subscribe(&Subscription{
		Subject: subject, Queue: queue, kind: ChanSubscription, ch: ch,
	})
}

// QueueSubscribeSyncWithChan is ChanQueueSubscribe.
func (nc *Conn) QueueSubscribeSyncWithChan(subject, queue string, ch chan *Msg) (*Subscription, error) {
	return nc.ChanQueueSubscribe(subject, queue, ch)
}

// subscribe checks and registers a new subscription.
func (nc *Conn) subscribe(s *Subscription) (*Subscription, error) {
	if badSubscribeSubject(s.Subject) {
		return nil, ErrBadSubject
	}
	if s.Queue != "" && hasSpace(s.Queue) {
		return nil, ErrBadQueueName
	}
	switch {
	case nc.IsClosed():
		return nil, ErrConnectionClosed
	case nc.refusesSubs():
		return nil, ErrConnectionDraining
	case s.kind == AsyncSubscription && s.handler == nil && s.mux == nil,
		s.kind == ChanSubscription && s.ch == nil:
		return nil, ErrBadSubscription
	}
	s.conn = nc
	if err := nc.subs.add(s); err != nil {
		return nil, err
	}
	return s, nil
}

// unsubscribe ends a subscription now (max 0 or less) or after max messages.
func (nc *Conn) unsubscribe(s *Subscription, max int) error {
	if nc.IsClosed() {
		return ErrConnectionClosed
	}
	defer s.tellUnsubscribed()
	if max > 0 {
		return nc.subs.limit(s, uint64(max))
	}
	if nc.refusesSubs() && s.IsValid() {
		return ErrConnectionDraining
	}
	if !nc.subs.remove(s, ErrBadSubscription) {
		return ErrBadSubscription
	}
	return nil
}

// NumSubscriptions is the number of live subscriptions, the one for the replies
// to requests included.
func (nc *Conn) NumSubscriptions() int { return nc.subs.len() }

// hasSpace reports whether a name has a character that would end it on the wire,
// or a NUL, which is not worth finding out about.
func hasSpace(s string) bool {
	if !hasControl(unsafe.Slice(unsafe.StringData(s), len(s))) {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' && (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == 0) {
			return true
		}
	}
	return false
}

// badSubscribeSubject: white space, or an empty token.
func badSubscribeSubject(s string) bool {
	return s == "" || hasSpace(s) || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..")
}

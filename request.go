package nats

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nuid"
)

// InboxPrefix begins the subjects of NewInbox.
const InboxPrefix = "_INBOX."

const (
	inboxBase = "_INBOX"
	// tokenLen is the length of a request's own token behind the inbox: 62^8
	// values, so that those in flight do not collide.
	tokenLen    = 8
	tokenDigits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// NewInbox returns a subject that nobody else uses, for replies.
func NewInbox() string { return InboxPrefix + nuid.Next() }

// NewInbox is the function NewInbox with the prefix of [CustomInboxPrefix].
func (nc *Conn) NewInbox() string {
	base := nc.Opts.InboxPrefix
	if base == "" {
		base = inboxBase
	}
	return base + "." + nuid.Next()
}

// requests matches replies with the requests that wait for them. All requests
// of a connection share one wildcard subscription, made with the first.
type requests struct {
	mu      sync.Mutex
	prefix  string // inbox and "."
	sub     *Subscription
	waiting map[string]*requestWaiter // by token
	closed  bool
	free    sync.Pool // of waiters; a connection's own: see timers
}

// requestWaiter is one request. Its channel gets at most one value, under
// requests.mu and while the request is in the map: the reply, or nil when the
// connection is closed.
type requestWaiter struct {
	token string
	reply chan *Msg
	sent  handling // of its publish; what comes of it is guarded by the outbox's lock
}

func newRequests() *requests {
	r := &requests{waiting: make(map[string]*requestWaiter)}
	r.free.New = func() any { return &requestWaiter{reply: make(chan *Msg, 1)} }
	return r
}

// open registers a request and returns its reply subject. The first one makes
// the subscription.
func (r *requests) open(nc *Conn) (*requestWaiter, string, error) {
	if err := r.subscribe(nc); err != nil {
		return nil, "", err
	}
	w := r.free.Get().(*requestWaiter)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		r.free.Put(w)
		return nil, "", ErrConnectionClosed
	}
	subject := ""
	for {
		subject = r.newSubject()
		w.token = subject[len(r.prefix):]
		if _, taken := r.waiting[w.token]; !taken {
			break
		}
	}
	w.sent = handling{at: noPosition}
	r.waiting[w.token] = w
	return w, subject, nil
}

// subscribe makes the shared subscription unless it is there. Two requests may
// race for it; the loser's is taken back.
func (r *requests) subscribe(nc *Conn) error {
	r.mu.Lock()
	have, closed := r.sub != nil, r.closed
	r.mu.Unlock()
	if closed {
		return ErrConnectionClosed
	}
	if have {
		return nil
	}
	prefix := r.inbox(nc)
	sub, err := nc.subscribe(&Subscription{Subject: prefix + "*", mux: r})
	if err != nil {
		return err
	}
	r.mu.Lock()
	if r.sub == nil {
		r.sub = sub
		sub = nil
	}
	r.mu.Unlock()
	if sub != nil {
		nc.subs.remove(sub, ErrBadSubscription)
	}
	return nil
}

// inbox returns what begins the reply subjects of all requests: it is made once.
func (r *requests) inbox(nc *Conn) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.prefix == "" {
		r.prefix = nc.NewInbox() + "."
	}
	return r.prefix
}

func newToken() string { return string(appendToken(make([]byte, 0, tokenLen))) }

func appendToken(b []byte) []byte {
	n := rand.Uint64()
	for range tokenLen {
		b = append(b, tokenDigits[n%uint64(len(tokenDigits))])
		n /= uint64(len(tokenDigits))
	}
	return b
}

// newSubject returns a subject for one reply.
func (r *requests) newSubject() string {
	var room [64]byte
	return string(appendToken(append(room[:0], r.prefix...)))
}

// reply hands a message of the shared subscription to its request. A reply whose
// subject was rewritten on the way is taken for the only request there is.
func (r *requests) reply(m *Msg) {
	r.mu.Lock()
	defer r.mu.Unlock()
	token, ours := strings.CutPrefix(m.Subject, r.prefix)
	w := r.waiting[token]
	if w == nil && !ours && len(r.waiting) == 1 {
		for _, w = range r.waiting {
		}
	}
	if w != nil {
		delete(r.waiting, w.token)
		w.reply <- m // has room: see requestWaiter
	}
}

// await waits for the reply until a channel says stop. ended: the request was over
// before, without a reply.
func (r *requests) await(w *requestWaiter, done <-chan struct{}, timeout <-chan time.Time) (m *Msg, ended bool) {
	select {
	case m = <-w.reply:
		r.free.Put(w)
		return m, m == nil
	case <-done:
	case <-timeout:
	}
	m, got := r.finish(w)
	return m, got && m == nil
}

// finish gives a request up. If its reply was being handed over at that moment,
// it is returned.
func (r *requests) finish(w *requestWaiter) (m *Msg, got bool) {
	r.mu.Lock()
	if r.waiting[w.token] == w {
		delete(r.waiting, w.token)
	} else {
		m, got = <-w.reply, true
	}
	r.mu.Unlock()
	r.free.Put(w)
	return m, got
}

// close ends all requests.
func (r *requests) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for token, w := range r.waiting {
		delete(r.waiting, token)
		w.reply <- nil
	}
}

// Request publishes data to subject and waits for the first reply.
//
// Errors: those of Publish; [ErrNoResponders] if nobody listens on subject;
// [ErrTimeout]; [ErrConnectionClosed]. A server that is lost meanwhile does not end
// the wait: without a server the request is buffered like any publish, and a
// reply may come once there is one again. A request that is still unsent when
// the wait ends is not sent any more.
func (nc *Conn) Request(subject string, data []byte, timeout time.Duration) (*Msg, error) {
	return nc.requestFor(timeout, subject, nil, data)
}

// RequestMsg is Request for a message with its Header; its Reply is not used.
// More errors: [ErrInvalidMsg] for nil, [ErrBadHeaderMsg].
func (nc *Conn) RequestMsg(m *Msg, timeout time.Duration) (*Msg, error) {
	if m == nil {
		return nil, ErrInvalidMsg
	}
	var room [headerRoom]byte
	hdr, err := m.Header.appendTo(room[:0])
	if err != nil {
		return nil, err
	}
	return nc.requestFor(timeout, m.Subject, hdr, m.Data)
}

func (nc *Conn) requestFor(timeout time.Duration, subject string, hdr, data []byte) (*Msg, error) {
	if nc == nil {
		return nil, ErrInvalidConnection
	}
	timer := nc.timers.start(timeout)
	defer nc.timers.stop(timer)
	m, err := nc.request(subject, hdr, data, nil, timer.C)
	if errors.Is(err, errNextDone) {
		return nil, ErrTimeout
	}
	return m, err
}

// RequestWithContext is Request that waits until the context ends; the error is
// then ctx.Err(). A nil context is [ErrInvalidContext].
func (nc *Conn) RequestWithContext(ctx context.Context, subject string, data []byte) (*Msg, error) {
	return nc.requestCtx(ctx, subject, nil, data)
}

// RequestMsgWithContext is RequestMsg that waits until the context ends.
func (nc *Conn) RequestMsgWithContext(ctx context.Context, m *Msg) (*Msg, error) {
	if m == nil {
		return nil, ErrInvalidMsg
	}
	var room [headerRoom]byte
	hdr, err := m.Header.appendTo(room[:0])
	if err != nil {
		return nil, err
	}
	return nc.requestCtx(ctx, m.Subject, hdr, m.Data)
}

func (nc *Conn) requestCtx(ctx context.Context, subject string, hdr, data []byte) (*Msg, error) {
	if ctx == nil {
		return nil, ErrInvalidContext
	}
	if nc == nil {
		return nil, ErrInvalidConnection
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, err := nc.request(subject, hdr, data, ctx.Done(), nil)
	if errors.Is(err, errNextDone) {
		return nil, ctx.Err()
	}
	return m, err
}

// request publishes and waits until there is a reply or a channel says stop.
func (nc *Conn) request(subject string, hdr, data []byte,
	done <-chan struct{}, timeout <-chan time.Time) (*Msg, error) {
	if nc.Opts.UseOldRequestStyle {
		return nc.requestAlone(subject, hdr, data, done, timeout)
	}
	w, reply, err := nc.requests.open(nc)
	if err != nil {
		return nil, err
	}
	if err := nc.publish(subject, reply, hdr, data, &w.sent); err != nil {
		nc.requests.finish(w)
		return nil, err
	}
	at := w.sent.at
	m, ended := nc.requests.await(w, done, timeout)
	switch {
	case m != nil:
		if nc.out.keep != nil {
			nc.out.spare(at)
		}
		return finalReply(m)
	case ended && nc.IsClosed():
		return nil, ErrConnectionClosed // what is unsent is reported as all that Close leaves
	}
	nc.out.withdraw(at)
	if ended {
		return nil, ErrConnectionClosed
	}
	return nil, errNextDone
}

func finalReply(m *Msg) (*Msg, error) {
	if m.isNoResponders() {
		return nil, ErrNoResponders
	}
	return m, nil
}

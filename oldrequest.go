package nats

import (
	"errors"
	"time"
)

// UseOldRequestStyle gives each request an inbox and a subscription of its own,
// instead of one of both for all requests of the connection. It is slower, and for
// servers or permissions that need it.
func UseOldRequestStyle() Option {
	return set(func(o *Options) { o.UseOldRequestStyle = true })
}

// NewRespInbox returns a reply subject under the inbox that all requests of this
// connection share. The library subscribes to that inbox with the first request, and
// drops what comes there and answers none.
func (nc *Conn) NewRespInbox() string { return nc.requests.inbox(nc) + newToken() }

// requestAlone is request with a subscription of its own.
func (nc *Conn) requestAlone(subject string, hdr, data []byte,
	done <-chan struct{}, timeout <-chan time.Time) (*Msg, error) {
	reply := nc.NewInbox()
	s, err := nc.SubscribeSync(reply)
	if err != nil {
		return nil, err
	}
	defer nc.subs.remove(s, ErrBadSubscription)
	if err := nc.subs.limit(s, 1); err != nil {
		return nil, err
	}
	var sent handling
	if err := nc.publish(subject, reply, hdr, data, &sent); err != nil {
		return nil, err
	}
	m, err := s.checkNext(s.waitNext(done, timeout))
	if errors.Is(err, errNextDone) {
		nc.out.withdraw(sent.at)
	}
	return m, err
}

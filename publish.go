package nats

import (
	"bytes"
	"context"
	"strconv"
	"time"
)

// Publish sends data to subject. It returns once the message is in the outbox;
// the network is not waited for. Without a server the message is buffered, and
// sent in its turn once there is one.
//
// Errors: [ErrBadSubject], [ErrMaxPayload], [ErrReconnectBufExceeded] without a
// server when the buffer is full (or off), [ErrConnectionClosed],
// [ErrConnectionDraining] once a draining connection has begun its last flush,
// [ErrInvalidConnection]. With an error the message was not taken. data may be
// reused at once.
func (nc *Conn) Publish(subject string, data []byte) error {
	if nc != nil && nc.ids == nil && nc.out.quick(subject, data, !nc.Opts.SkipSubjectValidation) {
		return nil
	}
	return nc.publish(subject, "", nil, data, nil)
}

// PublishRequest is Publish with a reply subject, on which the program expects
// answers. An empty reply is [ErrBadSubject].
func (nc *Conn) PublishRequest(subject, reply string, data []byte) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if nc.badSubject(subject) || !nc.Opts.SkipSubjectValidation && nc.badSubject(reply) {
		return ErrBadSubject
	}
	return nc.publish(subject, reply, nil, data, nil)
}

// PublishMsg is Publish for a message with its Reply and Header.
//
// More errors: [ErrInvalidMsg] for nil, [ErrBadHeaderMsg] for a header key that is
// no token, [ErrHeadersNotSupported] if the server takes no headers. Before the
// first server ([RetryOnFailedConnect]) headers are taken and checked later: see
// [UndeliveredHandler].
func (nc *Conn) PublishMsg(m *Msg) error {
	if m == nil {
		return ErrInvalidMsg
	}
	var room [headerRoom]byte
	hdr, err := m.Header.appendTo(room[:0])
	if err != nil {
		return err
	}
	return nc.publish(m.Subject, m.Reply, hdr, m.Data, nil)
}

// publish checks a message and puts it into the outbox.
func (nc *Conn) publish(subject, reply string, hdr, data []byte, how *handling) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	if nc.ids != nil {
		return nc.publishTagged(subject, reply, hdr, data, how)
	}
	return nc.publishChecked(subject, reply, hdr, data, how)
}

func (nc *Conn) publishChecked(subject, reply string, hdr, data []byte, how *handling) error {
	if nc.badSubject(subject) || reply != "" && !nc.Opts.SkipSubjectValidation && hasSpace(reply) {
		return ErrBadSubject
	}
	// Until a server was met nobody knows what it takes: then the message is
	// checked when there is one.
	met := nc.met.Load()
	if met && len(hdr) > 0 && !nc.headers.Load() {
		return ErrHeadersNotSupported
	}
	if met && int64(len(hdr)+len(data)) > nc.maxPayload.Load() {
		switch nc.Status() {
		case CLOSED:
			return ErrConnectionClosed
		case DRAINING_PUBS:
			return ErrConnectionDraining
		}
		return ErrMaxPayload
	}
	return nc.out.publish(subject, reply, hdr, data, how)
}

// badSubject: empty, or with white space, which would end it on the wire.
func (nc *Conn) badSubject(s string) bool {
	return s == "" || !nc.Opts.SkipSubjectValidation && hasSpace(s)
}

// PublishOpt changes what one publish does.
type PublishOpt func(*handling)

// NoBuffer makes a publish fail with [ErrDisconnected] instead of being buffered
// while there is no server.
func NoBuffer() PublishOpt { return func(h *handling) { h.noBuffer = true } }

// MaxAge gives a message up, with [ErrExpired], if it is buffered longer than d; it
// wins over a longer [ReconnectBufMaxAge]. 0 or less: no limit of its own.
func MaxAge(d time.Duration) PublishOpt { return func(h *handling) { h.maxAge = d } }

// PublishWithContext is Publish where a wait, for a socket that is behind or for
// room under OverflowBlock, ends with the context; the error is then ctx.Err()
// and the message was not taken. A nil context is [ErrInvalidContext].
func (nc *Conn) PublishWithContext(ctx context.Context, subject string, data []byte) error {
	if ctx == nil {
		return ErrInvalidContext
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return nc.publish(subject, "", nil, data, &handling{ctx: ctx})
}

// PublishMsgWithContext is [Conn.PublishMsg] with the context of
// [Conn.PublishWithContext], and with options for this one message: [NoBuffer],
// [MaxAge].
func (nc *Conn) PublishMsgWithContext(ctx context.Context, m *Msg, opts ...PublishOpt) error {
	if m == nil {
		return ErrInvalidMsg
	}
	if ctx == nil {
		return ErrInvalidContext
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	var room [headerRoom]byte
	hdr, err := m.Header.appendTo(room[:0])
	if err != nil {
		return err
	}
	how := handling{ctx: ctx}
	for _, set := range opts {
		set(&how)
	}
	return nc.publish(m.Subject, m.Reply, hdr, m.Data, &how)
}

// decodePublish is the message of a frame that publish encoded.
func decodePublish(frame []byte) *Msg {
	line, rest, _ := bytes.Cut(frame, crlf)
	fields := bytes.Fields(line)
	numbers := 1
	if fields[0][0] == 'H' {
		numbers = 2
	}
	m := &Msg{Subject: string(fields[1])}
	if len(fields) == 3+numbers {
		m.Reply = string(fields[2])
	}
	m.Data = rest[:len(rest)-len(crlf)]
	if numbers == 2 {
		// Both were encoded by this library, so neither can fail.
		n, _ := strconv.Atoi(string(fields[len(fields)-2]))
		m.received = int32(n)
		m.Header, _ = DecodeHeadersMsg(m.Data[:n])
		m.Data = m.Data[n:]
	}
	return m
}

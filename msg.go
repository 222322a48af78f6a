package nats

import (
	"bytes"
	"slices"
)

// Msg is a message, received or to be published.
//
// A received message is the program's, to keep and to change, Data included. Small
// ones (up to 2 KiB, without headers) are allocated many at a time, so one that is
// kept can hold up to 16 KiB of memory; larger ones hold what they need.
type Msg struct {
	// Subject it was, or is to be, published to.
	Subject string
	// Reply is the subject on which the publisher expects answers; may be empty.
	Reply string
	// Header may be nil.
	Header Header
	// Data is the payload. No other message shares it.
	Data []byte
	// Sub is the subscription that received the message; nil on other messages.
	Sub *Subscription

	next     *Msg  // of a msgList, as is piece
	piece    int32 // messages
	received int32 // header bytes as they came, for Size
}

// NewMsg returns a message for a subject, with an empty header ready to be filled.
func NewMsg(subject string) *Msg {
	return &Msg{Subject: subject, Header: make(Header)}
}

// Size is the length of subject, reply, encoded header and data together, in
// bytes. A header that cannot be encoded counts 0.
func (m *Msg) Size() int {
	n := len(m.Subject) + len(m.Reply) + len(m.Data)
	if m.received > 0 {
		return n + int(m.received)
	}
	var room [headerRoom]byte
	hdr, err := m.Header.appendTo(room[:0])
	if err != nil {
		return n
	}
	return n + len(hdr)
}

// Equal reports whether two messages have the same subject, reply, headers and
// data. Two nil messages are equal.
func (m *Msg) Equal(other *Msg) bool {
	if m == other {
		return true
	}
	if m == nil || other == nil || m.Subject != other.Subject || m.Reply != other.Reply {
		return false
	}
	if !bytes.Equal(m.Data, other.Data) || len(m.Header) != len(other.Header) {
		return false
	}
	for k, v := range m.Header {
		w, ok := other.Header[k]
		if !ok || !slices.Equal(v, w) {
			return false
		}
	}
	return true
}

// Respond publishes data to the message's reply subject. It returns
// [ErrMsgNotBound] for a message that was not received, [ErrMsgNoReply] for one
// without a reply subject, and otherwise what Publish returns.
func (m *Msg) Respond(data []byte) error {
	nc, err := m.responder()
	if err != nil {
		return err
	}
	return nc.Publish(m.Reply, data)
}

// RespondMsg publishes a whole message, whose Subject it sets, to this
// message's reply subject. Errors are those of Respond.
func (m *Msg) RespondMsg(msg *Msg) error {
	nc, err := m.responder()
	if err != nil {
		return err
	}
	if msg == nil {
		return ErrInvalidMsg
	}
	msg.Subject = m.Reply
	return nc.PublishMsg(msg)
}

func (m *Msg) responder() (*Conn, error) {
	if m == nil || m.Sub == nil || m.Sub.conn == nil {
		return nil, ErrMsgNotBound
	}
	if m.Reply == "" {
		return nil, ErrMsgNoReply
	}
	return m.Sub.conn, nil
}

// isNoResponders reports whether the server answered that nobody is subscribed
// (status 503 and no data, from the NATS protocol's inline status line).
func (m *Msg) isNoResponders() bool {
	return len(m.Data) == 0 && m.Header.Get(statusHeader) == noResponders
}

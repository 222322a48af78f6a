package natsotel

import (
	"slices"
	"strings"

	"github.com/natsring/nats.go"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// destination is where a message goes to, or has come from.
type destination struct {
	subject   string
	template  string // low-cardinality name; "": the subject is one
	temporary bool   // an inbox
}

// defaultInbox begins the subjects of inboxes unless the program says otherwise.
const defaultInbox = nats.InboxPrefix

func (t *Tracing) destination(subject string, temporary bool) destination {
	d := destination{subject: subject, temporary: temporary || strings.HasPrefix(subject, defaultInbox)}
	if t.template != nil {
		d.template = t.template(subject)
	}
	return d
}

// received is the destination of a message that was received.
func (t *Tracing) received(m *nats.Msg) destination {
	d := t.destination(m.Subject, false)
	if s := m.Sub; s != nil && d.template == "" && s.Subject != m.Subject && !d.temporary {
		d.template = s.Subject
	}
	return d
}

// isInbox reports whether a subject has the inbox prefix of a connection.
func isInbox(nc *nats.Conn, subject string) bool {
	return nc.Opts.InboxPrefix != "" && strings.HasPrefix(subject, nc.Opts.InboxPrefix+".")
}

// spanName is operation and destination, or the operation alone where the name of the
// destination is one of very many.
func (d destination) spanName(operation string) string {
	switch {
	case d.template != "":
		return operation + " " + d.template
	case d.temporary:
		return operation
	}
	return operation + " " + d.subject
}

// attributes of a span for a message.
func (t *Tracing) attributes(operation string, kind attribute.KeyValue, d destination, m *nats.Msg) []attribute.KeyValue {
	attrs := slices.Grow(t.attrs, 8)
	attrs = append(attrs,
		semconv.MessagingOperationName(operation), kind,
		semconv.MessagingDestinationName(d.subject),
		semconv.MessagingMessageBodySize(len(m.Data)))
	if d.template != "" {
		attrs = append(attrs, semconv.MessagingDestinationTemplate(d.template))
	}
	if d.temporary {
		attrs = append(attrs, semconv.MessagingDestinationTemporary(true))
	}
	if id := m.Header.Get(msgID); id != "" {
		attrs = append(attrs, semconv.MessagingMessageID(id))
	}
	return attrs
}

// msgID is the header with the id of a message.
const msgID = "Nats-Msg-Id"

package natsotel

import (
	"context"
	"errors"

	"github.com/natsring/nats.go"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Names of the operations.
const (
	opPublish = "publish"
	opRequest = "request"
	opRespond = "respond"
	opProcess = "process"
)

// Publish is PublishMsg for a subject and data.
func (t *Tracing) Publish(ctx context.Context, nc *nats.Conn, subject string, data []byte) error {
	return t.PublishMsg(ctx, nc, &nats.Msg{Subject: subject, Data: data})
}

// PublishMsg is Conn.PublishMsgWithContext with a span, whose context goes along in the
// headers of the message. The message itself is not changed. The span ends when the message was
// taken; it has the error if it was not.
func (t *Tracing) PublishMsg(ctx context.Context, nc *nats.Conn, m *nats.Msg, opts ...nats.PublishOpt) error {
	if nc == nil || m == nil || ctx == nil {
		return nc.PublishMsgWithContext(ctx, m, opts...)
	}
	ctx, span := t.startSend(ctx, opPublish, t.destination(m.Subject, isInbox(nc, m.Subject)), m)
	defer span.End()
	err := t.send(ctx, m, func(m *nats.Msg) error { return nc.PublishMsgWithContext(ctx, m, opts...) })
	record(span, err)
	return err
}

// Request is RequestMsg for a subject and data.
func (t *Tracing) Request(ctx context.Context, nc *nats.Conn, subject string, data []byte) (*nats.Msg, error) {
	return t.RequestMsg(ctx, nc, &nats.Msg{Subject: subject, Data: data})
}

// RequestMsg is Conn.RequestMsgWithContext with a span, whose context goes along in the
// headers of the request. The message itself is not changed. The span ends with the reply.
func (t *Tracing) RequestMsg(ctx context.Context, nc *nats.Conn, m *nats.Msg) (reply *nats.Msg, err error) {
	if nc == nil || m == nil || ctx == nil {
		return nc.RequestMsgWithContext(ctx, m)
	}
	ctx, span := t.startSend(ctx, opRequest, t.destination(m.Subject, isInbox(nc, m.Subject)), m)
	defer span.End()
	err = t.send(ctx, m, func(m *nats.Msg) error {
		reply, err = nc.RequestMsgWithContext(ctx, m)
		return err
	})
	record(span, err)
	return reply, err
}

// Respond is RespondMsg for data.
func (t *Tracing) Respond(ctx context.Context, m *nats.Msg, data []byte) error {
	return t.RespondMsg(ctx, m, &nats.Msg{Data: data})
}

// RespondMsg is m.RespondMsg(reply) with a span, whose context goes along in the headers of
// the reply. ctx is that of the handler. The reply itself is not changed. Its destination counts as
// temporary.
func (t *Tracing) RespondMsg(ctx context.Context, m, reply *nats.Msg) error {
	if ctx == nil {
		return nats.ErrInvalidContext
	}
	if m == nil || reply == nil {
		return nats.ErrInvalidMsg
	}
	ctx, span := t.startSend(ctx, opRespond, t.destination(m.Reply, true), reply)
	defer span.End()
	err := t.send(ctx, reply, m.RespondMsg)
	record(span, err)
	return err
}

func (t *Tracing) startSend(ctx context.Context, operation string, d destination, m *nats.Msg) (context.Context, trace.Span) {
	return t.tracer.Start(ctx, d.spanName(operation),
		trace.WithSpanKind(trace.SpanKindProducer),
		trace.WithAttributes(t.attributes(operation, semconv.MessagingOperationTypeSend, d, m)...))
}

// send sends a copy of a message with the context in its headers. To a server that takes no
// headers it goes without.
func (t *Tracing) send(ctx context.Context, m *nats.Msg, send func(*nats.Msg) error) error {
	w := writer{Carrier: Carrier(m.Header)}
	t.propagators().Inject(ctx, &w)
	traced := &nats.Msg{Subject: m.Subject, Reply: m.Reply, Header: nats.Header(w.Carrier), Data: m.Data}
	err := send(traced)
	if len(m.Header) == 0 && errors.Is(err, nats.ErrHeadersNotSupported) {
		traced.Header = nil
		err = send(traced)
	}
	return err
}

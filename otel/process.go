package natsotel

import (
	"context"
	"errors"
	"fmt"

	"github.com/natsring/nats.go"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// Handler makes a handler for Subscribe out of h, which runs within a process span: see
// Process. Its error is recorded there and goes nowhere else.
func (t *Tracing) Handler(h func(ctx context.Context, m *nats.Msg) error) nats.MsgHandler {
	return func(m *nats.Msg) { _ = t.Process(context.Background(), m, h) }
}

// Process runs h within a span for a received message, for subscriptions that are read with
// NextMsg, from a channel or in a loop. ctx is what h gets, with the span and the baggage of
// the message; a span in it is linked, and is the parent if the message has none. It returns the
// error of h, which the span records; a panic is recorded too and goes on.
func (t *Tracing) Process(ctx context.Context, m *nats.Msg, h func(context.Context, *nats.Msg) error) error {
	d := t.received(m)
	attrs := t.attributes(opProcess, semconv.MessagingOperationTypeProcess, d, m)
	if m.Sub != nil && m.Sub.Queue != "" {
		attrs = append(attrs, semconv.MessagingConsumerGroupName(m.Sub.Queue))
	}
	ctx, opts := t.relate(ctx, m)
	opts = append(opts, trace.WithSpanKind(trace.SpanKindConsumer), trace.WithAttributes(attrs...))
	ctx, span := t.tracer.Start(ctx, d.spanName(opProcess), opts...)
	defer span.End()
	defer recordPanic(span)
	err := h(ctx, m)
	record(span, err)
	return err
}

// relate takes the context over that came with a message, and says how the process span
// belongs to the span in it and to the one that was there before.
func (t *Tracing) relate(ctx context.Context, m *nats.Msg) (context.Context, []trace.SpanStartOption) {
	if m.Header == nil {
		return ctx, nil
	}
	here := trace.SpanContextFromContext(ctx)
	ctx = t.propagators().Extract(ctx, Carrier(m.Header))
	sender := trace.SpanContextFromContext(ctx)
	if sender.Equal(here) {
		return ctx, nil
	}
	links := []trace.Link{{SpanContext: sender}}
	if here.IsValid() {
		links = append(links, trace.Link{SpanContext: here})
	}
	opts := []trace.SpanStartOption{trace.WithLinks(links...)}
	if t.linkOnly {
		opts = append(opts, trace.WithNewRoot())
	}
	return ctx, opts
}

// record notes an error, with a name of which there are few.
func record(span trace.Span, err error) {
	if err == nil || !span.IsRecording() {
		return
	}
	span.RecordError(err)
	span.SetStatus(codes.Error, err.Error())
	for _, known := range errorTypes {
		if errors.Is(err, known.err) {
			span.SetAttributes(semconv.ErrorTypeKey.String(known.name))
			return
		}
	}
	span.SetAttributes(semconv.ErrorType(err))
}

// recordPanic notes that a handler panics, and lets it.
func recordPanic(span trace.Span) {
	cause := recover()
	if cause == nil {
		return
	}
	err, ok := cause.(error)
	if !ok {
		err = fmt.Errorf("panic: %v", cause)
	}
	record(span, err)
	panic(cause)
}

// errorTypes are the names of the errors that a span is likely to have.
var errorTypes = []struct {
	err  error
	name string
}{
	{nats.ErrNoResponders, "no_responders"},
	{nats.ErrTimeout, "timeout"},
	{context.DeadlineExceeded, "timeout"},
	{context.Canceled, "canceled"},
	{nats.ErrReconnectBufExceeded, "reconnect_buffer_exceeded"},
	{nats.ErrConnectionClosed, "connection_closed"},
	{nats.ErrConnectionDraining, "connection_draining"},
	{nats.ErrDisconnected, "disconnected"},
	{nats.ErrMaxPayload, "max_payload"},
	{nats.ErrBadSubject, "bad_subject"},
}

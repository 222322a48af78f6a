package natsotel

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/natsring/nats.go"
)

func TestOneTraceFromPublisherToSubscriber(t *testing.T) {
	t.Parallel()
	r := newRig(t, Attributes(region))
	r.subscribe("orders.*", "billing", func(ctx context.Context, m *nats.Msg) error {
		require.Equal(t, "yes", baggage.FromContext(ctx).Member("urgent").Value())
		return r.Publish(ctx, r.nc, "done", nil)
	})
	r.subscribe("done", "", ignore)

	member, err := baggage.NewMember("urgent", "yes")
	require.NoError(t, err)
	bag, err := baggage.New(member)
	require.NoError(t, err)
	ctx, root := r.tracer.Start(baggage.ContextWithBaggage(within(t), bag), "root")
	m := &nats.Msg{Subject: "orders.new", Header: nats.Header{"Nats-Msg-Id": {"7"}}, Data: []byte("four")}
	require.NoError(t, r.PublishMsg(ctx, r.nc, m))
	root.End()
	require.Equal(t, nats.Header{"Nats-Msg-Id": {"7"}}, m.Header, "the program's message is as it was")

	sent, handled := r.span("publish orders.new"), r.span("process orders.*")
	last := r.span("process done")
	for _, s := range []trace.SpanContext{sent.SpanContext(), handled.SpanContext(), last.SpanContext()} {
		require.Equal(t, root.SpanContext().TraceID(), s.TraceID())
	}
	require.Equal(t, root.SpanContext().SpanID(), sent.Parent().SpanID())
	require.Equal(t, sent.SpanContext().SpanID(), handled.Parent().SpanID())
	require.True(t, handled.Parent().IsRemote())
	require.Len(t, handled.Links(), 1)
	require.Equal(t, sent.SpanContext().SpanID(), handled.Links()[0].SpanContext.SpanID())
	require.Equal(t, handled.SpanContext().SpanID(), r.span("publish done").Parent().SpanID())

	require.Equal(t, trace.SpanKindProducer, sent.SpanKind())
	require.Equal(t, trace.SpanKindConsumer, handled.SpanKind())
	require.Equal(t, "https://opentelemetry.io/schemas/1.43.0", sent.InstrumentationScope().SchemaURL)
	require.Equal(t, ScopeName, sent.InstrumentationScope().Name)
	require.Equal(t, map[string]any{
		"messaging.system": "nats", "region": "eu", "messaging.operation.name": "publish", "messaging.operation.type": "send",
		"messaging.destination.name": "orders.new", "messaging.message.body.size": int64(4), "messaging.message.id": "7",
	}, attrs(sent))
	require.Equal(t, map[string]any{
		"messaging.system": "nats", "region": "eu", "messaging.operation.name": "process", "messaging.operation.type": "process",
		"messaging.destination.name": "orders.new", "messaging.destination.template": "orders.*",
		"messaging.message.body.size": int64(4), "messaging.message.id": "7", "messaging.consumer.group.name": "billing",
	}, attrs(handled))
}

func TestOneTraceOverRequestAndReply(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.subscribe("price", "", func(ctx context.Context, m *nats.Msg) error { return r.Respond(ctx, m, []byte("42")) })
	reply, err := r.Request(within(t), r.nc, "price", []byte("x"))
	require.NoError(t, err)
	require.Equal(t, "42", string(reply.Data))

	asked, served, answered := r.span("request price"), r.span("process price"), r.span("respond")
	require.Equal(t, asked.SpanContext().SpanID(), served.Parent().SpanID())
	require.Equal(t, served.SpanContext().SpanID(), answered.Parent().SpanID())
	require.Equal(t, asked.SpanContext().TraceID(), answered.SpanContext().TraceID())
	require.Contains(t, reply.Header.Get("traceparent"), answered.SpanContext().SpanID().String())
	require.Equal(t, true, attrs(answered)["messaging.destination.temporary"])
	require.Equal(t, reply.Subject, attrs(answered)["messaging.destination.name"])
	require.NotContains(t, attrs(asked), "messaging.destination.temporary")
	require.False(t, asked.EndTime().Before(answered.StartTime()), "the request ends with the reply")
}

// What was published in an outage is handled in the trace in which it was published.
func TestTraceGoesOnOverAReconnect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.subscribe("late", "", ignore)
	r.server.Kill()
	require.Eventually(t, r.nc.IsReconnecting, patience, time.Millisecond)
	require.NoError(t, r.Publish(within(t), r.nc, "late", nil))
	sent := r.span("publish late")
	require.Equal(t, 1, r.nc.BufferStats().Msgs, "the span has ended, the message waits")
	require.NoError(t, r.server.Start())
	handled := r.span("process late")
	require.Equal(t, sent.SpanContext().SpanID(), handled.Parent().SpanID())
	require.Equal(t, sent.SpanContext().TraceID(), handled.SpanContext().TraceID())
}

func TestMessageWithoutContextBeginsATrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.subscribe("plain", "", ignore)
	for _, header := range []nats.Header{nil, {"other": {"x"}}, {"traceparent": {"nonsense"}}} {
		r.spans.Reset()
		require.NoError(t, r.nc.PublishMsg(&nats.Msg{Subject: "plain", Header: header}))
		s := r.span("process plain")
		require.False(t, s.Parent().IsValid())
		require.Empty(t, s.Links())
	}
}

// A publisher that writes the header as HTTP libraries do is understood.
func TestHeaderInOtherSpelling(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.subscribe("http", "", ignore)
	const id = "0af7651916cd43dd8448eb211c80319c"
	require.NoError(t, r.nc.PublishMsg(&nats.Msg{Subject: "http", Header: nats.Header{"Traceparent": {"00-" + id + "-b7ad6b7169203331-01"}}}))
	require.Equal(t, id, r.span("process http").SpanContext().TraceID().String())
}

func TestLinkOnly(t *testing.T) {
	t.Parallel()
	r := newRig(t, LinkOnly())
	r.subscribe("far", "", ignore)
	require.NoError(t, r.Publish(within(t), r.nc, "far", nil))
	sent, handled := r.span("publish far"), r.span("process far")
	require.NotEqual(t, sent.SpanContext().TraceID(), handled.SpanContext().TraceID())
	require.False(t, handled.Parent().IsValid())
	require.Equal(t, sent.SpanContext().SpanID(), handled.Links()[0].SpanContext.SpanID())
}

// A subscription that is read within a span links to that as well.
func TestProcessWithinASpan(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sub, err := r.nc.SubscribeSync("pulled")
	require.NoError(t, err)
	require.NoError(t, r.Publish(within(t), r.nc, "pulled", nil))
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	ctx, here := r.tracer.Start(within(t), "poll")
	require.NoError(t, r.Process(ctx, m, ignore))
	s := r.span("process pulled")
	require.Equal(t, r.span("publish pulled").SpanContext().SpanID(), s.Parent().SpanID())
	require.Len(t, s.Links(), 2)
	require.Equal(t, here.SpanContext().SpanID(), s.Links()[1].SpanContext.SpanID())

	require.NoError(t, r.Process(ctx, nats.NewMsg("bare"), ignore))
	require.Equal(t, here.SpanContext().SpanID(), r.span("process bare").Parent().SpanID())
	require.Empty(t, r.span("process bare").Links())
}

func TestNamesAreFew(t *testing.T) {
	t.Parallel()
	r := newRig(t, DestinationTemplate(func(subject string) string {
		if strings.HasPrefix(subject, "user.") {
			return "user.{id}"
		}
		return ""
	}))
	require.NoError(t, r.Publish(within(t), r.nc, "user.17", nil))
	require.Equal(t, "user.{id}", attrs(r.span("publish user.{id}"))["messaging.destination.template"])
	require.NoError(t, r.Publish(within(t), r.nc, nats.NewInbox(), nil))
	require.Equal(t, true, attrs(r.span("publish"))["messaging.destination.temporary"])

	own := r.connect(nats.CustomInboxPrefix("me"))
	r.spans.Reset()
	require.NoError(t, r.Publish(within(t), own, own.NewInbox(), nil))
	require.Equal(t, true, attrs(r.span("publish"))["messaging.destination.temporary"])
}

func TestErrorsAreRecorded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, err := r.Request(within(t), r.nc, "nobody", nil)
	require.ErrorIs(t, err, nats.ErrNoResponders)
	failed := r.span("request nobody")
	require.Equal(t, codes.Error, failed.Status().Code)
	require.Equal(t, "no_responders", attrs(failed)["error.type"])
	require.Equal(t, "exception", failed.Events()[0].Name)

	require.ErrorIs(t, r.Publish(within(t), r.nc, "a b", nil), nats.ErrBadSubject)
	require.Equal(t, "bad_subject", attrs(r.span("publish a b"))["error.type"])

	r.subscribe("fails", "", func(context.Context, *nats.Msg) error { return fmt.Errorf("no: %w", errors.ErrUnsupported) })
	require.NoError(t, r.Publish(within(t), r.nc, "fails", nil))
	require.Equal(t, "no: unsupported operation", r.span("process fails").Status().Description)
	require.Contains(t, attrs(r.span("process fails")), "error.type")

	require.PanicsWithValue(t, "oh", func() {
		_ = r.Process(within(t), nats.NewMsg("panics"), func(context.Context, *nats.Msg) error { panic("oh") })
	})
	require.Equal(t, "panic: oh", r.span("process panics").Status().Description)
	require.Equal(t, codes.Unset, r.span("publish fails").Status().Code)
}

func TestWrongArguments(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var noCtx context.Context
	require.ErrorIs(t, r.Publish(within(t), nil, "a", nil), nats.ErrInvalidConnection)
	require.ErrorIs(t, r.PublishMsg(within(t), r.nc, nil), nats.ErrInvalidMsg)
	require.ErrorIs(t, r.Publish(noCtx, r.nc, "a", nil), nats.ErrInvalidContext)
	_, err := r.Request(noCtx, r.nc, "a", nil)
	require.ErrorIs(t, err, nats.ErrInvalidContext)
	_, err = r.RequestMsg(within(t), r.nc, nil)
	require.ErrorIs(t, err, nats.ErrInvalidMsg)
	require.ErrorIs(t, r.Respond(within(t), nil, nil), nats.ErrInvalidMsg)
	require.ErrorIs(t, r.Respond(noCtx, nats.NewMsg("a"), nil), nats.ErrInvalidContext)
	require.ErrorIs(t, r.Respond(within(t), nats.NewMsg("a"), nil), nats.ErrMsgNotBound)
	require.Len(t, r.spans.Ended(), 1, "what is no message has no span")
}

// The global provider and propagator are used as they are, and do nothing until the program
// sets them.
func TestWithoutAProviderNothingIsAdded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	quiet := New(nil)
	sub, err := r.nc.SubscribeSync("quiet")
	require.NoError(t, err)
	m := &nats.Msg{Subject: "quiet", Header: nats.Header{"a": {"b"}}}
	require.NoError(t, quiet.PublishMsg(within(t), r.nc, m))
	got, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, m.Header, got.Header)
	require.NoError(t, quiet.Publish(within(t), r.nc, "quiet", nil))
	got, err = sub.NextMsg(patience)
	require.NoError(t, err)
	require.Nil(t, got.Header)
	require.NoError(t, quiet.Process(within(t), got, ignore))
}

// A disabled tracer costs a few allocations, which bounds what it can cost in time.
func TestDisabledTracingIsCheap(t *testing.T) {
	r := newRig(t)
	quiet, ctx := New(), within(t)
	data := make([]byte, 128)
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _ = quiet.Publish(ctx, r.nc, "cheap", data) }), 12.0)
	m := &nats.Msg{Subject: "cheap", Data: data}
	require.LessOrEqual(t, testing.AllocsPerRun(1000, func() { _ = quiet.Process(ctx, m, ignore) }), 10.0)
}

func TestCarrier(t *testing.T) {
	t.Parallel()
	c := Carrier{"TraceParent": {"old"}, "traceparent": {"exact", "second"}, "Baggage": {"a=1", "b=2"}}
	require.Equal(t, "exact", c.Get("traceparent"))
	require.Equal(t, []string{"a=1", "b=2"}, c.Values("baggage"))
	require.Equal(t, "", c.Get("none"))
	require.ElementsMatch(t, []string{"TraceParent", "traceparent", "Baggage"}, c.Keys())
	c.Set("traceparent", "new")
	require.Equal(t, Carrier{"traceparent": {"new"}, "Baggage": {"a=1", "b=2"}}, c)

	w := writer{Carrier: c}
	w.Set("traceparent", "newer")
	w.Set("x", "y")
	require.Equal(t, "new", c.Get("traceparent"), "the program's headers are as they were")
	require.Equal(t, "newer", w.Get("traceparent"))
	require.NotContains(t, c, "x")
}

func TestAttributesAreNotShared(t *testing.T) {
	t.Parallel()
	tr := New(Attributes(region))
	one := tr.attributes("a", attribute.KeyValue{}, destination{subject: "one"}, nats.NewMsg("one"))
	_ = tr.attributes("a", attribute.KeyValue{}, destination{subject: "two"}, nats.NewMsg("two"))
	require.Equal(t, "one", one[len(tr.attrs)+2].Value.AsString())
}

package natsotel

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

// TestMain fails the package if a goroutine outlives the tests.
func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

const patience = 20 * time.Second

// rig is a server, a connection to it, and tracing whose spans are kept.
type rig struct {
	*Tracing
	t        *testing.T
	server   *testserver.Server
	nc       *nats.Conn
	provider *sdktrace.TracerProvider
	spans    *tracetest.SpanRecorder
}

func newRig(t *testing.T, opts ...Option) *rig {
	t.Helper()
	r := &rig{t: t, server: testserver.Run(t), spans: tracetest.NewSpanRecorder()}
	r.provider = sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(r.spans))
	w3c := propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	r.Tracing = New(append([]Option{TracerProvider(r.provider), Propagator(w3c)}, opts...)...)
	r.nc = r.connect()
	return r
}

func (r *rig) connect(opts ...nats.Option) *nats.Conn {
	r.t.Helper()
	nc, err := nats.Connect(r.server.URL(), append([]nats.Option{nats.Timeout(patience), nats.MaxReconnects(-1),
		nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0)}, opts...)...)
	require.NoError(r.t, err)
	r.t.Cleanup(nc.Close)
	return nc
}

// subscribe handles a subject with a handler that is told of nothing.
func (r *rig) subscribe(subject, queue string, h func(context.Context, *nats.Msg) error) {
	r.t.Helper()
	_, err := r.nc.QueueSubscribe(subject, queue, r.Handler(h))
	require.NoError(r.t, err)
	require.NoError(r.t, r.nc.Flush())
}

// span waits for the end of a span and returns it.
func (r *rig) span(name string) sdktrace.ReadOnlySpan {
	r.t.Helper()
	var found sdktrace.ReadOnlySpan
	require.Eventually(r.t, func() bool {
		for _, s := range r.spans.Ended() {
			if s.Name() == name {
				found = s
			}
		}
		return found != nil
	}, patience, time.Millisecond, name)
	return found
}

// attrs are the attributes of a span by key.
func attrs(s sdktrace.ReadOnlySpan) map[string]any {
	m := make(map[string]any)
	for _, a := range s.Attributes() {
		m[string(a.Key)] = a.Value.AsInterface()
	}
	return m
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

var region = attribute.String("region", "eu")

func ignore(context.Context, *nats.Msg) error { return nil }

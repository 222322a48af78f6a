package natsotel

import (
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// ScopeName is the name of this instrumentation, as the tracer's.
const ScopeName = "github.com/natsring/nats.go/otel"

// Tracing publishes, requests and handles messages with spans. It is made by New, and may
// be used by any number of goroutines and connections.
type Tracing struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator // nil: the global one, as it is at the time
	attrs      []attribute.KeyValue          // of every span
	template   func(subject string) string   // may be nil
	linkOnly   bool
}

// Option is a setting of New.
type Option func(*settings)

type settings struct {
	Tracing
	provider trace.TracerProvider
}

// New returns a Tracing. Without options it uses the global TracerProvider and the
// global propagator, which have to be set by the program: until they are, no spans are
// recorded and nothing is put into headers.
func New(opts ...Option) *Tracing {
	s := settings{provider: otel.GetTracerProvider()}
	s.attrs = []attribute.KeyValue{semconv.MessagingSystemKey.String("nats")}
	for _, set := range opts {
		if set != nil {
			set(&s)
		}
	}
	t := s.Tracing
	t.attrs = slices.Clip(t.attrs)
	t.tracer = s.provider.Tracer(ScopeName, trace.WithSchemaURL(semconv.SchemaURL))
	return &t
}

// TracerProvider sets where spans go; default: the global provider.
func TracerProvider(p trace.TracerProvider) Option { return func(s *settings) { s.provider = p } }

// Propagator sets how a span's context is put into headers and read from them; default:
// the global propagator.
func Propagator(p propagation.TextMapPropagator) Option {
	return func(s *settings) { s.propagator = p }
}

// Attributes adds attributes to every span.
func Attributes(attrs ...attribute.KeyValue) Option {
	return func(s *settings) { s.attrs = append(s.attrs, attrs...) }
}

// DestinationTemplate sets what turns a subject into the name of its kind, of which there
// are few: "orders.42.paid" into "orders.{id}.paid". It stands in the names of spans, and as
// messaging.destination.template. An empty result says that the subject has none. By default a
// published subject stands for itself, and a received one for that of its subscription, with
// the wildcards in it.
func DestinationTemplate(f func(subject string) string) Option {
	return func(s *settings) { s.template = f }
}

// LinkOnly makes process spans begin traces of their own that are linked to the span that
// published the message, instead of being its children: for traces that would become too
// large, or publishers whose sampling is not to be followed.
func LinkOnly() Option { return func(s *settings) { s.linkOnly = true } }

func (t *Tracing) propagators() propagation.TextMapPropagator {
	if t.propagator != nil {
		return t.propagator
	}
	return otel.GetTextMapPropagator()
}

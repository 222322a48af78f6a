package natsotel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

// What tracing adds to a publish: without a provider, and with one that records.
func BenchmarkPublish(b *testing.B) {
	s := testserver.Run(b)
	nc, err := nats.Connect(s.URL())
	require.NoError(b, err)
	defer nc.Close()
	data := make([]byte, 128)
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			_ = nc.Publish("bench", data)
		}
	})
	for name, tr := range map[string]*Tracing{
		"disabled": New(),
		"recorded": New(TracerProvider(sdktrace.NewTracerProvider()), Propagator(propagation.TraceContext{})),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = tr.Publish(b.Context(), nc, "bench", data)
			}
		})
	}
}

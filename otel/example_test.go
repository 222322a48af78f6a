package natsotel_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"go.opentelemetry.io/otel/propagation"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
	natsotel "github.com/natsring/nats.go/otel"
)

// A request, the handler that serves it and its reply are one trace.
func Example() {
	server, err := testserver.New(testserver.Config{}) // in place of yours
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	spans := tracetest.NewInMemoryExporter() // in place of your exporter
	provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	tracing := natsotel.New(natsotel.TracerProvider(provider), natsotel.Propagator(propagation.TraceContext{}))

	nc, err := nats.Connect(server.URL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	_, err = nc.Subscribe("price.*", tracing.Handler(func(ctx context.Context, m *nats.Msg) error {
		return tracing.Respond(ctx, m, []byte("42"))
	}))
	if err != nil {
		log.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	reply, err := tracing.Request(ctx, nc, "price.tea", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := nc.Shutdown(ctx); err != nil { // behind it every span has ended
		log.Fatal(err)
	}
	fmt.Println("the price is", string(reply.Data))
	traces := make(map[any]bool)
	for _, s := range spans.GetSpans().Snapshots() {
		fmt.Println(s.SpanKind(), s.Name())
		traces[s.SpanContext().TraceID()] = true
	}
	fmt.Println(len(traces), "trace")
	// Unordered output:
	// the price is 42
	// producer respond
	// consumer process price.*
	// producer request price.tea
	// 1 trace
}

package natsprom_test

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
	natsprom "github.com/natsring/nats.go/prometheus"
)

// A service shows its connection at /metrics.
func Example() {
	server, err := testserver.New(testserver.Config{}) // in place of yours
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	nc, err := nats.Connect(server.URL(), nats.Name("orders"))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	registry := prometheus.NewRegistry()
	registry.MustRegister(natsprom.NewCollector(nc))
	metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})) // in place of http.Handle("/metrics", ...)
	defer metrics.Close()

	for range 3 {
		if err := nc.Publish("orders.new", []byte("tea")); err != nil {
			log.Fatal(err)
		}
	}
	response, err := metrics.Client().Get(metrics.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "nats_client_published_") || strings.Contains(line, `"CONNECTED"`) {
			fmt.Print(line)
		}
	}
	// Output:
	// nats_client_published_bytes_total{connection="orders"} 9
	// nats_client_published_messages_total{connection="orders"} 3
	// nats_client_status{connection="orders",status="CONNECTED"} 1
}

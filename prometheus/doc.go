// Package natsprom shows connections to Prometheus.
//
//	nc, err := nats.Connect(url, nats.Name("orders"))
//	...
//	prometheus.MustRegister(natsprom.NewCollector(nc))
//
// Register one collector for each connection; the label "connection" tells them apart. It
// has the connection's name, or what Label says, and must be another one for each of a
// registry. Unregister the collector of a connection that is replaced.
//
// A collector holds nothing and counts nothing: it asks the connection at each scrape,
// which answers at once in every state. It may be made before there is a server, and stay
// after Close.
//
// What to watch in an outage: nats_client_outage_seconds says how long there has been no
// server, nats_client_buffer_bytes over nats_client_buffer_limit_bytes how full the
// reconnect buffer is, and increases of nats_client_rejected_messages_total,
// nats_client_undelivered_messages_total and nats_client_in_doubt_messages_total what it has cost.
package natsprom

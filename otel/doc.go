// Package natsotel traces messages with OpenTelemetry: one trace goes from the publisher
// through the message's headers to the subscriber, and from the request to its reply, over
// any number of reconnects.
//
//	tracing := natsotel.New()
//
//	// publisher
//	err := tracing.Publish(ctx, nc, "orders.new", data)
//
//	// subscriber
//	nc.QueueSubscribe("orders.*", "billing", tracing.Handler(func(ctx context.Context, m *nats.Msg) error {
//		return bill(ctx, m.Data)
//	}))
//
//	// requester
//	reply, err := tracing.Request(ctx, nc, "price", data)
//
//	// responder
//	nc.Subscribe("price", tracing.Handler(func(ctx context.Context, m *nats.Msg) error {
//		return tracing.Respond(ctx, m, price(ctx))
//	}))
//
// Spans follow the semantic conventions for messaging, version 1.43.0:
//
//	publish, respond  PRODUCER  until Publish has taken the message
//	request           PRODUCER  until the reply is there
//	process           CONSUMER  while the handler runs
//
// A span is called after the operation and the destination: "publish orders.new", "process
// orders.*". Where subjects have ids in them DestinationTemplate keeps the number of names small;
// inboxes are temporary destinations and stand in no name.
//
// A process span is a child of the span that published the message, and linked to it; see
// LinkOnly. A message without a context in its headers begins a trace of its own.
//
// That publish has ended does not mean that the message has left: it may wait in the
// reconnect buffer, with its headers, so the trace goes on when the outage is over.
package natsotel

package natsprom

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/natsring/nats.go"
)

// namespace begins all names.
const namespace = "nats_client_"

// reading is what one scrape has asked of a connection.
type reading struct {
	nc     *nats.Conn
	buffer nats.BufferStats
	stats  nats.Statistics
	subs   nats.SubscriptionStats
}

func read(nc *nats.Conn) *reading {
	return &reading{nc: nc, buffer: nc.BufferStats(), stats: nc.Stats(), subs: nc.SubscriptionStats()}
}

// metric is one row of the table of what every connection has.
type metric struct {
	name  string
	help  string
	kind  prometheus.ValueType
	value func(*reading) float64
}

func gauge[T number](name, help string, value func(*reading) T) metric {
	return metric{name, help, prometheus.GaugeValue, func(r *reading) float64 { return float64(value(r)) }}
}

func counter(name, help string, value func(*reading) uint64) metric {
	return metric{name, help, prometheus.CounterValue, func(r *reading) float64 { return float64(value(r)) }}
}

// age is a gauge of a duration, in seconds.
func age(name, help string, value func(*reading) time.Duration) metric {
	return gauge(name, help, func(r *reading) float64 { return value(r).Seconds() })
}

type number interface{ int | float64 }

var metrics = []metric{
	age("outage_seconds", "For how long there has been no server; 0 while there is one.",
		func(r *reading) time.Duration { return r.nc.Outage() }),
	counter("reconnects_total", "Attempts to reconnect that have reached a server.",
		func(r *reading) uint64 { return r.stats.Reconnects }),
	counter("received_messages_total", "Messages received, dropped ones included.",
		func(r *reading) uint64 { return r.stats.InMsgs }),
	counter("received_bytes_total", "Header and data bytes of received messages.",
		func(r *reading) uint64 { return r.stats.InBytes }),
	counter("published_messages_total", "Messages accepted for sending, buffered ones included.",
		func(r *reading) uint64 { return r.stats.OutMsgs }),
	counter("published_bytes_total", "Header and data bytes of published messages.",
		func(r *reading) uint64 { return r.stats.OutBytes }),

	gauge("buffer_messages", "Messages held: not known to be with the server or the operating system.",
		func(r *reading) int { return r.buffer.Msgs }),
	gauge("buffer_bytes", "Bytes held, as they go on the wire.",
		func(r *reading) int { return r.buffer.Bytes }),
	gauge("buffer_limit_messages", "Messages that the reconnect buffer takes; 0: no limit in messages.",
		func(r *reading) int { return max(0, r.nc.Opts.ReconnectBufMsgs) }),
	gauge("buffer_limit_bytes", "Bytes that the reconnect buffer takes; 0: it is off.",
		func(r *reading) int { return max(0, r.nc.Opts.ReconnectBufSize) }),
	gauge("buffer_peak_messages", "The most messages that were held without a server.",
		func(r *reading) int { return r.buffer.MaxMsgs }),
	gauge("buffer_peak_bytes", "The most bytes that were held without a server.",
		func(r *reading) int { return r.buffer.MaxBytes }),
	gauge("unconfirmed_messages", "With at-least-once: messages sent and not confirmed.",
		func(r *reading) int { return r.buffer.UnconfirmedMsgs }),
	gauge("unconfirmed_bytes", "With at-least-once: bytes sent and not confirmed.",
		func(r *reading) int { return r.buffer.UnconfirmedBytes }),
	age("buffer_oldest_age_seconds", "Age of the oldest message held.",
		func(r *reading) time.Duration { return r.buffer.OldestAge }),
	age("unconfirmed_oldest_age_seconds", "Age of the oldest message that is not confirmed.",
		func(r *reading) time.Duration { return r.buffer.OldestUnconfirmed }),

	counter("buffered_messages_total", "Messages that were held while there was no server.",
		func(r *reading) uint64 { return r.buffer.Buffered }),
	counter("replayed_messages_total", "Buffered messages that were sent later.",
		func(r *reading) uint64 { return r.buffer.Replayed }),
	counter("rejected_messages_total", "Publishes refused because there was no server.",
		func(r *reading) uint64 { return r.buffer.Rejected }),
	counter("dropped_messages_total", "Accepted messages given up because the buffer was full.",
		func(r *reading) uint64 { return r.buffer.Dropped }),
	counter("expired_messages_total", "Accepted messages given up because they were too old.",
		func(r *reading) uint64 { return r.buffer.Expired }),
	counter("undelivered_messages_total", "Accepted messages given up for any reason, dropped and expired ones included.",
		func(r *reading) uint64 { return r.buffer.Undelivered }),
	counter("withdrawn_requests_total", "Requests not sent because their callers had given up.",
		func(r *reading) uint64 { return r.buffer.Withdrawn }),
	counter("purged_messages_total", "Messages that the program took back.",
		func(r *reading) uint64 { return r.buffer.Purged }),
	counter("in_doubt_messages_total", "Messages sent when a connection broke, of which nobody knows whether they arrived.",
		func(r *reading) uint64 { return r.buffer.InDoubt }),
	counter("confirmed_messages_total", "With at-least-once: messages that the server has processed.",
		func(r *reading) uint64 { return r.buffer.Confirmed }),
	counter("repeated_messages_total", "With at-least-once: messages sent again.",
		func(r *reading) uint64 { return r.buffer.Repeated }),

	gauge("subscriptions", "Live subscriptions.",
		func(r *reading) int { return r.subs.Subscriptions }),
	gauge("pending_messages", "Received messages that wait for handlers and readers.",
		func(r *reading) int { return r.subs.PendingMsgs }),
	gauge("pending_bytes", "Data bytes of received messages that wait.",
		func(r *reading) int { return r.subs.PendingBytes }),
	counter("slow_consumer_dropped_messages_total", "Received messages dropped at the pending limits of subscriptions.",
		func(r *reading) uint64 { return r.subs.Dropped }),
}

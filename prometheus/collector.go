package natsprom

import (
	"maps"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/natsring/nats.go"
)

// Collector shows one connection. It may be used by any number of registries and
// goroutines.
type Collector struct {
	nc     *nats.Conn
	labels prometheus.Labels
	rtt    time.Duration // how long to wait; 0: not asked for
	bySub  bool

	descs      []*prometheus.Desc // one for each of metrics
	status     *prometheus.Desc
	roundTrip  *prometheus.Desc
	subPending *prometheus.Desc
	subBytes   *prometheus.Desc
	subDropped *prometheus.Desc
}

var _ prometheus.Collector = (*Collector)(nil)

// Option is a setting of NewCollector.
type Option func(*Collector)

// Label sets the value of the label "connection"; default: the name of the connection.
func Label(connection string) Option {
	return Labels(prometheus.Labels{connectionLabel: connection})
}

// Labels adds constant labels to all metrics.
func Labels(labels prometheus.Labels) Option {
	return func(c *Collector) { maps.Copy(c.labels, labels) }
}

// RTT makes each scrape ask the server for an answer and show how long it took, as
// nats_client_rtt_seconds. It waits for at most timeout; without a server, or without an answer,
// the metric is left out. Default: the server is not asked.
func RTT(timeout time.Duration) Option { return func(c *Collector) { c.rtt = timeout } }

// BySubscription adds metrics of the live subscriptions by subject and queue group: as many
// series as there are of these, so use it only where they are few. Those with the same subject
// and group are one series. nats_client_subscription_dropped_messages falls when one of them
// ends; the total of the connection, slow_consumer_dropped_messages_total, does not.
func BySubscription() Option { return func(c *Collector) { c.bySub = true } }

const connectionLabel = "connection"

// NewCollector returns a collector for a connection.
func NewCollector(nc *nats.Conn, opts ...Option) *Collector {
	c := &Collector{nc: nc, labels: prometheus.Labels{connectionLabel: nc.Opts.Name}}
	for _, set := range opts {
		set(c)
	}
	for _, m := range metrics {
		c.descs = append(c.descs, c.desc(m.name, m.help))
	}
	c.status = c.desc("status", "1 for the state of the connection, 0 for all others.", "status")
	c.roundTrip = c.desc("rtt_seconds", "How long the server took to answer at this scrape.")
	c.subPending = c.desc("subscription_pending_messages", "Received messages that wait, by subscription.", "subject", "queue")
	c.subBytes = c.desc("subscription_pending_bytes", "Data bytes of received messages that wait, by subscription.", "subject", "queue")
	c.subDropped = c.desc("subscription_dropped_messages", "Messages that live subscriptions have dropped at their pending limits.", "subject", "queue")
	return c
}

func (c *Collector) desc(name, help string, variable ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+name, help, variable, c.labels)
}

// Describe sends the descriptions of all metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
	ch <- c.status
	if c.rtt > 0 {
		ch <- c.roundTrip
	}
	if c.bySub {
		ch <- c.subPending
		ch <- c.subBytes
		ch <- c.subDropped
	}
}

// Collect asks the connection and sends what it says.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	r := read(c.nc)
	for i, m := range metrics {
		ch <- prometheus.MustNewConstMetric(c.descs[i], m.kind, m.value(r))
	}
	c.collectStatus(ch)
	c.collectRTT(ch)
	if c.bySub {
		c.collectSubs(ch)
	}
}

// statuses are the states that programs see.
var statuses = []nats.Status{
	nats.DISCONNECTED, nats.CONNECTED, nats.CLOSED, nats.RECONNECTING,
	nats.CONNECTING, nats.DRAINING_SUBS, nats.DRAINING_PUBS,
}

func (c *Collector) collectStatus(ch chan<- prometheus.Metric) {
	now := c.nc.Status()
	for _, s := range statuses {
		value := 0.0
		if s == now {
			value = 1
		}
		ch <- prometheus.MustNewConstMetric(c.status, prometheus.GaugeValue, value, s.String())
	}
}

// collectRTT does not begin without a server: a flush would wait for one.
func (c *Collector) collectRTT(ch chan<- prometheus.Metric) {
	if c.rtt <= 0 || !c.nc.IsConnected() {
		return
	}
	start := time.Now()
	if c.nc.FlushTimeout(c.rtt) == nil {
		ch <- prometheus.MustNewConstMetric(c.roundTrip, prometheus.GaugeValue, time.Since(start).Seconds())
	}
}

// subKey tells series of subscriptions apart.
type subKey struct{ subject, queue string }

type subSums struct{ msgs, bytes, dropped int }

func (c *Collector) collectSubs(ch chan<- prometheus.Metric) {
	sums := make(map[subKey]*subSums)
	for _, s := range c.nc.Subscriptions() {
		dropped, err := s.Dropped()
		if err != nil {
			continue // it has just ended
		}
		k := subKey{text(s.Subject), text(s.Queue)}
		if sums[k] == nil {
			sums[k] = new(subSums)
		}
		sums[k].dropped += dropped
		if msgs, bytes, err := s.Pending(); err == nil { // the program's own channels have none
			sums[k].msgs += msgs
			sums[k].bytes += bytes
		}
	}
	send := func(d *prometheus.Desc, v int, k subKey) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), k.subject, k.queue)
	}
	for k, sum := range sums {
		send(c.subPending, sum.msgs, k)
		send(c.subBytes, sum.bytes, k)
		send(c.subDropped, sum.dropped, k)
	}
}

// text is a subject as the value of a label, which must be UTF-8; a subject need not be.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

package natsprom

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

// TestMain fails the package if a goroutine outlives the tests.
func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

const patience = 20 * time.Second

func connect(t *testing.T, opts ...nats.Option) (*testserver.Server, *nats.Conn) {
	t.Helper()
	s := testserver.Run(t)
	nc, err := nats.Connect(s.URL(), append([]nats.Option{nats.Timeout(patience), nats.MaxReconnects(-1),
		nats.ReconnectWait(10 * time.Millisecond), nats.ReconnectJitter(0, 0)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return s, nc
}

// shows wants a metric with its labels to have a value in one scrape.
func shows(t *testing.T, c prometheus.Collector, series string, want float64) {
	t.Helper()
	require.Equal(t, fmt.Sprint(want), scrape(t, c)[namespace+series], series)
}

// scrape returns all series of a collector with their values, as text.
func scrape(t *testing.T, c prometheus.Collector) map[string]string {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(c))
	families, err := reg.Gather()
	require.NoError(t, err)
	all := make(map[string]string)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				if l.GetName() != connectionLabel {
					labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
				}
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			all[name] = fmt.Sprint(m.GetGauge().GetValue() + m.GetCounter().GetValue())
		}
	}
	return all
}

func TestMetricsOfAnOutage(t *testing.T) {
	t.Parallel()
	s, nc := connect(t, nats.Name("orders"), nats.ReconnectBufMsgs(3), nats.ReconnectBufSize(4096))
	c := NewCollector(nc)
	shows(t, c, `status{status="CONNECTED"}`, 1)
	shows(t, c, "outage_seconds", 0)
	shows(t, c, "buffer_limit_messages", 3)
	shows(t, c, "buffer_limit_bytes", 4096)

	s.Kill()
	require.Eventually(t, nc.IsReconnecting, patience, time.Millisecond)
	for range 3 {
		require.NoError(t, nc.Publish("a", []byte("12")))
	}
	require.ErrorIs(t, nc.Publish("a", nil), nats.ErrReconnectBufExceeded)
	shows(t, c, `status{status="CONNECTED"}`, 0)
	shows(t, c, `status{status="RECONNECTING"}`, 1)
	shows(t, c, "buffer_messages", 3)
	shows(t, c, "buffer_bytes", float64(nc.BufferStats().Bytes))
	shows(t, c, "buffered_messages_total", 3)
	shows(t, c, "rejected_messages_total", 1)
	shows(t, c, "published_messages_total", 3)
	shows(t, c, "published_bytes_total", 6)
	require.NotEqual(t, "0", scrape(t, c)["nats_client_outage_seconds"])

	require.NoError(t, s.Start())
	require.Eventually(t, func() bool { return nc.Outage() == 0 }, patience, time.Millisecond)
	require.NoError(t, nc.Flush())
	shows(t, c, "buffer_messages", 0)
	shows(t, c, "buffer_peak_messages", 3)
	shows(t, c, "replayed_messages_total", 3)
	require.NotEqual(t, "0", scrape(t, c)["nats_client_reconnects_total"])
	nc.Close()
	shows(t, c, `status{status="CLOSED"}`, 1)
	shows(t, c, "replayed_messages_total", 3)
}

func TestMetricsAreWellNamed(t *testing.T) {
	t.Parallel()
	_, nc := connect(t, nats.Name("n"))
	_, err := nc.SubscribeSync("a")
	require.NoError(t, err)
	c := NewCollector(nc, RTT(patience), BySubscription(), Labels(prometheus.Labels{"team": "x"}))
	problems, err := testutil.CollectAndLint(c)
	require.NoError(t, err)
	require.Empty(t, problems)
	require.Equal(t, len(metrics)+len(statuses)+1+3, testutil.CollectAndCount(c))
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(`
# HELP nats_client_subscriptions Live subscriptions.
# TYPE nats_client_subscriptions gauge
nats_client_subscriptions{connection="n",team="x"} 1
`), "nats_client_subscriptions"))
}

// Each figure that the library has is shown.
func TestNothingIsLeftOut(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	values := func(r *reading) (all []float64) {
		for _, m := range metrics {
			all = append(all, m.value(r))
		}
		return all
	}
	fields := 0
	for _, part := range []func(*reading) any{
		func(r *reading) any { return &r.buffer },
		func(r *reading) any { return &r.stats },
		func(r *reading) any { return &r.subs },
	} {
		n := reflect.TypeOf(part(&reading{})).Elem().NumField()
		for i := range n {
			r := &reading{nc: nc}
			before := values(r)
			f := reflect.ValueOf(part(r)).Elem().Field(i)
			if f.CanInt() {
				f.SetInt(1e9)
			} else {
				f.SetUint(1e9)
			}
			after := values(r)
			differ := 0
			for j := range before {
				if before[j] != after[j] {
					differ++
				}
			}
			require.Equal(t, 1, differ, reflect.TypeOf(part(r)).Elem().Field(i).Name)
			fields++
		}
	}
	require.Greater(t, fields, 25)
}

func TestSeveralConnections(t *testing.T) {
	t.Parallel()
	_, a := connect(t, nats.Name("a"))
	_, b := connect(t, nats.Name("b"))
	reg := prometheus.NewPedanticRegistry()
	require.NoError(t, reg.Register(NewCollector(a)))
	require.NoError(t, reg.Register(NewCollector(b)))
	require.Error(t, reg.Register(NewCollector(a)), "twice the same label")
	another := NewCollector(a, Label("a2"))
	require.NoError(t, reg.Register(another))
	n, err := testutil.GatherAndCount(reg, "nats_client_outage_seconds")
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.True(t, reg.Unregister(another))
	problems, err := testutil.GatherAndLint(reg)
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestRTTOnRequest(t *testing.T) {
	t.Parallel()
	s, nc := connect(t)
	require.NotContains(t, scrape(t, NewCollector(nc)), "nats_client_rtt_seconds")
	c := NewCollector(nc, RTT(patience))
	require.NotEqual(t, "0", scrape(t, c)["nats_client_rtt_seconds"])
	require.Contains(t, scrape(t, c), "nats_client_rtt_seconds")
	s.Kill()
	require.Eventually(t, nc.IsReconnecting, patience, time.Millisecond)
	start := time.Now()
	require.NotContains(t, scrape(t, c), "nats_client_rtt_seconds")
	require.Less(t, time.Since(start), patience/2, "a scrape does not wait for a server")
}

func TestSubscriptionsOnRequest(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	var subs []*nats.Subscription
	for range 2 {
		sub, err := nc.QueueSubscribeSync("work", "q")
		require.NoError(t, err)
		require.NoError(t, sub.SetPendingLimits(1, -1))
		subs = append(subs, sub)
	}
	_, err := nc.ChanSubscribe("ch", make(chan *nats.Msg, 10))
	require.NoError(t, err)
	_, err = nc.SubscribeSync("b\xffd")
	require.NoError(t, err)
	for range 6 {
		require.NoError(t, nc.Publish("work", []byte("123")))
	}
	require.NoError(t, nc.Flush())
	pending := 0
	for _, sub := range subs {
		n, _, err := sub.Pending()
		require.NoError(t, err)
		pending += n
	}
	c := NewCollector(nc, BySubscription())
	shows(t, c, `subscription_pending_messages{queue="q",subject="work"}`, float64(pending))
	shows(t, c, `subscription_pending_bytes{queue="q",subject="work"}`, float64(3*pending))
	shows(t, c, `subscription_dropped_messages{queue="q",subject="work"}`, float64(6-pending))
	shows(t, c, `subscription_pending_messages{queue="",subject="ch"}`, 0)
	shows(t, c, "subscription_pending_messages{queue=\"\",subject=\"b\uFFFDd\"}", 0)
	shows(t, c, "slow_consumer_dropped_messages_total", float64(6-pending))
	shows(t, c, "pending_messages", float64(pending))
	require.False(t, slices.ContainsFunc(keys(scrape(t, NewCollector(nc))), func(k string) bool { return strings.Contains(k, "subject") }))
}

func keys(m map[string]string) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	return all
}

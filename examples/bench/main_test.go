package main

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/svgplot"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

func TestResults(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{nil, {"-at-least-once"}} {
		dir := t.TempDir()
		table, plot := filepath.Join(dir, "results.csv"), filepath.Join(dir, "rates.svg")
		status, r := clitest.Run(t, program(), "", append(args, "-pubs", "3", "-subs", "2", "-msgs", "10000", "-size", "100",
			"-csv", table, "-svg", plot)...)
		require.Zero(t, status, r.Err.String())
		assert.Contains(t, r.Out.String(), "10,000 messages of 100 B")
		assert.Regexp(t, `(?m)^pub 1 +3,334 `, r.Out.String())
		assert.Regexp(t, `(?m)^pub 3 +3,333 `, r.Out.String())
		assert.Regexp(t, `(?m)^sub 2 +10,000 `, r.Out.String())
		assert.Regexp(t, `(?m)^all +20,000 `, r.Out.String())
		assert.Regexp(t, `(?m)^each +min [0-9,]+  avg [0-9,]+  max [0-9,]+  stddev [0-9,]+ `, r.Out.String())

		text, err := os.ReadFile(table)
		require.NoError(t, err)
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		require.NoError(t, err)
		require.Len(t, rows, 1+3+1+2+1)
		for _, row := range rows[1:] {
			rate, err := strconv.ParseFloat(row[5], 64)
			require.NoError(t, err)
			assert.Positive(t, rate, row)
		}
		assert.Equal(t, []string{"receive", "all", "20000", "2000000"}, rows[len(rows)-1][:4])
		svg, err := os.ReadFile(plot)
		require.NoError(t, err)
		require.NoError(t, xml.Unmarshal(svg, new(struct{})))
		assert.Contains(t, string(svg), "3 publishers, 2 subscribers, messages of 100 B")
	}
}

func TestOneSideAlone(t *testing.T) {
	t.Parallel()
	status, r := clitest.Run(t, program(), "", "-subs", "0", "-msgs", "1000")
	require.Zero(t, status, r.Err.String())
	assert.NotContains(t, r.Out.String(), "sub ")
	assert.NotContains(t, r.Out.String(), "each", "one client has no spread")

	srv := testserver.Run(t)
	before := srv.Server().NumSubscriptions()
	sub := clitest.Start(t, program(), "", "-server", srv.URL(), "-pubs", "0", "-subject", "s", "-msgs", "1000")
	sub.Until(func() bool { return srv.Server().NumSubscriptions() > before })
	status, r = clitest.Run(t, program(), "", "-server", srv.URL(), "-subs", "0", "-subject", "s", "-msgs", "1000")
	require.Zero(t, status, r.Err.String())
	require.Zero(t, sub.Status(), sub.Err.String())
	assert.Regexp(t, `(?m)^sub 1 +1,000 `, sub.Out.String())
}

func TestOneMessage(t *testing.T) {
	t.Parallel()
	status, r := clitest.Run(t, program(), "", "-msgs", "1", "-size", "0")
	require.Zero(t, status, r.Err.String())
	assert.Regexp(t, `(?m)^sub 1 +1 `, r.Out.String())
}

// A connection that is lost on the way costs time, and at least once no message.
func TestGoesOnThroughAnOutage(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	proxy := faultproxy.Run(t, srv.Addr())
	proxy.Later().CutAfter(faultproxy.Up, 1_000_000, faultproxy.RSTClient)
	status, r := clitest.Run(t, program(), "", "-server", proxy.URL(), "-subs", "0", "-at-least-once", "-msgs", "10000")
	require.Zero(t, status, r.Err.String())
	assert.Contains(t, r.Err.String(), "lost the server")
	assert.Contains(t, r.Err.String(), "found the server")
	assert.Regexp(t, `(?m)^pub 1 +10,000 `, r.Out.String())
}

// What does not arrive is said, and waited for no longer than needed.
func TestMissingMessages(t *testing.T) {
	t.Parallel()
	srv := testserver.RunConfig(t, `
		authorization: { users: [ { user: u, password: p, permissions: { publish: { deny: "s" } } } ] }`)
	url := strings.Replace(srv.URL(), "nats://", "nats://u:p@", 1)
	status, r := clitest.Run(t, program(), "", "-server", url, "-subject", "s", "-msgs", "100")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), "sub 1: 100 messages did not arrive")
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	r := clitest.Start(t, program(), "", "-server", srv.URL(), "-pubs", "0", "-subject", "s")
	r.Until(func() bool { return srv.NumClients() == 1 })
	r.Interrupt()
	assert.Equal(t, 1, r.Status())
	assert.Contains(t, r.Err.String(), "interrupted")
}

func TestBadUse(t *testing.T) {
	t.Parallel()
	clitest.Refuses(t, program, []clitest.BadUse{
		{Says: `unexpected argument "x"`, Args: []string{"x"}},
		{Says: "must be 0 or more", Args: []string{"-pubs", "-1"}},
		{Says: "nothing to do", Args: []string{"-pubs", "0", "-subs", "0"}},
		{Says: "-subject is missing", Args: []string{"-pubs", "0"}},
		{Says: "-server is missing", Args: []string{"-pubs", "0", "-subject", "s"}},
		{Says: "-msgs 2", Args: []string{"-pubs", "3", "-msgs", "2"}},
		{Says: "-size -1", Args: []string{"-size", "-1"}},
		{Says: "go together", Args: []string{"-tls-key", "x"}},
	})
	status, r := clitest.Run(t, program(), "", "-msgs", "10", "-csv", t.TempDir())
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), "is a directory")
	status, r = clitest.Run(t, program(), "", "-msgs", "10", "-server", "nats://127.0.0.1:1")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), nats.ErrNoServers.Error())
}

func TestFiguresOfWorkers(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	a, b := &worker{name: "a", start: at(0), end: at(1)}, &worker{name: "b", start: at(1), end: at(4)}
	a.done.Store(100)
	b.done.Store(900)
	rs := results([]*worker{a, b}, 10)
	assert.InDelta(t, 100, rs[0].rate(), 1e-9)
	assert.InDelta(t, 300, rs[1].rate(), 1e-9)
	assert.InDelta(t, 0.003, rs[1].megabytes(), 1e-9)
	all := together([]*worker{b, a}, 10)
	assert.Equal(t, result{name: "all", messages: 1000, bytes: 10_000, took: 4 * time.Second}, all)
	assert.Equal(t, spread{least: 100, mean: 200, most: 300, deviation: 100}, spreadOf(rs))
	assert.Zero(t, result{messages: 5}.rate(), "no time has passed")
}

func TestRatesOverTime(t *testing.T) {
	t.Parallel()
	of := func(l look) int { return l.published }
	var looks []look
	for i := range 1000 {
		looks = append(looks, look{at: time.Duration(i) * each, published: 7 * i})
	}
	points := rates(looks, of)
	assert.LessOrEqual(t, len(points), mostPoints)
	assert.Greater(t, len(points), mostPoints/2)
	for _, p := range points {
		require.InDelta(t, 7/each.Seconds(), p.Y, 1e-6)
	}
	assert.Len(t, rates(looks[:3], of), 2)
	assert.Equal(t, []svgplot.Point(nil), rates(looks[:1], of))
	third, fifth := looks[2], looks[4]
	assert.Equal(t, []look{looks[0], third, fifth}, thin(looks[:5]))
}

func TestProgressBar(t *testing.T) {
	t.Parallel()
	w := &worker{want: 200}
	j := &job{config: &config{pubs: 1}, publishers: []*worker{w}, start: time.Now()}
	live, plain := j.progress(true), j.progress(false)
	w.done.Store(100)
	assert.Contains(t, live(), "[===============               ]  50%  published ")
	assert.True(t, strings.HasPrefix(plain(), " 50%  published "))
	w.done.Store(400)
	assert.Contains(t, live(), "["+strings.Repeat("=", barWidth)+"] 100%", "repeats do not count")
	assert.NotContains(t, live(), "received")
}

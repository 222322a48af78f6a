package main

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Most measurements, curves at one size, with both clients, a few messages each; then
// the document.
func TestMeasurementsAndDocument(t *testing.T) {
	t.Parallel()
	few := []string{"publish", "deliver", "subscribe", "deliver-connections"}
	r := measured(t, regexp.MustCompile(`^(1,000 connections|.* on a wildcard|8 MiB messages, receive|a reconnect|(`+
		strings.Join(few, "|")+`) 10$)`), 0.01)
	for _, name := range few {
		c := findCurve(name)
		for _, line := range c.lines {
			for _, who := range clients {
				x, ok := r.median(c.at(10), who, line)
				// The size is scaled too; what runs is the whole of the curve's code.
				require.True(t, ok, name)
				assert.Positive(t, x, "%s, %s, %s", name, line, who)
			}
		}
	}
	buffer := points[len(points)-1].name
	for _, who := range clients {
		took, _ := r.median(buffer, who, "messages it took")
		came, _ := r.median(buffer, who, "messages that arrived")
		assert.Equal(t, took, came, who)
		assert.Greater(t, took, 50_000.0, who)
	}
	docs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(docs, "SCALE.md"), emptyDocument(t), 0o644))
	require.NoError(t, r.save(filepath.Join(docs, "scale.json")))
	require.NoError(t, r.document(docs))
	again := new(results)
	require.NoError(t, again.load(filepath.Join(docs, "scale.json")))
	assert.Equal(t, r, again)
	text, err := os.ReadFile(filepath.Join(docs, "SCALE.md"))
	require.NoError(t, err)
	for _, s := range points {
		assert.Contains(t, string(text), "| "+s.name+" | ours |")
	}
	assert.NotContains(t, string(text), "NaN")
}

// The two with much in flight, in small.
func TestManySubscriptionsAndRequests(t *testing.T) {
	t.Parallel()
	r := measured(t, regexp.MustCompile("^(100,000 subs|10,000 req)"), 0.01)
	for _, who := range clients {
		requests, _ := r.median("10,000 requests in flight", who, "allocations")
		assert.Positive(t, requests, who)
	}
	for _, f := range points[0].rows {
		if f.unit == count {
			continue
		}
		for _, who := range clients {
			x, ok := r.median(points[0].name, who, f.name)
			require.True(t, ok, f.name)
			assert.Positive(t, x, "%s, %s", f.name, who)
		}
	}
	each, _ := r.median(points[0].name, ours, "goroutines, each")
	assert.Less(t, each, 0.1, "an idle subscription has no goroutine")
}

func measured(t *testing.T, what *regexp.Regexp, scale float64) *results {
	t.Helper()
	r := &results{Samples: map[string]map[string][]figures{}}
	all := jobs(what)
	require.NotEmpty(t, all)
	require.NoError(t, r.measure(all, 1, scale, io.Discard))
	for _, j := range all {
		for _, who := range clients {
			require.Len(t, r.Samples[j.name][who], 1)
		}
	}
	return r
}

// emptyDocument is docs/SCALE.md without what the command wrote.
func emptyDocument(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/SCALE.md")
	require.NoError(t, err)
	return regexp.MustCompile(`(?s)(<!-- begin \S+ -->\n).*?(<!-- end)`).ReplaceAll(text, []byte("$1$2"))
}

// What the document shows is what the committed figures say.
func TestDocumentIsUpToDate(t *testing.T) {
	t.Parallel()
	r := new(results)
	require.NoError(t, r.load("../../docs/scale.json"))
	docs := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(docs, "SCALE.md"), emptyDocument(t), 0o644))
	require.NoError(t, r.document(docs))
	files, err := filepath.Glob(filepath.Join(docs, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1+len(pictures)+len(stormFigures(r.Storms)))
	for _, file := range files {
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		got, err := os.ReadFile(filepath.Join("../../docs", filepath.Base(file)))
		require.NoError(t, err)
		assert.True(t, string(want) == string(got), "%s: go run ./scale -only '^$'", filepath.Base(file))
	}
	for _, j := range jobs(regexp.MustCompile("")) {
		for _, who := range clients {
			require.GreaterOrEqual(t, len(r.Samples[j.name][who]), 3, "%s, %s", j.name, who)
		}
	}
}

func TestBothClientsRunTheSameCode(t *testing.T) {
	t.Parallel()
	read := func(file string) string {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		_, body, ok := strings.Cut(string(b), "\npackage ")
		require.True(t, ok)
		_, body, _ = strings.Cut(body, "\n")
		return body
	}
	mine := read("ours/client.go")
	require.Contains(t, mine, `"github.com/natsring/nats.go"`)
	want := strings.Replace(mine, `"github.com/natsring/nats.go"`, `"github.com/nats-io/nats.go"`, 1)
	assert.Equal(t, want, read("incumbent/client.go"), "go generate ./scale/incumbent")
}

func TestStormIsSimulated(t *testing.T) {
	t.Parallel()
	s, err := simulate(200)
	require.NoError(t, err)
	require.Len(t, s, 2)
	text := stormTables(s)
	for _, one := range s {
		require.Equal(t, 200, one.Clients)
		require.NotEmpty(t, one.Runs)
		for _, r := range one.Runs {
			assert.Contains(t, text, "| "+r.Name+" |")
			assert.Positive(t, r.Peak)
		}
	}
	assert.Len(t, stormFigures(s), 2)
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for x, want := range map[float64]string{0: "0", 0.25: "0.25", 2: "2", 9.876: "9.88", 10: "10", 12.34: "12.3",
		1234.5: "1,234", 1e7: "10,000,000", -3: "−3"} {
		assert.Equal(t, want, number(x), strconv.FormatFloat(x, 'g', -1, 64))
	}
	assert.Equal(t, "1.50 ms", millis.format(1.5e6))
	assert.Equal(t, "8.39 MB", size(8<<20))
	assert.Equal(t, "33.3 min", duration(2000))
	_, err := fill("no marks", map[string]string{"x": "y"})
	assert.Error(t, err)
}

func TestMediansAndRatios(t *testing.T) {
	t.Parallel()
	r := &results{Samples: map[string]map[string][]figures{"j": {
		ours:      {{"x": 1}, {"x": 3}, {"x": 2}},
		incumbent: {{"x": 10}, {"x": 10}, {"x": 40}},
	}}}
	x, ok := r.median("j", ours, "x")
	assert.True(t, ok)
	assert.Equal(t, 2.0, x)
	assert.Equal(t, "0.20", r.ratioCell("j", figure{"x", nanos}))
	assert.Equal(t, "–", r.ratioCell("j", figure{"x", mega}))
	assert.Equal(t, "–", r.ratioCell("j", figure{"y", nanos}))
	_, ok = r.median("j", ours, "y")
	assert.False(t, ok)
}

package main

import (
	"encoding/xml"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestMain lets the test's own program play the other roles.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		if err := play(role); err != nil {
			os.Stderr.WriteString("bench: " + err.Error() + "\n")
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestEveryScenarioRunsWithEveryClient(t *testing.T) {
	t.Parallel()
	rows, err := compare(regexp.MustCompile(""), 1, 0.001, measureHere, io.Discard)
	require.NoError(t, err)
	require.Len(t, rows, len(scenarios))
	text, picture := document(rows, 1), chart(rows)
	require.NoError(t, xml.Unmarshal([]byte(picture), new(struct{})))
	for _, s := range scenarios {
		assert.Contains(t, text, "| "+s.name+" |")
		assert.Equal(t, !s.idle, strings.Contains(picture, ">"+s.name+"</text>"), s.name)
		for _, r := range rows {
			for _, who := range r.who {
				require.Len(t, r.samples[who], 1, "%s, %s", r.name, who)
				assert.Positive(t, r.samples[who][0].Wall, "%s, %s", r.name, who)
			}
		}
	}
}

func TestMeasuringProcess(t *testing.T) {
	t.Parallel()
	rows, err := compare(regexp.MustCompile("^publish 16 B$"), 2, 0.001, measureApart, io.Discard)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	for _, who := range withFloor {
		require.Len(t, rows[0].samples[who], 2, who)
	}
	assert.NotContains(t, table(rows), "NaN")
}

func TestBothClientsRunTheSameCode(t *testing.T) {
	t.Parallel()
	read := func(file string) string {
		b, err := os.ReadFile(file)
		require.NoError(t, err)
		_, body, ok := strings.Cut(string(b), "\npackage ")
		require.True(t, ok)
		_, body, ok = strings.Cut(body, "\n")
		require.True(t, ok)
		return body
	}
	mine := read("ours/client.go")
	require.Contains(t, mine, `"github.com/natsring/nats.go"`)
	want := strings.Replace(mine, `"github.com/natsring/nats.go"`, `"github.com/nats-io/nats.go"`, 1)
	assert.Equal(t, want, read("incumbent/client.go"), "go generate ./incumbent")
}

func TestRowsAreJudged(t *testing.T) {
	t.Parallel()
	judge := func(s scenario, mine, theirs sample) string {
		s.who = clients
		return row{&s, map[string][]sample{ours: {mine}, incumbent: {theirs}}}.verdict()
	}
	s := scenario{goal: 0.5, stretch: 0.4, allocs: 1}
	assert.Equal(t, "met", judge(s, sample{CPU: 45}, sample{CPU: 100}))
	assert.Equal(t, "stretch met", judge(s, sample{CPU: 40}, sample{CPU: 100}))
	assert.Equal(t, "**missed** 0.5", judge(s, sample{CPU: 51}, sample{CPU: 100}))
	assert.Equal(t, "**missed** 0.5, allocations 1", judge(s, sample{CPU: 51, Allocs: 2}, sample{CPU: 100}))
	assert.Equal(t, "**missed** time 0.5", judge(scenario{wallGoal: 0.5, allocs: -1}, sample{P50: 3}, sample{P50: 4}))
	idle := scenario{idle: true, goal: 500, allocs: -1}
	assert.Equal(t, "met", judge(idle, sample{Bytes: 500}, sample{Bytes: 3000}))
	assert.Equal(t, "**missed** 500", judge(idle, sample{Bytes: 501}, sample{Bytes: 3000}))
}

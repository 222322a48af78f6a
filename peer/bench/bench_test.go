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
	rows, err := compare(regexp.MustCompile(""), 1, 0.001, measureHere, io.Discard, false)
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
	rows, err := compare(regexp.MustCompile("^publish 16 B$"), 2, 0.001, measureApart, io.Discard, false)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	for _, who := range withFloor {
		require.Len(t, rows[0].samples[who], 2, who)
	}
	assert.NotContains(t, table(rows), "NaN")
}

// Each kind of work is found in stacks as the runtime writes them.
func TestKindsOfWork(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		want  string
		stack []string // the function that runs first
	}{
		{"system calls", []string{"internal/runtime/syscall/linux.Syscall6", "syscall.write", "github.com/natsring/nats%2ego.(*writer).run"}},
		{"goroutines", []string{"internal/runtime/syscall/linux.Syscall6", "runtime.netpoll", "runtime.findRunnable", "runtime.mcall"}},
		{"memory", []string{"runtime.memclrNoHeapPointers", "runtime.mallocgc", "github.com/natsring/nats%2ego.(*slab).cut"}},
		{"memory", []string{"runtime.wbBufFlush1", "runtime.systemstack", "gcWriteBarrier"}},
		{"locks, channels", []string{"internal/sync.(*Mutex).Unlock", "github.com/natsring/nats%2ego.(*outbox).quick"}},
		{"copies", []string{"runtime.memmove", "github.com/natsring/nats%2ego.(*outbox).quick"}},
		{"client", []string{"memeqbody", "github.com/nats-io/nats%2ego.(*Conn).publish"}},
		{"rest", []string{"github.com/natsring/nats.go/peer/bench/ours.(*Client).Publish", "main.main"}},
		{"rest", nil},
	} {
		assert.Equal(t, c.want, kinds[kindOf(c.stack)].name, "%v", c.stack)
	}
}

// A profile in a process of its own says where the time of each client goes.
func TestWhereTheTimeGoes(t *testing.T) {
	t.Parallel()
	s := publish("publish 16 B", 16, 100_000, 1e-9, 0, anyAllocs).because("it is a test") // a goal that is missed
	rows, err := compare(regexp.MustCompile("^publish 16 B$"), 1, 0.02, measureApart, io.Discard, false)
	require.NoError(t, err)
	rows[0].scenario = &s
	stub, stop, err := serve("stub")
	require.NoError(t, err)
	defer stop()
	require.NoError(t, explain(rows, func(*scenario) string { return stub }, 1, measureApart))
	for _, who := range clients {
		require.Len(t, rows[0].where[who], len(kinds), who)
		sum := 0.0
		for _, ns := range rows[0].where[who] {
			sum += ns
		}
		assert.Positive(t, sum, who)
	}
	text := document(rows, 1)
	assert.Contains(t, text, "| publish 16 B, ours |")
	assert.Contains(t, text, "- **publish 16 B**: it is a test")
	rows[0].where = nil
	assert.NotContains(t, document(rows, 1), "What is missed")
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
		return row{scenario: &s, samples: map[string][]sample{ours: {mine}, incumbent: {theirs}}}.verdict()
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

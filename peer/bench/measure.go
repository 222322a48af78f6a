package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/natsring/nats.go"

	incumbentclient "github.com/natsring/nats.go/peer/bench/incumbent"
	oursclient "github.com/natsring/nats.go/peer/bench/ours"
	"github.com/natsring/nats.go/peer/internal/machine"
)

// sample is what one run of a scenario cost, for each operation.
type sample struct {
	Wall, CPU  float64 // ns; of the measuring process, not the server's
	P50        float64 // ns, where single operations are measured
	Allocs     float64
	Bytes      float64 // heap and stacks, of idle things
	Goroutines float64
	Where      []float64 // shares of kinds, where that is asked for
}

func (e env) connect() (client, error) {
	switch e.who {
	case ours:
		return oursclient.Connect(e.url)
	case reliable:
		return oursclient.Connect(e.url, nats.AtLeastOnce())
	case incumbent:
		return incumbentclient.Connect(e.url)
	}
	return nil, fmt.Errorf("no client %q", e.who)
}

// task is what a measuring process is told.
type task struct {
	Scenario, Who, URL string
	N                  int
	Where              bool // say where the time goes
}

// runMeasure is the process that measures one scenario with one client.
func runMeasure(text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	got, err := measureHere(t)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

func measureHere(t task) (sample, error) {
	for i := range scenarios {
		if s := &scenarios[i]; s.name == t.Scenario {
			return s.measure(env{who: t.Who, url: t.URL, took: new([]time.Duration)}, t.N, t.Where)
		}
	}
	return sample{}, fmt.Errorf("no scenario %q", t.Scenario)
}

func (s *scenario) measure(e env, n int, where bool) (sample, error) {
	run, done, err := s.prepare(e, n)
	if err != nil {
		return sample{}, err
	}
	defer done()
	before := look()
	stop, err := record(s.name, e.who, where)
	if err != nil {
		return sample{}, err
	}
	err = run()
	wall, cpu := time.Since(before.at), machine.CPUTime()-before.cpu
	shares, stopErr := stop()
	if err = errors.Join(err, stopErr); err != nil {
		return sample{}, err
	}
	per := func(x float64) float64 { return x / float64(n) }
	got := sample{Wall: per(float64(wall)), CPU: per(float64(cpu)), Where: shares}
	if k := len(*e.took); k > 0 {
		got.P50 = float64((*e.took)[k/2])
	}
	after := machine.Memory(s.idle)
	got.Allocs = per(float64(after.Mallocs) - float64(before.mem.Mallocs))
	if s.idle {
		used := func(m runtime.MemStats) float64 { return float64(m.HeapAlloc + m.StackInuse) }
		got.Bytes = per(used(after) - used(before.mem))
		got.Goroutines = per(float64(runtime.NumGoroutine() - before.goroutines))
	}
	return got, nil
}

// profileVar names a directory for processor profiles; empty: none are made.
const profileVar = "BENCH_PROFILES"

// record makes a profile for a file, for its shares, or none.
func record(name, who string, where bool) (stop func() ([]float64, error), err error) {
	if where {
		return recordWhere()
	}
	dir := os.Getenv(profileVar)
	if dir == "" {
		return func() ([]float64, error) { return nil, nil }, nil
	}
	file := strings.NewReplacer(" ", "_", ",", "").Replace(name + "-" + who + ".pprof")
	f, err := os.Create(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	stop = func() ([]float64, error) {
		pprof.StopCPUProfile()
		return nil, f.Close()
	}
	return stop, pprof.StartCPUProfile(f)
}

// state is what is compared before and after.
type state struct {
	mem        runtime.MemStats
	goroutines int
	cpu        time.Duration
	at         time.Time
}

func look() state {
	s := state{mem: machine.Memory(true), goroutines: runtime.NumGoroutine()}
	s.cpu, s.at = machine.CPUTime(), time.Now()
	return s
}

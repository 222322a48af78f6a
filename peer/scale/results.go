package main

import (
	"encoding/json"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/natsring/nats.go/peer/internal/machine"
)

// results is what has been measured, and on what. It is kept as JSON.
type results struct {
	Date, Go, Processor, System string
	Processors                  int
	Load                        string // of the machine, at the end
	Incumbent, Server           string // versions
	Rounds                      int
	// Samples has the figures of each round, by job and client.
	Samples map[string]map[string][]figures
	Storms  []stormResults
}

// describe notes what the present measurement was made with.
func (r *results) describe(rounds int) {
	r.Date, r.Go, r.Processor = time.Now().UTC().Format(time.DateOnly), runtime.Version(), machine.Processor()
	r.System, r.Processors = runtime.GOOS+"/"+runtime.GOARCH, runtime.NumCPU()
	r.Load, r.Rounds = machine.Load(), rounds
	r.Incumbent, r.Server = machine.Version("github.com/nats-io/nats.go"), machine.Version("github.com/nats-io/nats-server/v2")
}

func (r *results) load(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, r)
}

func (r *results) save(file string) error {
	for _, byWho := range r.Samples {
		for _, rounds := range byWho {
			for _, f := range rounds {
				for name, x := range f {
					f[name] = significant(x)
				}
			}
		}
	}
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// significant rounds to seven digits.
func significant(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 7, 64), 64)
	if err != nil {
		return x
	}
	return y
}

// median of a figure over the rounds; false if it was not measured.
func (r *results) median(job, who, name string) (float64, bool) {
	var all []float64
	for _, f := range r.Samples[job][who] {
		if x, ok := f[name]; ok {
			all = append(all, x)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return all[len(all)/2], true
}

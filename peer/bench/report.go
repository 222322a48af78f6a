package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/natsring/nats.go/peer/internal/machine"
)

// row is a scenario with what was measured.
type row struct {
	*scenario
	samples map[string][]sample
	where   map[string][]float64 // ns of kinds of work; nil: not asked for
}

// median of a figure over the rounds; 0 if it was not measured.
func (r row) median(who string, figure func(sample) float64) float64 {
	var all []float64
	for _, s := range r.samples[who] {
		all = append(all, figure(s))
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (r row) first() string { return r.who[0] }

// ratio is the median of the rounds' ratios to the incumbent: both ran one after
// the other in each round.
func (r row) ratio(figure func(sample) float64) float64 {
	var all []float64
	for i, mine := range r.samples[r.first()] {
		if theirs := r.samples[incumbent][i]; figure(theirs) > 0 {
			all = append(all, figure(mine)/figure(theirs))
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func wall(s sample) float64       { return s.Wall }
func cpu(s sample) float64        { return s.CPU }
func p50(s sample) float64        { return s.P50 }
func allocs(s sample) float64     { return s.Allocs }
func memory(s sample) float64     { return s.Bytes }
func goroutines(s sample) float64 { return s.Goroutines }

// misses reports whether a goal is missed.
func (r row) misses() bool { return strings.HasPrefix(r.verdict(), missedMark) }

const missedMark = "**missed** "

// verdict compares with the goals.
func (r row) verdict() string {
	value, missed := r.ratio(cpu), []string{}
	if r.idle {
		value = r.median(r.first(), memory)
	}
	if r.goal > 0 && value > r.goal {
		missed = append(missed, fmt.Sprintf("%.3g", r.goal))
	}
	if r.wallGoal > 0 && r.ratio(p50) > r.wallGoal {
		missed = append(missed, fmt.Sprintf("time %.3g", r.wallGoal))
	}
	// Hundredths of an allocation come from the runtime itself.
	if r.allocs >= 0 && r.median(r.first(), allocs) > r.allocs+0.05 {
		missed = append(missed, fmt.Sprintf("allocations %.3g", r.allocs))
	}
	switch {
	case len(missed) > 0:
		return missedMark + strings.Join(missed, ", ")
	case r.goal == 0:
		return ""
	case r.stretch > 0 && value <= r.stretch:
		return "stretch met"
	}
	return "met"
}

// table is the result in Markdown.
func table(rows []row) string {
	var b strings.Builder
	b.WriteString("| scenario | ours ns (cpu) | incumbent ns (cpu) | floor ns (cpu) | time | cpu | allocations | goal, stretch | |\n")
	b.WriteString("| --- | --: | --: | --: | --: | --: | --: | --: | --- |\n")
	for _, r := range rows {
		if r.idle {
			continue
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %.2f | %.2f | %.2f, %.2f | %s | %s |\n", r.name,
			r.times(r.first()), r.times(incumbent), r.times(floor), r.ratio(wall), r.ratio(cpu),
			r.median(r.first(), allocs), r.median(incumbent, allocs), r.goals(), r.verdict())
	}
	b.WriteString("\n| idle | ours: bytes; goroutines | incumbent: bytes; goroutines | goal | |\n| --- | --: | --: | --: | --- |\n")
	for _, r := range rows {
		if r.idle {
			fmt.Fprintf(&b, "| %s | %.0f; %.1f | %.0f; %.1f | %.0f | %s |\n", r.name,
				r.median(r.first(), memory), r.median(r.first(), goroutines),
				r.median(incumbent, memory), r.median(incumbent, goroutines), r.goal, r.verdict())
		}
	}
	return b.String()
}

func (r row) times(who string) string {
	if len(r.samples[who]) == 0 {
		return "–"
	}
	t := r.median(who, wall)
	if p := r.median(who, p50); p > 0 {
		t = p
	}
	return fmt.Sprintf("%s (%s)", round(t), round(r.median(who, cpu)))
}

func round(x float64) string {
	if x < 100 {
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

func (r row) goals() string {
	if r.goal == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f, %.2f", r.goal, r.stretch)
}

// document is BENCHMARKS.md.
func document(rows []row, rounds int) string {
	return fmt.Sprintf(`# Benchmarks

Made by `+"`go run ./bench`"+` in `+"`peer`"+` on %s, with %s, %d processors (%s), %s/%s.
This client against the incumbent, nats.go %s, and against the floor: the same bytes through the same socket with no
client. The server is a stub in a process of its own, for requests a real nats-server (%s); requests are answered by a
second connection of the same client in the measured process.

Figures are for one operation, medians of %d rounds in which the clients take turns; "cpu" is the processor time, user and
system, of the measured process. For requests the time is the median of single requests, of 64 in flight too. The columns
"time" and "cpu" are the ratios ours to incumbent (medians of the rounds' ratios); "allocations" has both. Absolute
figures move with the machine and with what else it does (at the end its load average was %s, of which this program alone
makes about 2); the ratios are what the goals are about.

![ratios](docs/benchmarks.svg)

%s%s`, time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), machine.Processor(), runtime.GOOS,
		runtime.GOARCH, machine.Version("github.com/nats-io/nats.go"), machine.Version("github.com/nats-io/nats-server/v2"), rounds,
		machine.Load(), table(rows), remains(rows))
}

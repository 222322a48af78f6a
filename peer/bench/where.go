package main

import (
	"bytes"
	"fmt"
	"regexp"
	"runtime/pprof"
	"strings"

	"github.com/google/pprof/profile"
)

// kind is a kind of work. A sample of a profile is of the first kind of which its stack
// has a function.
type kind struct {
	name string
	leaf bool // the function that runs, not one that has called it
	of   *regexp.Regexp
}

var kinds = []kind{
	{"memory", false, regexp.MustCompile(`^runtime\.(mallocgc|gc[A-Z]|bgsweep|bgscavenge|wb[A-Z]|sweepone|typePointers|memclr)|^gcWriteBarrier`)},
	{"goroutines", false, regexp.MustCompile(`^runtime\.(schedule|findRunnable|park_m|goready|readyWithTime|newproc|goexit0|goschedImpl|sysmon|futex|mPark|usleep|asyncPreempt)`)},
	{"system calls", true, regexp.MustCompile(`^(internal/runtime/)?syscall`)},
	{"locks, channels", false, regexp.MustCompile(`^(internal/)?sync\.\(\*Mutex\)|^sync\.\(\*(RWMutex|Cond)\)|^runtime\.(chansend|chanrecv|selectgo|lock2|unlock2)`)},
	{"copies", true, regexp.MustCompile(`^runtime\.memmove`)},
	{"client", false, regexp.MustCompile(`nats-io/nats%2ego\.|natsring/nats%2ego\.`)},
	{"rest", false, regexp.MustCompile(``)},
}

// recordWhere profiles until stop is called, which returns the shares of the kinds of
// work, in their order.
func recordWhere() (stop func() ([]float64, error), err error) {
	var text bytes.Buffer
	if err := pprof.StartCPUProfile(&text); err != nil {
		return nil, err
	}
	return func() ([]float64, error) {
		pprof.StopCPUProfile()
		p, err := profile.Parse(&text)
		if err != nil {
			return nil, fmt.Errorf("profile: %w", err)
		}
		return shares(p), nil
	}, nil
}

func shares(p *profile.Profile) []float64 {
	all, total := make([]float64, len(kinds)), 0.0
	for _, s := range p.Sample {
		x := float64(s.Value[len(s.Value)-1])
		all[kindOf(stackOf(s))] += x
		total += x
	}
	for i := range all {
		all[i] /= max(total, 1)
	}
	return all
}

// stackOf lists the functions of a sample, the one that runs first.
func stackOf(s *profile.Sample) (stack []string) {
	for _, at := range s.Location {
		for _, line := range at.Line {
			stack = append(stack, line.Function.Name)
		}
	}
	return stack
}

func kindOf(stack []string) int {
	for i, k := range kinds {
		for depth, f := range stack {
			if k.leaf && depth > 0 {
				break
			}
			if k.of.MatchString(f) {
				return i
			}
		}
	}
	return len(kinds) - 1
}

// whereScale is how much longer a run is of which there is a profile.
const whereScale = 8

// explain profiles this client and the incumbent in the scenarios that miss a goal.
func explain(rows []row, urls func(*scenario) string, scale float64, measure func(task) (sample, error)) error {
	for i := range rows {
		r := &rows[i]
		if r.idle || !r.misses() {
			continue
		}
		r.where = map[string][]float64{}
		for _, who := range []string{r.first(), incumbent} {
			n := max(int(float64(r.n)*scale*whereScale), 1)
			got, err := measure(task{Scenario: r.name, Who: who, URL: urls(r.scenario), N: n, Where: true})
			if err != nil {
				return fmt.Errorf("profile of %s, %s: %w", r.name, who, err)
			}
			for _, share := range got.Where {
				r.where[who] = append(r.where[who], share*got.CPU)
			}
		}
	}
	return nil
}

// remains says in Markdown where the time of the rows goes that miss their goal.
func remains(rows []row) string {
	var table strings.Builder
	var reasons []string
	of := map[string][]string{} // the rows of a reason
	for _, r := range rows {
		if r.where == nil {
			continue
		}
		for _, who := range []string{r.first(), incumbent} {
			least := "–"
			if f := r.median(floor, cpu); f > 0 && who != incumbent {
				least = fmt.Sprintf("%.2f", f/r.median(incumbent, cpu))
			}
			fmt.Fprintf(&table, "| %s, %s | %s |", r.name, who, least)
			for _, ns := range r.where[who] {
				fmt.Fprintf(&table, " %s |", round(ns))
			}
			table.WriteString("\n")
		}
		if r.why != "" && of[r.why] == nil {
			reasons = append(reasons, r.why)
		}
		of[r.why] = append(of[r.why], r.name)
	}
	if table.Len() == 0 {
		return ""
	}
	var why strings.Builder
	for _, reason := range reasons {
		fmt.Fprintf(&why, "- **%s**: %s\n", strings.Join(of[reason], "; "), reason)
	}
	head, line := "| processor time, ns | least |", "| --- | --: |"
	for _, k := range kinds {
		head += " " + k.name + " |"
		line += " --: |"
	}
	return fmt.Sprintf(`
## What is missed, and where its time goes

From processor profiles of runs %d times as long. *Least* is the ratio that the floor alone has: no client that copies what it
is given gets below it. *Memory* is the allocator and the collector, *goroutines* is to switch and to wake them.

%s
%s
%s
%s`, whereScale, head, line, table.String(), why.String())
}

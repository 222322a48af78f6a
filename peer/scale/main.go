// Command scale measures what many subscriptions, connections, subjects and requests
// and large messages and buffers cost, with this client beside the incumbent, and
// writes docs/SCALE.md: tables, charts and what follows on paper.
//
//	go run ./scale                    all of it, about 15 minutes
//	go run ./scale -only 'requests'   measures what matches, keeps the other figures
//	go run ./scale -only '^$'         measures nothing: documents anew
//	go run ./scale -storm             the storm too, where -only is given
//
// The raw figures of all rounds are in docs/scale.json. Every measurement has a
// process of its own, a nats-server in another and where messages come from outside a
// third, all of this program. The clients take turns, so what else the machine does
// meets both; of each figure the median of the rounds counts.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"strings"

	"github.com/natsring/nats.go/internal/child"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run() error {
	only := flag.String("only", "", "regular expression: measure these, and take the rest from the last time")
	rounds := flag.Int("rounds", 3, "how often each client is measured")
	scale := flag.Float64("scale", 1, "factor of the number of messages")
	storm := flag.Bool("storm", false, "simulate the storm too where -only is given")
	docs := flag.String("docs", "../docs", "directory of the document")
	profiles := flag.String("profiles", "", "directory for a processor profile of each measurement (of the last round)")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	if err := os.Setenv(profileVar, *profiles); err != nil {
		return err
	}
	file := filepath.Join(*docs, "scale.json")
	r := &results{Samples: map[string]map[string][]figures{}}
	if *only != "" {
		if err := r.load(file); err != nil {
			return err
		}
	}
	if err := r.measure(jobs(pattern), *rounds, *scale, os.Stderr); err != nil {
		return err
	}
	if *storm || *only == "" {
		if r.Storms, err = simulate(10_000); err != nil {
			return err
		}
	}
	if err := r.save(file); err != nil {
		return err
	}
	return r.document(*docs)
}

// measure runs the jobs round by round.
func (r *results) measure(all []job, rounds int, scale float64, progress io.Writer) error {
	for _, j := range all {
		r.Samples[j.name] = map[string][]figures{}
	}
	for round := range rounds {
		for _, j := range all {
			for k := range clients {
				who := clients[(k+round)%len(clients)] // nobody is always the first
				fmt.Fprintf(progress, "\r\033[Kround %d of %d: %s, %s", round+1, rounds, j.name, who)
				got, err := measureApart(task{j.name, who, scale})
				if err != nil {
					return fmt.Errorf("%s, %s: %w", j.name, who, err)
				}
				r.Samples[j.name][who] = append(r.Samples[j.name][who], got)
			}
		}
	}
	if len(all) > 0 {
		r.describe(rounds)
		fmt.Fprint(progress, "\r\033[K")
	}
	return nil
}

// task is what a measuring process is told.
type task struct {
	Job, Who string
	Scale    float64
}

const measureRole = "scale-measure"

func init() { child.Role(measureRole, runMeasure) }

// measureApart measures in a new process.
func measureApart(t task) (got figures, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	p, line, err := child.Start(measureRole, string(text))
	if err != nil {
		return nil, err
	}
	p.Kill()
	return got, json.Unmarshal([]byte(line), &got)
}

// runMeasure is the whole of a measuring process.
func runMeasure(args []string) error {
	var t task
	if err := json.Unmarshal([]byte(args[0]), &t); err != nil {
		return err
	}
	found := jobs(regexp.MustCompile("^" + regexp.QuoteMeta(t.Job) + "$"))
	if len(found) == 0 {
		return fmt.Errorf("no job %q", t.Job)
	}
	got, err := found[0].measure(t.Who, t.Scale)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(got)
}

func (j job) measure(who string, scale float64) (figures, error) {
	e, err := newEnv(who)
	if err != nil {
		return nil, err
	}
	defer e.close()
	stop, err := profile(j.name + "-" + who)
	if err != nil {
		return nil, err
	}
	defer stop()
	n := j.n
	if scale < 1 {
		n = scaled(n, scale)
	}
	return j.run(e, n, scale)
}

// profileVar names a directory for processor profiles; empty: none are made.
const profileVar = "SCALE_PROFILES"

func profile(name string) (stop func(), err error) {
	dir := os.Getenv(profileVar)
	if dir == "" {
		return func() {}, nil
	}
	f, err := os.Create(filepath.Join(dir, strings.NewReplacer(" ", "_", ",", "").Replace(name)+".pprof"))
	if err != nil {
		return nil, err
	}
	stop = func() {
		pprof.StopCPUProfile()
		f.Close()
	}
	return stop, pprof.StartCPUProfile(f)
}

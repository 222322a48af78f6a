// Command faults puts this client, in each of its modes, and the incumbent through
// every kind of fault, and counts what each has accepted, lost, repeated and
// delivered out of order.
//
//	go run ./faults                       all of it; the table goes to docs/FAULTS.md too
//	go run ./faults -only 'reset'         cells whose names match, printed only
//	go run ./faults -only 'reset' -results cells.json
//
// With -results the cells are kept in a file and added to those that are there, so
// that the table can be made in several runs. The document is written once the file
// has every cell.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"time"
)

// load is what every cell is put through.
type load struct {
	For        time.Duration // how long faults are made
	Rate       int           // messages a second
	StreamRate int           // the same into a stream
	Seed       uint64        // of the faults
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func run() error {
	l := load{}
	flag.DurationVar(&l.For, "for", 20*time.Second, "how long each client goes through each kind of fault")
	flag.IntVar(&l.Rate, "rate", 100_000, "messages a second")
	flag.IntVar(&l.StreamRate, "rate.stream", 20_000, "messages a second into a stream")
	flag.Uint64Var(&l.Seed, "seed", 1, "of the faults")
	only := flag.String("only", "", "regular expression of cells, such as 'reset, AtLeastOnce'")
	results := flag.String("results", "", "file that keeps the cells of several runs")
	out := flag.String("out", "../docs/FAULTS.md", "file for the document")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	done, err := readResults(*results)
	if err != nil {
		return err
	}
	fresh, err := measure(l, pattern, os.Stderr)
	if err != nil {
		return err
	}
	done = merge(done, fresh)
	fmt.Print(table(done))
	if err := writeResults(*results, done); err != nil {
		return err
	}
	if len(done) < len(kinds())*len(modes) {
		return nil
	}
	return os.WriteFile(*out, []byte(document(done)), 0o644)
}

// measure runs the cells that match, one after the other.
func measure(l load, only *regexp.Regexp, progress io.Writer) (all []result, err error) {
	for _, kind := range kinds() {
		for _, m := range modes {
			if !only.MatchString(kind + ", " + m.name) {
				continue
			}
			fmt.Fprintf(progress, "%s, %s\n", kind, m.name)
			r, err := runCell(l, kind, m)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", kind, m.name, err)
			}
			all = append(all, r)
		}
	}
	return all, nil
}

// merge puts fresh results in the place of old ones, in the order of the table.
func merge(old, fresh []result) (all []result) {
	for _, kind := range kinds() {
		for _, m := range modes {
			same := func(r result) bool { return r.Kind == kind && r.Mode == m.name }
			for _, list := range [][]result{fresh, old} {
				if i := slices.IndexFunc(list, same); i >= 0 {
					all = append(all, list[i])
					break
				}
			}
		}
	}
	return all
}

func readResults(file string) (all []result, err error) {
	b, err := os.ReadFile(file)
	if file == "" || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return all, json.Unmarshal(b, &all)
}

func writeResults(file string, all []result) error {
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

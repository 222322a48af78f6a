package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/natsring/nats.go/examples/internal/human"
	"github.com/natsring/nats.go/internal/svgplot"
)

// barWidth is how many characters a full bar has.
const barWidth = 30

// progress returns what makes the line of each moment: how far all workers are
// together, with a bar if it is live, and the rates since the last line.
func (j *job) progress(live bool) func() string {
	last := j.look()
	want := j.wanted()
	return func() string {
		now := j.look()
		took := now.at - last.at
		done := float64(now.published+now.received) / float64(want)
		line := fmt.Sprintf("%3.0f%%", 100*min(done, 1))
		if live {
			full := int(min(done, 1) * barWidth)
			line = "[" + strings.Repeat("=", full) + strings.Repeat(" ", barWidth-full) + "] " + line
		}
		if j.pubs > 0 {
			line += fmt.Sprintf("  published %s/s", human.Commas(int(per(now.published-last.published, took))))
		}
		if j.subs > 0 {
			line += fmt.Sprintf("  received %s/s", human.Commas(int(per(now.received-last.received, took))))
		}
		last = now
		return line
	}
}

// wanted is how many messages all workers are to have in the end.
func (j *job) wanted() (n int) {
	for _, w := range append(j.publishers, j.receivers...) {
		n += w.want
	}
	return n
}

// A kind is what some workers do.
type kind struct {
	name    string
	workers []*worker
}

// kinds are those of which there are workers.
func (j *job) kinds() (kinds []kind) {
	for _, k := range []kind{{"publish", j.publishers}, {"receive", j.receivers}} {
		if len(k.workers) > 0 {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// report prints all results.
func (j *job) report(w io.Writer) {
	fmt.Fprintf(w, "%s messages of %s", human.Commas(j.msgs), human.Size(j.size))
	if j.atLeastOnce {
		fmt.Fprint(w, ", at least once")
	}
	fmt.Fprintf(w, "\n\n%-10s %14s %10s %14s %10s\n", "", "messages", "seconds", "messages/s", "MB/s")
	for _, k := range j.kinds() {
		rs := results(k.workers, j.size)
		for _, r := range rs {
			row(w, r)
		}
		if len(rs) == 1 {
			continue
		}
		row(w, together(k.workers, j.size))
		s := spreadOf(rs)
		fmt.Fprintf(w, "%-10s min %s  avg %s  max %s  stddev %s messages/s\n\n", "each", human.Commas(int(s.least)),
			human.Commas(int(s.mean)), human.Commas(int(s.most)), human.Commas(int(s.deviation)))
	}
}

func row(w io.Writer, r result) {
	fmt.Fprintf(w, "%-10s %14s %10.3f %14s %10.1f\n",
		r.name, human.Commas(r.messages), r.took.Seconds(), human.Commas(int(r.rate())), r.megabytes())
}

// writeCSV writes a row for each worker and one for all of each kind.
func (j *job) writeCSV() error {
	return write(j.csv, func(w io.Writer) error {
		out := csv.NewWriter(w)
		rows := [][]string{{"kind", "client", "messages", "bytes", "seconds", "messages_per_second", "megabytes_per_second"}}
		for _, k := range j.kinds() {
			for _, r := range append(results(k.workers, j.size), together(k.workers, j.size)) {
				rows = append(rows, []string{
					k.name, r.name, strconv.Itoa(r.messages), strconv.Itoa(r.bytes),
					decimal(r.took.Seconds()), decimal(r.rate()), decimal(r.megabytes()),
				})
			}
		}
		return out.WriteAll(rows)
	})
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', 6, 64) }

func (j *job) writeSVG(rates *series) error {
	return write(j.svg, svgplot.Figure{
		Title: fmt.Sprintf("%d publishers, %d subscribers, messages of %s", j.pubs, j.subs, human.Size(j.size)),
		Panels: []svgplot.Panel{{
			X: svgplot.Axis{Label: "seconds"}, Y: svgplot.Axis{Label: "messages per second"},
			Lines: rates.lines(),
		}},
	}.Write)
}

// write makes a file, if it has a name.
func write(name string, content func(io.Writer) error) error {
	if name == "" {
		return nil
	}
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(content(file), file.Close())
}

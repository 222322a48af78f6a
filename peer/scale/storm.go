package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/natsring/nats.go/internal/svgplot"
)

// stormResults is what TestStorm of the package nats writes for one server: whole
// connections of this client in virtual time.
type stormResults struct {
	Clients                   int
	Down, Timeout, Limit, Bin float64 // seconds
	HandshakesSecond          float64
	Runs                      []stormRun
}

type stormRun struct {
	Name     string
	Attempts []int // per bin, from the server's death on
	Refused  int   // attempts while the server was away
	Late     int   // attempts that the client had given up when their turn came
	Back     int   // clients that are back within the limit
	AllBack  float64
	Peak     int // most attempts in a bin once the server was back
}

// simulate runs that test.
func simulate(clients int) (s []stormResults, err error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/natsring/nats.go").Output()
	if err != nil {
		return s, fmt.Errorf("go list: %w", err)
	}
	dir, err := os.MkdirTemp("", "storm")
	if err != nil {
		return s, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "storm.json")
	test := exec.Command("go", "test", "-count=1", "-timeout=10m", "-run=^TestStorm$", ".", fmt.Sprintf("-storm=%d", clients),
		"-storm.out="+file)
	test.Dir = strings.TrimSpace(string(root))
	if out, err := test.CombinedOutput(); err != nil {
		return s, fmt.Errorf("go test: %w\n%s", err, out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// inLine are the settings whose clients come together: they have a chart of their own,
// whose axis would flatten the others.
const inLine = 2

// stormFigures are for the first server, with the time in which all are back there.
func stormFigures(all []stormResults) map[string]svgplot.Figure {
	if len(all) == 0 {
		return nil
	}
	s := all[0]
	return map[string]svgplot.Figure{
		"storm-together.svg": s.figure("Clients that come together", s.Runs[:inLine]),
		"storm-spread.svg":   s.figure("Clients that are spread", s.Runs[inLine:]),
	}
}

// figure shows each bin as a step.
func (s stormResults) figure(title string, runs []stormRun) svgplot.Figure {
	panel := svgplot.Panel{
		X: svgplot.Axis{Label: fmt.Sprintf("seconds since the server died; it is back after %.0f", s.Down)},
		Y: svgplot.Axis{Label: fmt.Sprintf("attempts per %.0f ms", s.Bin*1000)},
	}
	longest := 0
	for _, r := range s.Runs {
		longest = max(longest, len(r.Attempts))
	}
	for _, r := range runs {
		line := svgplot.Line{Name: r.Name}
		for k := range longest {
			y := 0.0
			if k < len(r.Attempts) {
				y = float64(r.Attempts[k])
			}
			from := float64(k) * s.Bin
			line.Points = append(line.Points, svgplot.Point{X: from, Y: y}, svgplot.Point{X: from + s.Bin, Y: y})
		}
		panel.Lines = append(panel.Lines, line)
	}
	return svgplot.Figure{Title: title, Panels: []svgplot.Panel{panel}}
}

// stormTables are one for each server.
func stormTables(all []stormResults) string {
	var b strings.Builder
	for _, s := range all {
		fmt.Fprintf(&b, "| %s clients, %s handshakes a second | attempts while down | most in %.0f ms once it is back | handshakes for nothing | back within %.0f s | the last after |\n",
			number(float64(s.Clients)), number(s.HandshakesSecond), s.Bin*1000, s.Limit)
		b.WriteString("| --- | --: | --: | --: | --: | --: |\n")
		for _, r := range s.Runs {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %.1f s |\n", r.Name, number(float64(r.Refused)), number(float64(r.Peak)),
				number(float64(r.Late)), number(float64(r.Back)), r.AllBack)
		}
		b.WriteString("\n")
	}
	return b.String()
}

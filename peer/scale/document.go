package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/natsring/nats.go/internal/svgplot"
)

// picture is a chart of one or more curves, which have the same sizes.
type picture struct {
	file, title string
	curves      []string
}

var pictures = []picture{
	{"scale-subscriptions.svg", "A message, beside more and more subscriptions", []string{"publish", "deliver", "deliver-one"}},
	{"scale-subscribe.svg", "A call, beside more and more subscriptions", []string{"subscribe"}},
	{"scale-connections.svg", "A message, on more and more connections", []string{"publish-connections", "deliver-connections"}},
}

// document writes the charts, and the tables between their marks in SCALE.md.
func (r *results) document(docs string) error {
	for _, p := range pictures {
		if err := writeFigure(filepath.Join(docs, p.file), r.figure(p)); err != nil {
			return err
		}
	}
	for file, f := range stormFigures(r.Storms) {
		if err := writeFigure(filepath.Join(docs, file), f); err != nil {
			return err
		}
	}
	parts := map[string]string{"machine": r.machine(), "points": r.pointTables(), "storm": stormTables(r.Storms), "paper": r.paper()}
	for _, p := range pictures {
		parts[strings.TrimSuffix(p.file, ".svg")] = r.curveTable(p)
	}
	file := filepath.Join(docs, "SCALE.md")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	whole, err := fill(string(text), parts)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(whole), 0o644)
}

// fill replaces what stands between the marks of each part.
func fill(text string, parts map[string]string) (string, error) {
	for name, part := range parts {
		begin, end := "<!-- begin "+name+" -->\n", "<!-- end "+name+" -->\n"
		head, rest, ok := strings.Cut(text, begin)
		_, tail, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			return "", fmt.Errorf("the document has no marks for %q", name)
		}
		text = head + begin + part + end + tail
	}
	return text, nil
}

func (r *results) machine() string {
	return fmt.Sprintf(`Measured on %s with %s, %d processors (%s), %s, nats.go %s
and nats-server %s; medians of %d rounds. The machine's load average at the end was %s, of which the measured processes
make about 2.
`, r.Date, r.Go, r.Processors, r.Processor, r.System, r.Incumbent, r.Server, r.Rounds, r.Load)
}

// pointTables is a table for each scenario.
func (r *results) pointTables() string {
	var b strings.Builder
	for _, s := range points {
		fmt.Fprintf(&b, "| %s | ours | incumbent | ratio |\n| --- | --: | --: | --: |\n", s.name)
		for _, f := range s.rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", f.name, r.cell(s.name, ours, f), r.cell(s.name, incumbent, f),
				r.ratioCell(s.name, f))
		}
		b.WriteString("\n")
	}
	return b.String()
}

func (r *results) cell(job, who string, f figure) string {
	x, ok := r.median(job, who, f.name)
	if !ok {
		return "–"
	}
	return f.unit.format(x)
}

// ratioCell is ours to the incumbent's. Of what is as good as nothing there is none.
func (r *results) ratioCell(job string, f figure) string {
	mine, ok := r.median(job, ours, f.name)
	theirs, ok2 := r.median(job, incumbent, f.name)
	if !ok || !ok2 || theirs == 0 || f.unit == mega && min(mine, theirs) < 1e6 {
		return "–"
	}
	return fmt.Sprintf("%.2f", mine/theirs)
}

// format writes a figure, which is in ns, bytes or MB/s, in its unit.
func (u unit) format(x float64) string {
	switch u {
	case seconds:
		x /= 1e9
	case millis:
		x /= 1e6
	case micros:
		x /= 1e3
	case mega:
		x /= 1e6
	}
	return strings.TrimSpace(number(x) + " " + string(u))
}

// number writes three digits at least, zeros at the end apart, and groups thousands.
func number(x float64) string {
	switch {
	case x < 0:
		return "−" + number(-x)
	case x == 0:
		return "0"
	case x < 10:
		return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 2, 64), ".00")
	case x < 100:
		return strings.TrimSuffix(strconv.FormatFloat(x, 'f', 1, 64), ".0")
	}
	digits := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// curveTable has a row for each line and client and a column for each size.
func (r *results) curveTable(p picture) string {
	var b strings.Builder
	first := findCurve(p.curves[0])
	fmt.Fprintf(&b, "| ns: processor time (elapsed), by %s | |", first.over)
	for _, n := range first.sizes {
		fmt.Fprintf(&b, " %s |", number(float64(n)))
	}
	b.WriteString(" growth |\n| --- | --- |" + strings.Repeat(" --: |", len(first.sizes)+1) + "\n")
	for _, name := range p.curves {
		c := findCurve(name)
		for _, line := range c.lines {
			for _, who := range clients {
				fmt.Fprintf(&b, "| %s | %s |%s\n", c.label(line), who, r.curveRow(c, line, who))
			}
		}
	}
	return b.String()
}

// curveRow ends with what the last value is of the first.
func (r *results) curveRow(c *curve, line, who string) string {
	var b strings.Builder
	var first, last float64
	for _, n := range c.sizes {
		cpu, ok := r.median(c.at(n), who, line)
		wall, _ := r.median(c.at(n), who, line+wallOf)
		if !ok {
			b.WriteString(" – |")
			continue
		}
		if first == 0 {
			first = cpu
		}
		last = cpu
		fmt.Fprintf(&b, " %s (%s) |", number(cpu), number(wall))
	}
	if first > 0 {
		fmt.Fprintf(&b, " %.1f |", last/first)
	} else {
		b.WriteString(" – |")
	}
	return b.String()
}

func findCurve(name string) *curve {
	for i := range curves {
		if curves[i].name == name {
			return &curves[i]
		}
	}
	panic("no curve " + name)
}

// label is a line's name where several curves are together.
func (c *curve) label(line string) string {
	if strings.HasPrefix(c.name, "deliver") && line != "receive" {
		return "receive, " + line
	}
	return line
}

// figure has a colour for each line, and dashes for the incumbent.
func (r *results) figure(p picture) svgplot.Figure {
	panel := svgplot.Panel{
		X: svgplot.Axis{Label: findCurve(p.curves[0]).over, Log: true},
		Y: svgplot.Axis{Label: "ns of processor time"},
	}
	colour := 1
	for _, name := range p.curves {
		cv := findCurve(name)
		for _, line := range cv.lines {
			for _, who := range clients {
				l := svgplot.Line{Name: cv.label(line) + ": " + who, Colour: colour, Dashed: who == incumbent}
				for _, n := range cv.sizes {
					if y, ok := r.median(cv.at(n), who, line); ok {
						l.Points = append(l.Points, svgplot.Point{X: float64(n), Y: y})
					}
				}
				panel.Lines = append(panel.Lines, l)
			}
			colour++
		}
	}
	return svgplot.Figure{Title: p.title, Panels: []svgplot.Panel{panel}}
}

func writeFigure(file string, f svgplot.Figure) error {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

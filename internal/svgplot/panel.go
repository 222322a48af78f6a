package svgplot

import (
	"fmt"
	"math"
	"strings"
)

const (
	headHeight   = 22 // of a panel's title
	legendHeight = 18 // of a row of the legend
	swatch       = 18 // the piece of line in front of a name of the legend
	ticksEvery   = 90 // pixels of the x axis, about
	ticksRise    = 45 // pixels of the y axis, about
)

// A frame is where a panel's data are drawn.
type frame struct {
	left, top, right, bottom float64
	x, y                     scale
}

// place returns the pixels of a point; false if it has none.
func (r frame) place(p Point) (x, y float64, ok bool) {
	x = r.left + r.x.at(p.X)*(r.right-r.left)
	y = r.bottom - r.y.at(p.Y)*(r.bottom-r.top)
	return x, y, !math.IsNaN(x) && !math.IsNaN(y)
}

// panels draws all panels below top.
func (d *document) panels(top int) {
	cell := float64(d.Width-gap) / float64(d.Columns)
	// As many rows for each, so that the plots of a row stand side by side.
	rows, head := 0, 0
	for _, p := range d.Panels {
		rows = max(rows, len(legend(p.Lines, cell-gap)))
		if p.Title != "" {
			head = headHeight
		}
	}
	for i, p := range d.Panels {
		x := gap + float64(i%d.Columns)*cell
		y := float64(top + i/d.Columns*(d.PanelHeight+gap))
		d.panel(p, x, y, cell-gap, float64(head), rows)
	}
}

// panel draws one at x and y, with so much room for the title and the legend.
func (d *document) panel(p Panel, x, y, wide, head float64, legendRows int) {
	d.text(x, y+14, "head", "start", p.Title)
	d.legend(p.Lines, x, y+head, wide)
	r := frame{
		left: x, top: y + head + float64(legendRows*legendHeight) + gap,
		right: x + wide - gap, bottom: y + float64(d.PanelHeight) - 36,
	}
	r.x, r.y = d.scales(p, r)
	widest := 0.0
	for _, t := range r.y.ticks {
		widest = max(widest, width(r.y.text(t)))
	}
	r.left += widest + 8
	if p.Y.Label != "" {
		r.left += 16
		d.printf(`<g transform="translate(%.1f %.1f) rotate(-90)">`, x+10, (r.top+r.bottom)/2)
		d.text(0, 0, "soft", "middle", p.Y.Label)
		d.printf("</g>\n")
	}
	d.text((r.left+r.right)/2, r.bottom+32, "soft", "middle", p.X.Label)
	d.spans(p.Spans, r)
	d.axes(r)
	for i, l := range p.Lines {
		d.line(l, i, r)
	}
}

// scales are those of a panel, or of all panels together.
func (d *document) scales(p Panel, r frame) (x, y scale) {
	from := []Panel{p}
	if d.SameAxes {
		from, p = d.Panels, d.Panels[0]
	}
	var xs, ys []float64
	for _, p := range from {
		for _, l := range p.Lines {
			for _, pt := range l.Points {
				xs, ys = append(xs, pt.X), append(ys, pt.Y)
			}
		}
	}
	x = newScale(p.X, xs, int((r.right-r.left)/ticksEvery), false)
	y = newScale(p.Y, ys, int((r.bottom-r.top)/ticksRise), true)
	return x, y
}

// axes draws the grid, its texts and the two axes.
func (d *document) axes(r frame) {
	for _, t := range r.y.ticks {
		_, y, _ := r.place(Point{r.x.lo, t})
		d.printf(`<path class="grid" d="M%.1f %.1fH%.1f"/>`, r.left, y, r.right)
		d.text(r.left-6, y+4, "soft", "end", r.y.text(t))
	}
	for _, t := range r.x.ticks {
		x, _, _ := r.place(Point{t, r.y.lo})
		d.printf(`<path class="grid" d="M%.1f %.1fV%.1f"/>`, x, r.top, r.bottom)
		d.text(x, r.bottom+16, "soft", "middle", r.x.text(t))
	}
	d.printf(`<path class="frame" d="M%.1f %.1fV%.1fH%.1f"/>`+"\n", r.left, r.top, r.bottom, r.right)
}

// line draws a line: a path with a new start behind each gap.
func (d *document) line(l Line, i int, r frame) {
	var path, dots strings.Builder
	op := "M"
	for _, p := range l.Points {
		x, y, ok := r.place(p)
		if !ok {
			op = "M"
			continue
		}
		fmt.Fprintf(&path, "%s%.1f %.1f", op, x, y)
		op = "L"
		if l.Dots {
			fmt.Fprintf(&dots, "M%.1f %.1fh0", x, y)
		}
	}
	if path.Len() > 0 {
		d.printf(`<path class="%s" d="%s"/>`+"\n", l.class(i), path.String())
	}
	if dots.Len() > 0 {
		// A line without length and with round ends is a dot.
		d.printf(`<path class="line c%d" style="stroke-width:7" d="%s"/>`+"\n", l.colour(i), dots.String())
	}
}

// class is how the line is drawn that is the i-th of its panel.
func (l Line) class(i int) string {
	if l.Dashed || l.Colour == 0 && i >= colours {
		return fmt.Sprintf("line more c%d", l.colour(i))
	}
	return fmt.Sprintf("line c%d", l.colour(i))
}

func (l Line) colour(i int) int {
	if l.Colour > 0 {
		i = l.Colour - 1
	}
	return i % colours
}

// spans draws what lies of each span on the x axis; a moment is a thin line.
func (d *document) spans(spans []Span, r frame) {
	for _, s := range spans {
		if !(s.From <= s.To && s.From <= r.x.hi && s.To >= r.x.lo) { // or not a number
			continue
		}
		x, _, _ := r.place(Point{clamp(s.From, r.x), r.y.lo})
		end, _, _ := r.place(Point{clamp(s.To, r.x), r.y.lo})
		wide := max(end-x, 2)
		d.printf(`<rect class="span" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`+"\n",
			x, r.top, wide, r.bottom-r.top, escape(s.Name))
		if width(s.Name) <= wide {
			d.text(x+3, r.top+12, "soft", "start", s.Name)
			continue
		}
		d.printf(`<g transform="translate(%.1f %.1f) rotate(-90)">`, x+11, r.top+3)
		d.text(0, 0, "soft", "end", s.Name)
		d.printf("</g>\n")
	}
}

// clamp moves v to the nearer end of an axis that it is beyond.
func clamp(v float64, s scale) float64 { return max(s.lo, min(s.hi, v)) }

// legend breaks the indexes of the lines with names into rows that are not wider
// than wide, where that is possible.
func legend(lines []Line, wide float64) (rows [][]int) {
	left := 0.0
	for i, l := range lines {
		if l.Name == "" {
			continue
		}
		if need := entry(l.Name); len(rows) == 0 || need > left {
			rows = append(rows, nil)
			left = wide
		}
		last := len(rows) - 1
		rows[last] = append(rows[last], i)
		left -= entry(l.Name)
	}
	return rows
}

// entry is how wide a name is in the legend.
func entry(name string) float64 { return swatch + 6 + width(name) + 14 }

func (d *document) legend(lines []Line, x, y, wide float64) {
	for row, indexes := range legend(lines, wide) {
		at, base := x, y+float64(row*legendHeight)+12
		for _, i := range indexes {
			d.printf(`<path class="%s" d="M%.1f %.1fh%d"/>`, lines[i].class(i), at, base-4, swatch)
			d.text(at+swatch+6, base, "soft", "start", lines[i].Name)
			at += entry(lines[i].Name)
		}
	}
}

// Package svgplot writes line charts as SVG: panels with axes, round ticks,
// shaded spans and a legend, readable on a light and on a dark page.
//
//	fig := svgplot.Figure{
//		Title: "Latency",
//		Panels: []svgplot.Panel{{
//			X:     svgplot.Axis{Label: "connections", Log: true},
//			Y:     svgplot.Axis{Label: "ms"},
//			Lines: []svgplot.Line{{Name: "p50", Points: points}},
//		}},
//	}
//	err := fig.Write(file)
//
// What is written depends on the figure alone. It has no scripts and refers to
// nothing outside of it.
package svgplot

import "io"

// A Figure is a picture of one panel or several.
type Figure struct {
	// Title stands above the panels and is what a screen reader says.
	Title string
	// Width of the whole picture in pixels; default 860.
	Width int
	// PanelHeight is the height of each panel with its title and its legend;
	// default 340.
	PanelHeight int
	// Columns is how many panels stand side by side; default 1.
	Columns int
	// SameAxes gives all panels the same axes, which hold the points of all. The
	// labels, formats and Log of the first panel count.
	SameAxes bool
	// Panels from left to right, then downwards.
	Panels []Panel
}

// A Panel is a pair of axes with what stands between them.
type Panel struct {
	// Title stands above the panel.
	Title string
	// X and Y are the axes.
	X, Y Axis
	// Lines in the order of the legend. Colours follow the position.
	Lines []Line
	// Spans are shaded behind the lines.
	Spans []Span
}

// An Axis says how values become places. A linear axis always holds zero.
type Axis struct {
	// Label says what is counted, with its unit.
	Label string
	// Log is a logarithmic scale, on which values of zero and less have no place.
	Log bool
	// Format makes a tick's text; default 1.5k, 20M and so on.
	Format func(v float64) string
}

// A Line connects points in their order. A point that has no place on the axes
// (NaN, infinite, not positive on a logarithmic axis) is a gap.
type Line struct {
	// Name stands in the legend; a line without one is not there.
	Name string
	// Points in the order in which they are connected.
	Points []Point
	// Dots marks each point.
	Dots bool
	// Dashed breaks the line, to tell it from another one of its colour.
	Dashed bool
	// Colour is the number of the line's colour, from 1; default: that of its position.
	Colour int
}

// A Point is a value of each axis.
type Point struct{ X, Y float64 }

// A Span is a stretch of the x axis in which something was the case.
type Span struct {
	// From and To are values of the x axis; what lies outside of it is cut off. Equal
	// ones are a moment.
	From, To float64
	// Name stands in the span, upright if that is narrow.
	Name string
}

// Write writes the figure as a complete SVG document.
func (f Figure) Write(w io.Writer) error {
	d := newDocument(f.withDefaults())
	_, err := w.Write(d.bytes())
	return err
}

func (f Figure) withDefaults() Figure {
	orDefault := func(v *int, least, def int) {
		if *v < least {
			*v = def
		}
	}
	orDefault(&f.Width, 1, 860)
	orDefault(&f.PanelHeight, 1, 340)
	orDefault(&f.Columns, 1, 1)
	return f
}

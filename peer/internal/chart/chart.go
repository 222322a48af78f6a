// Package chart draws line charts as SVG: small files that need nothing else, and
// that can be read on a light and on a dark page.
package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// Chart is one chart. The y axis begins at 0.
type Chart struct {
	Title  string
	X, Y   string // names of the axes, with units
	LogX   bool   // every x must be positive
	Series []Series
	// Steps draws each value as a step that lasts to the next x.
	Steps bool
}

// Series is one line.
type Series struct {
	Name   string
	Points []Point // in the order of x
	Color  int     // number of the colour, from 0
	Dashed bool
}

// Point is one value.
type Point struct{ X, Y float64 }

// The picture, in its own units. Left and bottom have the axes' texts, the legend
// stands below them.
const (
	width, plotHeight        = 760.0, 300.0
	left, right, top, bottom = 72.0, 36.0, 44.0, 52.0
	legendLine               = 20.0
	legendColumn             = 350.0
)

// colors can be told apart by most people with a colour deficiency (Okabe and Ito,
// "Color Universal Design", 2008), and stand out on white and on black.
var colors = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

// style leaves the background to the page. Its greys have about the same contrast to
// white and to black: a page's scheme need not be that of the system.
const style = `text{font:12px system-ui,sans-serif;fill:#777}.title{font-size:15px;font-weight:600}` +
	`.grid{stroke:#8884;stroke-width:1}.axis{stroke:#888;stroke-width:1}.line{fill:none;stroke-width:2;stroke-linejoin:round}`

// SVG draws the chart.
func (c Chart) SVG() string {
	f := c.frame()
	var b strings.Builder
	height := top + plotHeight + bottom + legendLine*float64((len(c.Series)+1)/2)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" role="img" aria-label="%s">`+"\n<style>%s</style>\n",
		width, height, html.EscapeString(c.Title), style)
	text(&b, left, 24, "start", "title", c.Title)
	f.axes(&b, c)
	for _, s := range c.Series {
		fmt.Fprintf(&b, `<path class="line" stroke="%s"%s d="%s"/>`+"\n", s.color(), s.dash(), f.path(s.Points, c.Steps))
		if c.Steps {
			continue
		}
		for _, p := range s.Points {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", f.x(p.X), f.y(p.Y), s.color())
		}
	}
	c.legend(&b)
	b.WriteString("</svg>\n")
	return b.String()
}

func (c Chart) legend(b *strings.Builder) {
	for i, s := range c.Series {
		x, y := left+legendColumn*float64(i%2), top+plotHeight+bottom+legendLine*float64(i/2)
		fmt.Fprintf(b, `<path class="line" stroke="%s"%s d="M%g %gh28"/>`+"\n", s.color(), s.dash(), x, y)
		text(b, x+36, y+4, "start", "", s.Name)
	}
}

func (s Series) color() string { return colors[s.Color%len(colors)] }

func (s Series) dash() string {
	if s.Dashed {
		return ` stroke-dasharray="6 4"`
	}
	return ""
}

func text(b *strings.Builder, x, y float64, anchor, class, s string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>`+"\n", x, y, anchor, class, html.EscapeString(s))
}

// frame maps values to the picture.
type frame struct {
	log            bool
	minX, maxX     float64 // as they are, or their logarithms
	maxY           float64
	xTicks, yTicks []float64
}

func (c Chart) frame() frame {
	f := frame{log: c.LogX, minX: math.Inf(1), maxX: math.Inf(-1)}
	for _, s := range c.Series {
		for _, p := range s.Points {
			f.minX, f.maxX = min(f.minX, f.scale(p.X)), max(f.maxX, f.scale(p.X))
			f.maxY = max(f.maxY, p.Y)
		}
	}
	if f.minX > f.maxX {
		f.minX, f.maxX = 0, 1
	}
	if f.minX == f.maxX {
		f.maxX++
	}
	step := tick(f.maxY)
	f.maxY = max(step, math.Ceil(f.maxY/step)*step)
	for y := 0.0; y <= f.maxY+step/2; y += step {
		f.yTicks = append(f.yTicks, y)
	}
	f.xTicks = f.ticksX()
	return f
}

func (f frame) ticksX() (ticks []float64) {
	if f.log {
		for e := math.Ceil(f.minX - 1e-9); e <= f.maxX+1e-9; e++ {
			ticks = append(ticks, math.Pow(10, e))
		}
		return ticks
	}
	step := tick(f.maxX - f.minX)
	for x := math.Ceil(f.minX/step) * step; x <= f.maxX+step/1e6; x += step {
		ticks = append(ticks, x)
	}
	return ticks
}

// tick is a round step that cuts a range into 4 to 10 pieces.
func tick(span float64) float64 {
	if span <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(span)))
	switch {
	case span/unit >= 5:
		return unit
	case span/unit >= 2:
		return unit / 2
	}
	return unit / 4
}

func (f frame) scale(x float64) float64 {
	if f.log {
		return math.Log10(x)
	}
	return x
}

func (f frame) x(x float64) float64 {
	return left + (f.scale(x)-f.minX)/(f.maxX-f.minX)*(width-left-right)
}

func (f frame) y(y float64) float64 { return top + (1-y/f.maxY)*plotHeight }

func (f frame) path(points []Point, steps bool) string {
	var b strings.Builder
	for i, p := range points {
		switch {
		case i == 0:
			fmt.Fprintf(&b, "M%.1f %.1f", f.x(p.X), f.y(p.Y))
		case steps:
			fmt.Fprintf(&b, "H%.1fV%.1f", f.x(p.X), f.y(p.Y))
		default:
			fmt.Fprintf(&b, "L%.1f %.1f", f.x(p.X), f.y(p.Y))
		}
	}
	return b.String()
}

func (f frame) axes(b *strings.Builder, c Chart) {
	for _, y := range f.yTicks {
		fmt.Fprintf(b, `<path class="grid" d="M%g %.1fH%g"/>`+"\n", left, f.y(y), width-right)
		text(b, left-8, f.y(y)+4, "end", "", number(y))
	}
	for _, x := range f.xTicks {
		fmt.Fprintf(b, `<path class="axis" d="M%.1f %gv5"/>`+"\n", f.x(x), top+plotHeight)
		text(b, f.x(x), top+plotHeight+18, "middle", "", number(x))
	}
	fmt.Fprintf(b, `<path class="axis" d="M%g %gH%g"/>`+"\n", left, top+plotHeight, width-right)
	text(b, (left+width-right)/2, top+plotHeight+36, "middle", "", c.X)
	fmt.Fprintf(b, `<text transform="translate(16 %g) rotate(-90)" text-anchor="middle">%s</text>`+"\n",
		top+plotHeight/2, html.EscapeString(c.Y))
}

// number writes a tick with its thousands apart.
func number(x float64) string {
	whole, part, _ := strings.Cut(strconv.FormatFloat(x, 'f', -1, 64), ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if part != "" {
		return whole + "." + part[:min(len(part), 3)]
	}
	return whole
}

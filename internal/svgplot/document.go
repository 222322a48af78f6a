package svgplot

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"unicode/utf8"
)

const (
	titleHeight = 30 // of the figure's title
	gap         = 10 // around and between panels
	fontSize    = 12
)

// style has every colour, once for light and once for dark pages. It needs no more
// of a renderer than classes; one that does not know the media query draws light.
const style = `
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#24292f}
.title{font-size:15px;font-weight:600}.head{font-size:13px;font-weight:600}
.soft{fill:#57606a;font-size:11px}
.paper{fill:#fff}.grid{stroke:#d0d7de;stroke-width:1;fill:none}.frame{stroke:#57606a;stroke-width:1;fill:none}
.span{fill:#cf222e;fill-opacity:.09}
.line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.more{stroke-dasharray:6 5}
.c0{stroke:#0969da}.c1{stroke:#bc4c00}.c2{stroke:#1a7f37}.c3{stroke:#8250df}.c4{stroke:#cf222e}.c5{stroke:#9a6700}.c6{stroke:#1b7c83}.c7{stroke:#bf3989}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.soft{fill:#9198a1}
.paper{fill:#0d1117}.grid{stroke:#30363d}.frame{stroke:#9198a1}
.span{fill:#ff7b72;fill-opacity:.16}
.c0{stroke:#58a6ff}.c1{stroke:#f0883e}.c2{stroke:#3fb950}.c3{stroke:#bc8cff}.c4{stroke:#ff7b72}.c5{stroke:#d29922}.c6{stroke:#56d4dd}.c7{stroke:#f778ba}
}
`

// colours is how many there are in style. Lines beyond them are dashed.
const colours = 8

// A document is an SVG in the making.
type document struct {
	Figure
	buf bytes.Buffer
}

func newDocument(f Figure) *document {
	d := &document{Figure: f}
	rows := (len(f.Panels) + f.Columns - 1) / f.Columns
	top := gap
	if f.Title != "" {
		top += titleHeight
	}
	height := top + rows*(f.PanelHeight+gap)
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n",
		f.Width, height, f.Width, height)
	d.printf("<title>%s</title>\n<style>%s</style>\n", escape(f.Title), style)
	d.printf(`<rect class="paper" width="%d" height="%d"/>`+"\n", f.Width, height)
	if f.Title != "" {
		d.text(gap, gap+15, "title", "start", f.Title)
	}
	d.panels(top)
	d.printf("</svg>\n")
	return d
}

func (d *document) bytes() []byte { return d.buf.Bytes() }

func (d *document) printf(format string, args ...any) { fmt.Fprintf(&d.buf, format, args...) }

// text writes s; anchor is which part of it is at x: start, middle or end.
func (d *document) text(x, y float64, class, anchor, s string) {
	if s == "" {
		return
	}
	d.printf(`<text class="%s" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, escape(s))
}

// escape makes any string one that XML can hold.
func escape(s string) string {
	var b bytes.Buffer
	// A bytes.Buffer returns no error.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

// width is about as wide as s is drawn: fonts differ, and 0.58 of the size is
// what digits and mixed text have in common ones.
func width(s string) float64 { return 0.58 * fontSize * float64(utf8.RuneCountInString(s)) }

package svgplot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// An element of the document, with the text directly in it.
type element struct {
	name, text string
	attr       map[string]string
}

// write returns the elements of a figure as an XML reader sees them.
func write(t *testing.T, f Figure) []element {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	dec := xml.NewDecoder(&out)
	var all []element
	var open []int
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			require.Empty(t, open)
			return all
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			open = append(open, len(all))
			all = append(all, e)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				all[open[len(open)-1]].text += string(token)
			}
		}
	}
}

// texts are the texts that are drawn.
func texts(all []element) (s []string) {
	for _, e := range all {
		if e.name == "text" {
			s = append(s, e.text)
		}
	}
	return s
}

// lines are the paths of the data; those of the legend have no absolute L.
func lines(all []element) (paths []string) {
	for _, e := range all {
		if e.name == "path" && strings.HasPrefix(e.attr["class"], "line") && strings.Contains(e.attr["d"], "L") {
			paths = append(paths, e.attr["d"])
		}
	}
	return paths
}

var pair = regexp.MustCompile(`(-?[0-9.]+) (-?[0-9.]+)`)

// pixels are the points of a path.
func pixels(t *testing.T, path string) (p []Point) {
	t.Helper()
	for _, m := range pair.FindAllStringSubmatch(path, -1) {
		x, err := strconv.ParseFloat(m[1], 64)
		require.NoError(t, err)
		y, err := strconv.ParseFloat(m[2], 64)
		require.NoError(t, err)
		p = append(p, Point{x, y})
	}
	return p
}

func one(l ...Line) Figure { return Figure{Panels: []Panel{{Lines: l}}} }

func TestLineIsInsideAndTheRightWayUp(t *testing.T) {
	t.Parallel()
	all := write(t, one(Line{Name: "a", Points: []Point{{0, 0}, {1, 10}, {2, 5}}}))
	paths := lines(all)
	require.Len(t, paths, 1)
	p := pixels(t, paths[0])
	require.Len(t, p, 3)
	assert.InDelta(t, (p[0].X+p[2].X)/2, p[1].X, 0.2, "x is linear")
	assert.InDelta(t, (p[0].Y+p[1].Y)/2, p[2].Y, 0.2, "y is linear")
	assert.Less(t, p[1].Y, p[0].Y, "more is higher")
	for _, q := range p {
		assert.Greater(t, q.X, 0.0)
		assert.Less(t, q.X, 860.0)
		assert.Greater(t, q.Y, 0.0)
		assert.Less(t, q.Y, 350.0)
	}
	assert.Equal(t, "svg", all[0].name)
	assert.Equal(t, "860", all[0].attr["width"])
}

func TestLogarithmicAxis(t *testing.T) {
	t.Parallel()
	f := one(Line{Name: "a", Points: []Point{{1, 1}, {100, 2}, {10_000, 3}}})
	f.Panels[0].X.Log = true
	all := write(t, f)
	p := pixels(t, lines(all)[0])
	assert.InDelta(t, (p[0].X+p[2].X)/2, p[1].X, 0.2, "100 is half way from 1 to 10,000")
	assert.Subset(t, texts(all), []string{"1", "10", "100", "1k", "10k"})
}

func TestPointsWithoutAPlaceAreGaps(t *testing.T) {
	t.Parallel()
	f := one(Line{Points: []Point{{1, 1}, {2, 2}, {0, 5}, {3, 3}, {4, math.NaN()}, {5, 4}, {6, math.Inf(1)}, {7, 5}, {8, 6}}})
	f.Panels[0].X.Log = true
	var out bytes.Buffer
	require.NoError(t, f.Write(&out))
	assert.NotRegexp(t, `NaN|Inf`, out.String())
	paths := lines(write(t, f))
	require.Len(t, paths, 1)
	assert.Equal(t, 4, strings.Count(paths[0], "M"))
	assert.Len(t, pixels(t, paths[0]), 6)
}

func TestTextIsEscaped(t *testing.T) {
	t.Parallel()
	const nasty = "a<b>&\"'</text>\x00\x1b é"
	const read = "a<b>&\"'</text>\uFFFD\uFFFD é"
	all := write(t, Figure{Title: nasty, Panels: []Panel{{
		Title: nasty, X: Axis{Label: nasty}, Y: Axis{Label: nasty, Format: func(float64) string { return nasty }},
		Lines: []Line{{Name: nasty, Points: []Point{{0, 0}, {1, 1}}}},
		Spans: []Span{{From: 0, To: 1, Name: nasty}},
	}}})
	n := 0
	for _, s := range texts(all) {
		if s == read {
			n++
		}
	}
	assert.GreaterOrEqual(t, n, 8, "title, head, two labels, name, span, at least two ticks: %q", texts(all))
}

func TestFiguresWithoutDataAreDrawn(t *testing.T) {
	t.Parallel()
	write(t, Figure{})
	write(t, one())
	write(t, one(Line{Name: "empty"}))
	write(t, one(Line{Points: []Point{{5, 5}}, Dots: true}))
	f := one(Line{Points: []Point{{5, 5}}})
	f.Panels[0].X.Log, f.Panels[0].Y.Log = true, true
	write(t, f)
	f.Panels[0].Lines = nil
	write(t, f)
}

func TestDotsAreWhereThePointsAre(t *testing.T) {
	t.Parallel()
	all := write(t, one(Line{Points: []Point{{0, 0}, {1, 1}, {2, 4}}, Dots: true}))
	var dots string
	for _, e := range all {
		if strings.Contains(e.attr["style"], "stroke-width") {
			dots = e.attr["d"]
		}
	}
	assert.Equal(t, pixels(t, lines(all)[0]), pixels(t, dots))
}

func TestSpansAreCutAtTheAxis(t *testing.T) {
	t.Parallel()
	f := one(Line{Points: []Point{{0, 0}, {10, 1}}})
	f.Panels[0].Spans = []Span{
		{From: 2, To: 6, Name: "stop"}, {From: 9, To: 99, Name: "late"}, {From: 20, To: 30, Name: "beyond"},
		{From: 6, To: 6, Name: "a moment"}, {From: 7, To: 7.01, Name: "narrow"}, {From: math.NaN(), To: 3}, {From: 5, To: 4},
	}
	all := write(t, f)
	var spans []element
	for _, e := range all {
		if e.attr["class"] == "span" {
			spans = append(spans, e)
		}
	}
	require.Len(t, spans, 4)
	num := func(e element, name string) float64 {
		v, err := strconv.ParseFloat(e.attr[name], 64)
		require.NoError(t, err)
		return v
	}
	p := pixels(t, lines(all)[0])
	wide := p[1].X - p[0].X
	assert.InDelta(t, p[0].X+0.2*wide, num(spans[0], "x"), 0.2)
	assert.InDelta(t, 0.4*wide, num(spans[0], "width"), 0.2)
	assert.InDelta(t, p[1].X, num(spans[1], "x")+num(spans[1], "width"), 0.2)
	assert.Contains(t, texts(all), "stop")
	assert.Contains(t, texts(all), "a moment")
	assert.NotContains(t, texts(all), "beyond")
	assert.InDelta(t, 2, num(spans[2], "width"), 0.1)
}

func TestSameAxesHoldThePointsOfAllPanels(t *testing.T) {
	t.Parallel()
	f := Figure{Columns: 2, Panels: []Panel{
		{Lines: []Line{{Points: []Point{{0, 0}, {1, 10}}}}},
		{Lines: []Line{{Points: []Point{{0, 0}, {2, 1000}}}}},
	}}
	p := lines(write(t, f))
	assert.InDelta(t, pixels(t, p[0])[1].Y, pixels(t, p[1])[1].Y, 0.2, "each fills its own")
	f.SameAxes = true
	p = lines(write(t, f))
	a, b := pixels(t, p[0]), pixels(t, p[1])
	assert.InDelta(t, (a[0].Y-a[1].Y)*100, b[0].Y-b[1].Y, 20)
	assert.InDelta(t, (a[1].X-a[0].X)*2, b[1].X-b[0].X, 1)
	assert.Greater(t, b[0].X, a[1].X, "side by side")
}

func TestLegendWrapsAndLeavesNamelessLinesOut(t *testing.T) {
	t.Parallel()
	all := []Line{{Name: "accepted"}, {}, {Name: "delivered"}, {Name: "a name that is longer than there is room for"}}
	assert.Equal(t, [][]int{{0, 2}, {3}}, legend(all, 240))
	assert.Equal(t, [][]int{{0}, {2}, {3}}, legend(all, 10))
	assert.Equal(t, [][]int{{0, 2, 3}}, legend(all, 1000))
	assert.Empty(t, legend(nil, 100))
}

// Every class that is used has a style, in both modes where it has a colour.
func TestEveryClassHasAStyle(t *testing.T) {
	t.Parallel()
	var many []Line
	for range 2 * colours {
		many = append(many, Line{Name: "n", Points: []Point{{0, 0}, {1, 1}}, Dots: true})
	}
	f := Figure{Title: "T", Panels: []Panel{{Title: "P", X: Axis{Label: "x"}, Lines: many, Spans: []Span{{0, 1, "s"}}}}}
	light, dark, ok := strings.Cut(style, "@media (prefers-color-scheme:dark)")
	require.True(t, ok)
	for _, e := range write(t, f) {
		for _, c := range strings.Fields(e.attr["class"]) {
			assert.Contains(t, light, "."+c+"{")
			if regexp.MustCompile(`^(c\d|paper|grid|frame|span|soft)$`).MatchString(c) {
				assert.Contains(t, dark, "."+c+"{")
			}
		}
	}
	assert.Equal(t, "line c0", Line{}.class(0))
	assert.NotEqual(t, Line{}.class(0), Line{}.class(colours))
	assert.Equal(t, "line c2", Line{Colour: 3}.class(7))
	assert.Equal(t, "line more c2", Line{Colour: 3, Dashed: true}.class(0))
}

type brokenWriter struct{}

var errBroken = errors.New("disk full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWriteReturnsTheError(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, one().Write(brokenWriter{}), errBroken)
}

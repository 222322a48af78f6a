package chart

import (
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestChartIsWellFormedAndInItsFrame(t *testing.T) {
	t.Parallel()
	c := Chart{Title: "a < b & c", X: "subscriptions", Y: "ns", LogX: true, Series: []Series{
		{Name: `"ours"`, Points: []Point{{1, 90}, {1000, 250}, {100_000, 4100}}},
		{Name: "incumbent", Color: 1, Dashed: true, Points: []Point{{1, 0}, {100_000, 3900}}},
	}}
	svg := c.SVG()
	d := xml.NewDecoder(strings.NewReader(svg))
	texts := ""
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		if s, ok := token.(xml.CharData); ok {
			texts += string(s) + "|"
		}
	}
	for _, want := range []string{"a < b & c", `"ours"`, "incumbent", "subscriptions", "ns", "100,000", "4,500"} {
		assert.Contains(t, texts, want+"|")
	}
	circles := regexp.MustCompile(`cx="([^"]+)" cy="([^"]+)"`).FindAllStringSubmatch(svg, -1)
	require.Len(t, circles, 5)
	assert.Equal(t, []string{"72.0", "338.0"}, circles[0][1:], "x of 1 is the left end; 90 of 4,500 is a fiftieth of the height")
	assert.Equal(t, "724.0", circles[2][1])
	assert.Equal(t, []string{"72.0", "344.0"}, circles[3][1:], "0 lies on the axis")
}

func TestTicks(t *testing.T) {
	t.Parallel()
	for max, want := range map[float64]float64{0: 1, 0.7: 0.1, 1: 0.25, 3: 0.5, 9: 1, 10: 2.5, 4100: 500, 99_999: 10_000} {
		assert.InDelta(t, want, tick(max), 1e-9, max)
	}
	assert.Equal(t, "1,234,567", number(1_234_567))
	assert.Equal(t, "0.25", number(0.25))
	assert.Equal(t, "100", number(100))
}

func TestChartsWithoutPointsOrRange(t *testing.T) {
	t.Parallel()
	assert.NotContains(t, Chart{}.SVG(), "NaN")
	one := Chart{Steps: true, Series: []Series{{Points: []Point{{5, 0}}}}}.SVG()
	assert.NotContains(t, one, "NaN")
	assert.NotContains(t, one, "Inf")
}

func TestSteps(t *testing.T) {
	t.Parallel()
	svg := Chart{Steps: true, Series: []Series{{Points: []Point{{0, 1}, {1, 0}}}}}.SVG()
	assert.Contains(t, svg, `d="M72.0 44.0H724.0V344.0"`)
	assert.NotContains(t, svg, "<circle")
}

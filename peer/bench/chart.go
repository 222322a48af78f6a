package main

import (
	"fmt"
	"html"
	"strings"
)

// The chart is a bar for each row of the table: the processor time of one operation,
// as the ratio to the incumbent's, with a mark at the goal.
const (
	chartWidth = 860
	barHeight  = 16
	barStep    = 24
	nameWidth  = 320
	chartTop   = 56
	perUnit    = 400 // pixels of the ratio 1
	mostRatio  = 1.3 // longer bars are cut
)

const chartStyle = `
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}
.paper{fill:#fff}.bar{fill:#0969da}.slow{fill:#cf222e}.one{stroke:#57606a}.goal{stroke:#1a7f37;stroke-width:3}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.bar{fill:#58a6ff}.slow{fill:#ff7b72}.one{stroke:#9198a1}.goal{stroke:#3fb950}}
`

// chart draws the rows that are ratios.
func chart(rows []row) string {
	var bars strings.Builder
	y := chartTop
	for _, r := range rows {
		if r.idle || len(r.samples[incumbent]) == 0 {
			continue
		}
		ratio, class := r.ratio(cpu), "bar"
		if ratio > 1 {
			class = "slow"
		}
		width := min(ratio, mostRatio) * perUnit
		fmt.Fprintf(&bars, `<text x="%d" y="%d" text-anchor="end">%s</text>`+"\n", nameWidth-8, y+12, html.EscapeString(r.name))
		fmt.Fprintf(&bars, `<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>`+"\n", class, nameWidth, y, width, barHeight)
		fmt.Fprintf(&bars, `<text x="%.1f" y="%d">%.2f</text>`+"\n", nameWidth+width+6, y+12, ratio)
		if r.goal > 0 {
			upright(&bars, "goal", r.goal, y-2, y+barHeight+2)
		}
		y += barStep
	}
	upright(&bars, "one", 1, chartTop-8, y)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img">`+"\n",
		chartWidth, y+12, chartWidth, y+12)
	title := "Processor time of one operation, ours / incumbent (shorter is better)"
	fmt.Fprintf(&b, "<title>%s</title>\n<style>%s</style>\n", title, chartStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/><text class="title" x="12" y="24">%s</text>`+"\n",
		chartWidth, y+12, title)
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">1 = incumbent; green: goal</text>`+"\n", nameWidth+perUnit, chartTop-12)
	return b.String() + bars.String() + "</svg>\n"
}

func upright(b *strings.Builder, class string, ratio float64, from, to int) {
	x := nameWidth + ratio*perUnit
	fmt.Fprintf(b, `<line class="%s" x1="%.1f" x2="%.1f" y1="%d" y2="%d"/>`+"\n", class, x, x, from, to)
}

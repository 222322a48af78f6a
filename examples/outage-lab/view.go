package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/natsring/nats.go/examples/internal/human"
	"github.com/natsring/nats.go/internal/outagelab"
)

// A view is what is on the screen.
type view struct {
	outagelab.Sample
	mode              string
	rate              int
	faults            outagelab.Faults
	bufBytes, bufMsgs int
	events            []event
	accepted          []float64 // per second, one a draw, the last one now
	delivered         []float64
}

// A counter is a figure with its name.
type counter struct {
	name string
	n    int
}

// counters are the figures of a sample. The first ones are always of interest.
func counters(s outagelab.Sample) []counter {
	inFlight := s.Accepted - s.Delivered - s.GivenUp - s.Lost - (s.Msgs - s.Unconfirmed)
	return []counter{
		{"accepted", s.Accepted}, {"delivered", s.Delivered}, {"buffered", s.Msgs - s.Unconfirmed},
		{"in flight", max(0, inFlight)}, {"unconfirmed", s.Unconfirmed}, {"confirmed", s.Confirmed},
		{"refused", s.Refused}, {"given up", s.GivenUp}, {"repeated", s.Repeated}, {"late", s.Late}, {"lost", s.Lost},
	}
}

// narrowest is the least width that is drawn for.
const narrowest = 30

// lines draws the view in lines that are not wider than wide.
func (v *view) lines(wide int) []string {
	wide = max(wide, narrowest)
	out := fill(wide, "   ", "outage lab", fmt.Sprintf("%.1fs", v.At.Seconds()), v.Status,
		human.Commas(v.rate)+" messages/s", "mode "+v.mode)
	out = append(out, "")
	out = append(out, v.ring(wide)...)
	out = append(out, "")
	var figures []string
	for _, c := range counters(v.Sample) {
		figures = append(figures, fmt.Sprintf("%-11s %11s", c.name, human.Commas(c.n)))
	}
	out = append(out, fill(wide, "    ", figures...)...)
	out = append(out, "", spark("accepted/s ", v.accepted, wide), spark("delivered/s", v.delivered, wide), "")
	for _, e := range v.events {
		out = append(out, clip(fmt.Sprintf("%7.1fs  %s", e.at.Seconds(), e.text), wide))
	}
	for range keptEvents - len(v.events) {
		out = append(out, "")
	}
	return append(append(out, ""), fill(wide, "  ", v.help()...)...)
}

// help are the keys; a star is at those whose fault is on.
func (v *view) help() []string {
	on := func(fault bool, text string) string {
		if fault {
			return "*" + text
		}
		return text
	}
	return []string{
		"c cut", "h half-close", on(v.faults.BlackHole, "b black hole"), on(v.faults.Throttled, "t throttle"),
		on(v.faults.Refusing, "r refuse"), on(v.faults.Stopped, "s stop/start"), "+ - rate", "q quit",
	}
}

// ring draws what the client holds against its limit, by the limit that is nearer.
func (v *view) ring(wide int) []string {
	held, unconfirmed, limit := v.Bytes, v.UnconfirmedBytes, v.bufBytes
	if v.bufMsgs > 0 && v.Msgs*v.bufBytes > v.Bytes*v.bufMsgs {
		held, unconfirmed, limit = v.Msgs, v.Unconfirmed, v.bufMsgs
	}
	cells := wide - 2
	// What is there at all has a cell.
	part := func(n int) int { return min(cells, (n*cells+limit-1)/limit) }
	sent := part(unconfirmed)
	full := max(sent, part(held))
	if held > unconfirmed {
		full = min(cells, max(full, sent+1))
	}
	bar := "[" + strings.Repeat("▒", sent) + strings.Repeat("█", full-sent) + strings.Repeat("·", cells-full) + "]"
	most := human.Size(v.bufBytes)
	if v.bufMsgs > 0 {
		most += " or " + human.Commas(v.bufMsgs) + " messages"
	}
	return append([]string{bar}, fill(wide, "   ",
		"▒ sent, not confirmed", "█ not sent", "· free",
		"holds "+human.Commas(v.Msgs)+" messages", human.Size(v.Bytes), "of "+most)...)
}

// fill puts words into lines, as many as fit into each.
func fill(wide int, space string, words ...string) (lines []string) {
	line := ""
	for _, w := range words {
		w = clip(w, wide)
		switch {
		case line == "":
			line = w
		case utf8.RuneCountInString(line+space+w) > wide:
			lines = append(lines, strings.TrimRight(line, " "))
			line = w
		default:
			line += space + w
		}
	}
	return append(lines, strings.TrimRight(line, " "))
}

// clip cuts s off behind so many characters.
func clip(s string, wide int) string {
	if r := []rune(s); len(r) > wide {
		return string(r[:wide])
	}
	return s
}

var levels = []rune("▁▂▃▄▅▆▇█")

// spark draws the last values as a line of bars under the highest of them.
func spark(name string, values []float64, wide int) string {
	now := 0.0
	if len(values) > 0 {
		now = values[len(values)-1]
	}
	text := fmt.Sprintf("%s %9s ", name, human.Commas(int(now+0.5)))
	room := max(0, wide-utf8.RuneCountInString(text))
	values = values[max(0, len(values)-room):]
	if len(values) == 0 {
		return clip(text, wide)
	}
	top := max(slices.Max(values), 1)
	bars := make([]rune, len(values))
	for i, v := range values {
		bars[i] = levels[int(v/top*float64(len(levels)-1)+0.5)]
	}
	return text + string(bars)
}

// A history turns samples into rates.
type history struct {
	last                outagelab.Sample
	accepted, delivered []float64
}

// keptRates are more than a screen is wide.
const keptRates = 512

func (h *history) add(s outagelab.Sample) {
	if took := (s.At - h.last.At).Seconds(); took >= time.Millisecond.Seconds() {
		keep := func(rates []float64, n int) []float64 {
			rates = append(rates, float64(n)/took)
			return rates[max(0, len(rates)-keptRates):]
		}
		h.accepted = keep(h.accepted, s.Accepted-h.last.Accepted)
		h.delivered = keep(h.delivered, s.Delivered-h.last.Delivered)
		h.last = s
	}
}

package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// barWidth is the length of the longest bar of a histogram.
const barWidth = 60

// bins counts the times in bins of a width, from 0 to the last.
func bins(at []time.Duration, width time.Duration) []int {
	if len(at) == 0 {
		return nil
	}
	counts := make([]int, slices.Max(at)/width+1)
	for _, t := range at {
		counts[t/width]++
	}
	return counts
}

// histogram draws the bins, with the time at which each begins. Bins without anything
// at the end, or many of them in the middle, are left out.
func histogram(at []time.Duration, width time.Duration) string {
	counts := bins(at, width)
	if counts == nil {
		return "nothing\n"
	}
	var b strings.Builder
	most := slices.Max(counts)
	for i, n := range counts {
		if n == 0 && i > 0 && counts[i-1] == 0 {
			if i > 1 && counts[i-2] != 0 {
				b.WriteString("    ...\n")
			}
			continue
		}
		bar := strings.Repeat("#", (n*barWidth+most-1)/most)
		b.WriteString(strings.TrimRight(fmt.Sprintf("%6.1f s %5d %s", (time.Duration(i)*width).Seconds(), n, bar), " ") + "\n")
	}
	return b.String()
}

// text is a result for people.
func (r result) text(p plan) string {
	return fmt.Sprintf("%s: %d attempts, at most %d in 100 ms, all back after %.1f s\n\n%s",
		r.name, len(r.attempts), r.peak, r.back.Seconds(), histogram(r.attempts, p.bin))
}

// table is the results in Markdown.
func table(results []result) string {
	var b strings.Builder
	b.WriteString("| | attempts | most in 100 ms | most in 100 ms once there was a server | all back after | since there was a server |\n| --- | --: | --: | --: | --: | --: |\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %.1f s | %.1f s |\n", r.name, len(r.attempts), r.peak, r.rush, r.back.Seconds(), (r.back - r.open).Seconds())
	}
	return b.String()
}

// document is the page.
func document(p plan, results []result) string {
	var b strings.Builder
	fmt.Fprintf(&b, `# The thundering herd

Made by `+"`go run ./herd`"+` in `+"`peer`"+` on %s, with %s, nats-server %s and the incumbent %s, on a machine with
%d cores that clients, servers and proxy share.

%d connections are at one server. First it is stopped, and comes back after %v: the clients pause for %v and up to %v of
jitter, the default of both, or with `+"`ReconnectBackoff(%v, %v)`, or `ReconnectBackoff(%v, %v)`"+`. Then it
goes into lame duck mode (grace period %v, duration %v), and there is another one: the clients stay until they are dropped, or
leave with `+"`ReconnectOnLameDuck`"+`, at once or over %v. What is counted is the connections that come in at a proxy in front
of the server that is come to; while that is down the proxy takes them and resets them.

`, time.Now().Format(time.DateOnly), runtime.Version(), version("github.com/nats-io/nats-server/v2"), version("github.com/nats-io/nats.go"),
		runtime.NumCPU(), p.clients, p.down, p.wait, p.jitter, p.least, p.most, p.later, p.most, p.grace, 3*p.grace, p.spread)
	b.WriteString(table(results))
	b.WriteString(`
Waits with a little jitter keep the clients together: the same burst comes at each of their ends, and all of it meets the
server when it is back. Pauses over the whole of a range that grows have only the first attempts close together, and those
only if the range begins small; the longer the outage, the thinner they come. The price is that the last one comes back up to
the longest pause later. In lame duck mode the server drops its clients one by one over the time behind its grace period, each
at a moment that is the server's choice. Clients that leave by themselves choose it, and lose nothing that they publish;
without a spread they come all at once.

Attempts over time, from the loss or the signal on:
`)
	for _, r := range results {
		fmt.Fprintf(&b, "\n## %s\n\n```\n%s```\n", r.name, histogram(r.attempts, p.bin))
	}
	return b.String()
}

// version is that of a module of this program.
func version(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown version"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "of unknown version"
}

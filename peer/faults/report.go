package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// table is the result in Markdown.
func table(all []result) string {
	var b strings.Builder
	b.WriteString("| fault | client | sessions | accepted | lost | lost a session | repeated | out of order | stuck | longest Publish |\n")
	b.WriteString("| --- | --- | --: | --: | --: | --: | --: | --: | --- | --: |\n")
	for _, r := range all {
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %s | %.0f | %d | %d | %s | %.0f ms |\n", r.Kind, r.Mode, r.Sessions, r.Accepted,
			r.lost(), r.perSession(), r.Repeated, r.Overtaken, map[bool]string{true: "**yes**", false: "no"}[r.Stuck],
			float64(r.Longest)/float64(time.Millisecond))
	}
	return b.String()
}

func (r result) lost() string {
	text := fmt.Sprint(r.Lost)
	if r.Excused > 0 {
		text += fmt.Sprintf(" (%d)", r.Lost-r.Excused)
	}
	if r.Refused > 0 {
		text += fmt.Sprintf(", %d refused", r.Refused)
	}
	return text
}

// perSession is what the end of one session has cost.
func (r result) perSession() float64 { return float64(r.Lost) / float64(max(r.Sessions-1, 1)) }

// document is docs/FAULTS.md.
func document(all []result) string {
	var l load
	for _, r := range all {
		if l.For = r.For; r.Mode == streamMode {
			l.StreamRate = r.Rate
		} else {
			l.Rate = r.Rate
		}
		l.Seed = r.Seed
	}
	return fmt.Sprintf(`# Faults

Made by `+"`go run ./faults`"+` in `+"`peer`"+` on %s, with %s on %d processors
(%s), %s/%s; nats-server %s, and as the incumbent nats.go %s.

Each client goes through each kind of fault for %v, with %d messages of %d bytes a second (%d into a stream),
through a proxy on the loopback interface, with a reconnect buffer of %d MiB that does not fill up. The faults and their
pauses come from one random source (seed %d), the same for all clients; the exact moment is the machine's, so the figures of
two runs differ by some percent, and a cell in which nothing was lost says that of one run.

- **reset, blackhole, half-close, throttle, mixed** are those of `+"`internal/faultplan`"+`; **%s** is a nats-server in a
  process of its own that dies by SIGKILL and is started again.
- **sessions** are connections of the client that reached a server; **lost a session** is lost by the number of their ends.
- **lost**: `+"`Publish`"+` had returned nil, and a subscriber that is connected directly, or the stream, has not got the
  message. Where a second figure stands, it is of those that no server had confirmed: the others a server had, and died with.
- **out of order**: first deliveries behind a later message. **stuck**: not back %v after the last fault.

%s`, time.Now().UTC().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(), processor(), runtime.GOOS, runtime.GOARCH,
		version("github.com/nats-io/nats-server/v2"), version("github.com/nats-io/nats.go"),
		l.For, l.Rate, messageSize, l.StreamRate, bufferBytes>>20, l.Seed, kill, patience, table(all))
}

// version of a module that this program is built with.
func version(path string) string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range build.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}

// processor is the model's name, where the system tells.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if key, name, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return "unknown"
}

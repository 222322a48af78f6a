// Package machine says what the commands of this module measure with and on: the
// processor time and memory of this process, the versions, the machine.
package machine

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
)

// Memory counts the memory in use, after a collection if that is asked for.
func Memory(collect bool) (m runtime.MemStats) {
	if collect {
		runtime.GC()
		runtime.GC() // pools keep their things over one
	}
	runtime.ReadMemStats(&m)
	return m
}

// CPUTime is the processor time of this process so far, user and system.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Load is the machine's load average over a minute, where the system tells.
func Load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(b), " ")
	return one
}

// Version of a module that this program is built with.
func Version(path string) string {
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

// Processor is the model's name, where the system tells.
func Processor() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if key, name, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(name)
		}
	}
	return "unknown"
}

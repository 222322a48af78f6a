package nats

import (
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// soakSample is what the process has between two rounds, when nothing is under way.
type soakSample struct {
	goroutines, files int
	heap              int64
}

// soakSamples are those of all rounds, and what was counted in them.
type soakSamples struct {
	mu      sync.Mutex
	counted map[string]int
	all     []soakSample
}

func (s *soakSamples) count(what string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counted == nil {
		s.counted = make(map[string]int)
	}
	s.counted[what] += n
}

// soakWarm is how many rounds come before the first that counts: they fill caches and
// pools, and start what starts with its first use.
const soakWarm = 2

// openFiles counts the file descriptors of the process; 0 where the system does not
// tell.
func openFiles() int {
	names, _ := os.ReadDir("/proc/self/fd")
	return len(names)
}

// take counts once all that has ended is gone: what ends a moment after a test has
// seen its end gets time for it, as long as there is more than there was.
func (s *soakSamples) take(t *testing.T) {
	least := soakSample{goroutines: 1 << 30, files: 1 << 30}
	for _, was := range s.all {
		least.goroutines, least.files = min(least.goroutines, was.goroutines), min(least.files, was.files)
	}
	var now soakSample
	for end := time.Now().Add(soakLinger); ; <-time.After(5 * time.Millisecond) {
		now = soakSample{goroutines: runtime.NumGoroutine(), files: openFiles()}
		if len(s.all) > 0 && now.goroutines <= least.goroutines && now.files <= least.files || time.Now().After(end) {
			break
		}
	}
	now.heap = liveHeap()
	s.all = append(s.all, now)
}

// liveHeap is the bytes of what can be reached, once the pools are empty. The pages that
// settledHeap counts are left half empty by chance.
func liveHeap() int64 {
	settledHeap()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

const (
	// soakLinger is how long what has ended may take to be gone.
	soakLinger = 2 * time.Second
	// soakHeapMore is how many bytes more the heap of a window may have than that of
	// the first: package testing keeps the names of subtests, and the servers in the
	// process the room that they have once needed. That is less than half of it in 150
	// rounds. One byte kept of each message would be more, in minutes.
	soakHeapMore = 1 << 20
	// soakWindows is how many parts of the run are compared.
	soakWindows = 4
)

// windows cuts the samples behind the warm-up into parts of the same length and returns
// the least of each figure in each: noise only adds, a leak stays.
func (s *soakSamples) windows() (least []soakSample) {
	rest := s.all[min(soakWarm, len(s.all)):]
	n := min(soakWindows, len(rest))
	for w := range n {
		part := rest[w*len(rest)/n : (w+1)*len(rest)/n]
		low := part[0]
		for _, p := range part {
			low.goroutines, low.files = min(low.goroutines, p.goroutines), min(low.files, p.files)
			low.heap = min(low.heap, p.heap)
		}
		least = append(least, low)
	}
	return least
}

// What is there in one round only is noise; what stays is seen in every later window.
func TestSoakWindows(t *testing.T) {
	t.Parallel()
	var noisy, leaking soakSamples
	for i := range soakWarm + 2*soakWindows {
		noisy.all = append(noisy.all, soakSample{10 + i%2, 20 + i%2, 1000})
		leaking.all = append(leaking.all, soakSample{10 + i, 20 + i, int64(1000 * i)})
	}
	for w, low := range noisy.windows() {
		assert.Equal(t, soakSample{10, 20, 1000}, low, "window %d", w)
	}
	windows := leaking.windows()
	assert.Len(t, windows, soakWindows)
	for w, low := range windows {
		first := soakWarm + 2*w
		assert.Equal(t, soakSample{10 + first, 20 + first, int64(1000 * first)}, low, "window %d", w)
	}
}

// check wants every window as flat as the first.
func (s *soakSamples) check(t *testing.T) {
	windows := s.windows()
	if !assert.GreaterOrEqual(t, len(windows), 2, "the run was too short to compare anything: %d rounds", len(s.all)) {
		return
	}
	first := windows[0]
	for i, w := range windows[1:] {
		assert.LessOrEqual(t, w.goroutines, first.goroutines, "goroutines, window %d", i+2)
		assert.LessOrEqual(t, w.files, first.files, "open files, window %d", i+2)
		assert.LessOrEqual(t, w.heap, first.heap+soakHeapMore, "heap, window %d", i+2)
	}
	if t.Failed() {
		s.log(t)
	}
}

func (s *soakSamples) log(t *testing.T) {
	var goroutines, files, heap []string
	for _, p := range s.all {
		goroutines = append(goroutines, fmt.Sprint(p.goroutines))
		files = append(files, fmt.Sprint(p.files))
		heap = append(heap, fmt.Sprintf("%.1f", float64(p.heap)/(1<<20)))
	}
	for i, w := range s.windows() {
		t.Logf("window %d, least: %d goroutines, %d files, %.2f MiB of heap", i+1, w.goroutines, w.files, float64(w.heap)/(1<<20))
	}
	t.Logf("goroutines: %s", strings.Join(goroutines, " "))
	t.Logf("open files: %s", strings.Join(files, " "))
	t.Logf("heap, MiB: %s", strings.Join(heap, " "))
	s.mu.Lock()
	defer s.mu.Unlock()
	var counted []string
	for _, what := range slices.Sorted(maps.Keys(s.counted)) {
		counted = append(counted, fmt.Sprintf("%s %d", what, s.counted[what]))
	}
	t.Logf("counted: %s", strings.Join(counted, "; "))
}

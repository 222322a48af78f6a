package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func (r *report) String() string {
	var b strings.Builder
	r.write(&b)
	return b.String()
}

// figure returns what stands behind a name in the report.
func figure(t *testing.T, text, name string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok {
			return strings.Fields(rest)[0]
		}
	}
	assert.Failf(t, "not in the report", "%q in\n%s", name, text)
	return ""
}

func sampleReport() *report {
	return &report{
		tally: tally{
			accepted: 10_000, refused: map[string]int{"full": 20, "closed": 1},
			delivered: 9_990, repeated: 3, disorder: 4, inDoubt: 10,
		},
		ended: at(5000), took: 5 * time.Second, embedded: true, settled: true,
		outages: []outage{
			{how: "killed", lost: at(1000), up: at(2000), dialled: at(2010), back: at(2015), emptied: at(2040), backlog: 1234},
			{how: "stopped", lost: at(3000), up: at(3900), dialled: at(3910), back: at(3920), emptied: at(3960), backlog: 99},
		},
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	text := r.String()
	assert.Equal(t, "10,000", figure(t, text, "accepted by Publish"))
	assert.Equal(t, "21", figure(t, text, "refused by Publish"))
	assert.Contains(t, text, "20   full")
	assert.Contains(t, text, "1   closed")
	assert.Equal(t, "9,990", figure(t, text, "delivered"))
	assert.Equal(t, "3", figure(t, text, "repeated"))
	assert.Equal(t, "4", figure(t, text, "out of order"))
	assert.Equal(t, "10", figure(t, text, "lost"))
	assert.Equal(t, "0", figure(t, text, "never left the process"))
	assert.Equal(t, "10", figure(t, text, "in doubt at a break"))
	assert.Equal(t, "2", figure(t, text, "outages"))
	assert.Equal(t, "1015.0", figure(t, text, "longest"))
	assert.Equal(t, "60.0", figure(t, text, "server up to buffer empty"))
	assert.Contains(t, text, "1,234")
	assert.Contains(t, text, "OK:")
	for _, only := range []string{"behind the server", "damaged", "although refused", "Note:", "given up", "MISMATCH"} {
		assert.NotContains(t, text, only)
	}
	assert.Zero(t, r.code())
}

func TestReportOfAPublisherThatWaited(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.blocked = new(blocked)
	assert.NotContains(t, r.String(), "blocked")
	assert.NotContains(t, r.String(), "not taken")

	r.blocked.calls, r.blocked.total, r.blocked.longest = 1000, 3*time.Second, 1500*time.Millisecond
	r.cut = 1
	text := r.String()
	assert.Equal(t, "3000.0", figure(t, text, "blocked in Publish"))
	assert.Contains(t, text, "in 1,000 calls of 10ms or more, the longest 1500.0 ms")
	assert.Equal(t, "1", figure(t, text, "not taken"))
	r.blocked.calls = 1
	assert.Contains(t, r.String(), "in 1 call of")
}

func TestReportOfWhatWasGivenUp(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.givenUp = map[string]int{whyDropped: 5000, whyExpired: 30}
	r.unseen = map[string]int{whyDropped: 4000}
	text := r.String()
	assert.Equal(t, "5,000", figure(t, text, "given up: dropped, buffer full"))
	assert.Contains(t, text, "4,000 of them only counted")
	assert.Equal(t, "30", figure(t, text, "given up: expired"))
	assert.Contains(t, text, "OK: nothing was lost of what never left the process but what the client gave up")
	assert.Zero(t, r.code())
}

func TestReportOfUntruths(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		row string
		of  tally
	}{
		{"given up but delivered", tally{contradicted: 7}},
		{"given up but sent", tally{sentAnyway: 7}},
		{"given up wrongly", tally{misreported: 7}},
	} {
		r := &report{tally: tc.of, settled: true}
		assert.Equal(t, "7", figure(t, r.String(), tc.row))
		assert.Contains(t, r.String(), "FAILED: what the client said")
		assert.Equal(t, 1, r.code())
	}
}

func TestReportOfAMismatch(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.mismatches = []string{"this is not that"}
	assert.Contains(t, r.String(), "MISMATCH: this is not that")
	assert.Contains(t, r.String(), "FAILED: the figures")
	assert.Equal(t, 1, r.code())
}

func TestReportOfFailure(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.kept, r.beyond, r.damaged, r.phantoms = 2, 1, 5, 6
	text := r.String()
	assert.Equal(t, "13", figure(t, text, "lost"))
	assert.Equal(t, "2", figure(t, text, "never left the process"))
	assert.Equal(t, "1", figure(t, text, "behind the server"))
	assert.Equal(t, "5", figure(t, text, "damaged"))
	assert.Equal(t, "6", figure(t, text, "sent although refused"))
	assert.Contains(t, text, "FAILED:")
	assert.Equal(t, 1, r.code())
}

func TestReportWithoutAServerInTheEnd(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.settled, r.embedded = false, false
	assert.Contains(t, r.String(), "Note:")
	assert.Zero(t, r.code())

	r.givenUp = map[string]int{whyLeft: 5}
	assert.Contains(t, r.String(), "INCOMPLETE:")
	assert.Zero(t, r.code(), "the client has said so")

	r.embedded = true
	assert.Contains(t, r.String(), "FAILED: there was a server in the end")
	assert.Equal(t, 1, r.code())

	r.paced = true
	assert.Contains(t, r.String(), "INCOMPLETE:")
	assert.Zero(t, r.code(), "it was not to be in time")

	r.kept = 1
	assert.Contains(t, r.String(), "FAILED: messages were lost")
	assert.Equal(t, 1, r.code())
}

func TestReportOfOutages(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	r.embedded = false
	r.outages = append(r.outages, outage{lost: at(4000)})
	text := r.String()
	assert.Equal(t, "1015.0", figure(t, text, "longest"))
	assert.Contains(t, text, "server reached to buffer empty")
	assert.Contains(t, text, "not over")

	r.ended = at(6000)
	assert.Equal(t, "2000.0", figure(t, r.String(), "longest"), "an outage that is not over counts")

	r.outages = r.outages[2:]
	assert.NotContains(t, r.String(), "to buffer empty", "it never was")

	for len(r.outages) <= listed {
		r.outages = append(r.outages, r.outages[0])
	}
	assert.NotContains(t, r.String(), "buffered messages", "too many to list")

	r.outages = nil
	assert.NotContains(t, r.String(), "longest")
}

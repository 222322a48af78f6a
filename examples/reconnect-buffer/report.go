package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/human"
)

// listed is how many outages are listed one by one.
const listed = 12

// A report is what a run comes to.
type report struct {
	tally
	ended    time.Time
	took     time.Duration
	embedded bool // the server was ours, and so were its outages
	paced    bool // the replay was slowed down
	outages  []outage
	// settled: at the end the server had processed everything, and what it had
	// for the subscriber was delivered.
	settled bool
	// blocked: how long Publish waited; nil: not known.
	blocked *blocked
	// mismatches is what does not add up.
	mismatches []string
	ending     ending
	figures    *figures // nil: not known
}

// code is the exit status: 1 if a message was lost that never left the process
// and of which the client said nothing, or that was to be kept until it was
// confirmed, or if what the client said is not true.
func (r *report) code() int {
	if r.kept > 0 || r.unconfirmed > 0 || r.untrue() || len(r.mismatches) > 0 || r.stuck() {
		return 1
	}
	return 0
}

// untrue: the client gave other messages up than it said.
func (r *report) untrue() bool { return r.misreported+r.contradicted+r.sentAnyway > 0 }

// stuck: there was a server in the end, nothing held the client back, and it did
// not get the rest out.
func (r *report) stuck() bool { return r.embedded && !r.settled && !r.paced }

// write prints the report.
func (r *report) write(w io.Writer) {
	fmt.Fprintf(w, "\nReport after %.1fs\n\n", r.took.Seconds())
	r.writeMessages(w)
	r.writeGivenUp(w)
	r.writeLost(w)
	r.writeEnding(w)
	r.writeFigures(w)
	r.writeOutages(w)
	fmt.Fprintf(w, "\n%s\n", r.verdict())
}

func row(w io.Writer, name string, n int, note string) {
	line := fmt.Sprintf("  %-30s %12s", name, human.Commas(n))
	if note != "" {
		line += "   " + note
	}
	fmt.Fprintln(w, line)
}

func (r *report) writeMessages(w io.Writer) {
	row(w, "accepted by Publish", r.accepted, "")
	refused := 0
	for _, n := range r.refused {
		refused += n
	}
	row(w, "refused by Publish", refused, "")
	for _, text := range slices.Sorted(maps.Keys(r.refused)) {
		row(w, "", r.refused[text], text)
	}
	if r.cut > 0 {
		row(w, "not taken", r.cut, "the run ended while Publish waited")
	}
	if b := r.blocked; b != nil && b.calls > 0 {
		fmt.Fprintf(w, "  %-30s %12s   in %s of %v or more, the longest %s\n",
			"blocked in Publish", milli(b.total), plural(b.calls, "call"), blockedFrom, milli(b.longest))
	}
	row(w, "delivered", r.delivered, "")
	row(w, "repeated", r.repeated, "")
	row(w, "out of order", r.disorder, "")
	if r.phantoms > 0 {
		row(w, "sent although refused", r.phantoms, "")
	}
	if r.damaged > 0 {
		row(w, "damaged", r.damaged, "")
	}
}

// writeGivenUp has a row for each reason that the client has reported.
func (r *report) writeGivenUp(w io.Writer) {
	for _, why := range slices.Sorted(maps.Keys(r.givenUp)) {
		note := ""
		if n := r.unseen[why]; n > 0 {
			note = human.Commas(n) + " of them only counted, the handler was behind"
		}
		row(w, "given up: "+why, r.givenUp[why], note)
	}
	for _, wrong := range []struct {
		name string
		n    int
		note string
	}{
		{"given up but delivered", r.contradicted, "must be 0"},
		{"given up but sent", r.sentAnyway, "must be 0, they are among the lost too"},
		{"given up wrongly", r.misreported, "must be 0: not accepted, reported twice, or not missing"},
	} {
		if wrong.n > 0 {
			row(w, wrong.name, wrong.n, wrong.note)
		}
	}
}

func (r *report) writeLost(w io.Writer) {
	fmt.Fprintln(w)
	row(w, "lost", r.lost(), "")
	row(w, "  never left the process", r.kept, "must be 0")
	row(w, "  in doubt at a break", r.inDoubt, "the kernel had them, then the connection broke")
	if r.unconfirmed > 0 {
		row(w, "  not confirmed", r.unconfirmed, "must be 0 with -at-least-once; they are among the other rows")
	}
	if r.beyond > 0 {
		row(w, "  behind the server", r.beyond, "it had them, the subscriber was away or too slow")
	}
}

func (r *report) writeEnding(w io.Writer) {
	if f := r.ending.failure(); f != nil {
		row(w, "handed back by Shutdown", len(f.Left), shutdownNote(f))
	} else if r.ending.err != nil {
		fmt.Fprintf(w, "  Shutdown: %v\n", r.ending.err)
	}
}

// shutdownNote says what a Shutdown did beside handing messages back.
func shutdownNote(f *nats.ShutdownError) string {
	s := fmt.Sprintf("beside %s given up and %s in doubt in that time", human.Commas(int(f.GivenUp)), human.Commas(int(f.InDoubt)))
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// writeFigures has what the client says of itself, and what does not add up.
func (r *report) writeFigures(w io.Writer) {
	if r.figures != nil {
		r.figures.write(w)
	}
	if r.figures != nil && len(r.mismatches) == 0 {
		fmt.Fprintln(w, "  It adds up with the account above.")
	}
	for _, m := range r.mismatches {
		fmt.Fprintf(w, "  MISMATCH: %s\n", m)
	}
}

func (r *report) writeOutages(w io.Writer) {
	fmt.Fprintln(w)
	row(w, "outages", len(r.outages), "")
	if len(r.outages) == 0 {
		return
	}
	var away, drain time.Duration
	for i := range r.outages {
		o := &r.outages[i]
		away = max(away, o.away(r.ended))
		if o.over() {
			drain = max(drain, o.drain())
		}
	}
	up := "server up"
	if !r.embedded {
		up = "server reached"
	}
	fmt.Fprintf(w, "  %-30s %12s\n", "longest", milli(away))
	if drain > 0 {
		fmt.Fprintf(w, "  %-30s %12s   at most\n", up+" to buffer empty", milli(drain))
	}
	if len(r.outages) <= listed {
		r.listOutages(w, up)
	}
	fmt.Fprint(w, `
  After each outage the publisher's dial waits until the server has the
  subscription again. So nothing is missing for want of a subscriber, and
  the times above include the wait for it.
`)
}

func (r *report) listOutages(w io.Writer, up string) {
	fmt.Fprintf(w, "\n  %4s  %-20s %12s %18s   %s to empty\n", "", "server", "outage", "buffered messages", up)
	for i := range r.outages {
		o := &r.outages[i]
		how, drain := o.how, "not over"
		if how == "" {
			how = "lost"
		}
		if o.over() {
			drain = milli(o.drain())
		}
		fmt.Fprintf(w, "  %4d  %-20s %12s %18s   %*s\n",
			i+1, how, milli(o.away(r.ended)), human.Commas(o.backlog), len(up)+len(" to empty"), drain)
	}
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return human.Commas(n) + " " + what
}

func milli(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func (r *report) verdict() string {
	switch {
	case r.kept > 0:
		return "FAILED: messages were lost that had never left the process, and the client did not say so."
	case r.unconfirmed > 0:
		return "FAILED: messages are missing that no server had confirmed."
	case r.untrue():
		return "FAILED: what the client said it had given up is not what it gave up."
	case len(r.mismatches) > 0:
		return "FAILED: the figures do not add up."
	case r.stuck():
		return "FAILED: there was a server in the end, but the client did not get everything to it in time."
	case r.givenUp[whyLeft] > 0:
		return "INCOMPLETE: not all that was buffered was sent before the end. The client has handed the rest back."
	}
	s := "OK: nothing was lost of what never left the process."
	if r.figures != nil && r.figures.Confirmed > 0 && r.settled && r.lost() == 0 {
		s = "OK: nothing is missing."
	}
	if len(r.givenUp) > 0 {
		s = "OK: nothing was lost of what never left the process but what the client gave up, and said so."
	}
	if !r.settled {
		s += "\nNote: in the end no server confirmed the rest, so some of it may have been on its way."
	}
	return s
}

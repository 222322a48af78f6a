package main

import (
	"fmt"
	"io"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/human"
)

// figures are what the publisher's connection says of itself in the end.
type figures struct {
	nats.BufferStats
	out      uint64 // messages that Publish took, as Stats has it
	frame    int    // bytes of a message on the wire
	overflow nats.OverflowPolicy
}

// doubt bounds what the client has to count as in doubt, from what the tap saw.
type doubt struct{ least, most int }

// write prints the figures.
func (f *figures) write(w io.Writer) {
	fmt.Fprint(w, "\n  What the client says (BufferStats)\n")
	row(w, "buffered during outages", int(f.Buffered), "")
	row(w, "  replayed", int(f.Replayed), "")
	row(w, "rejected", int(f.Rejected), "")
	row(w, "undelivered", int(f.Undelivered), "")
	row(w, "  dropped", int(f.Dropped), "")
	row(w, "  expired", int(f.Expired), "")
	row(w, "in doubt", int(f.InDoubt), "at most: sent before a break, and not confirmed")
	if f.Confirmed > 0 {
		row(w, "confirmed", int(f.Confirmed), "")
		row(w, "sent again", int(f.Repeated), "unconfirmed when a connection broke")
	}
	row(w, "most held in an outage", f.MaxMsgs, human.Size(f.MaxBytes))
}

// check returns in what the figures and the ledger differ.
func (f *figures) check(t *tally, settled bool) (wrong []string) {
	same := func(name string, client uint64, ledger int) {
		if client != uint64(ledger) {
			wrong = append(wrong, fmt.Sprintf("%s: the client says %s, the ledger %s", name, human.Commas(int(client)), human.Commas(ledger)))
		}
	}
	told := 0
	for _, n := range t.told {
		told += n
	}
	same("accepted", f.out, t.accepted)
	same("rejected", f.Rejected, t.refused[nats.ErrReconnectBufExceeded.Error()])
	same("dropped", f.Dropped, t.told[whyDropped])
	same("expired", f.Expired, t.told[whyExpired])
	same("undelivered", f.Undelivered, told)
	same("held in the end", uint64(f.Msgs), 0)
	same("bytes held in the end", uint64(f.Bytes), 0)
	same("withdrawn", f.Withdrawn, 0)
	same("purged", f.Purged, 0)
	same("most bytes held", uint64(f.MaxBytes), f.MaxMsgs*f.frame)
	if n := int(f.InDoubt); n < t.doubt.least || n > t.doubt.most {
		wrong = append(wrong, fmt.Sprintf("in doubt: the client says %s, from its sockets it must be %s to %s",
			human.Commas(n), human.Commas(t.doubt.least), human.Commas(t.doubt.most)))
	}
	if s := f.checkBuffered(told, settled); s != "" {
		wrong = append(wrong, s)
	}
	return wrong
}

// checkBuffered: what was buffered was replayed, or given up. The newest that do
// not fit were never buffered, and what is left at the end of a connection that
// had a server need not have been.
func (f *figures) checkBuffered(told int, settled bool) string {
	if f.overflow == nats.OverflowDropNewest {
		told -= int(f.Dropped)
	}
	rest := int(f.Buffered) - int(f.Replayed)
	if rest == told || !settled && rest >= 0 && rest < told {
		return ""
	}
	return fmt.Sprintf("buffered: %s were not replayed, but %s given up", human.Commas(rest), human.Commas(told))
}

// boundsLocked is what the client must count as in doubt: on each connection that
// broke, at least what went out behind the last PING, for no PONG can have
// covered it, and at most all. The last connection is closed by the program; only
// if the end was not settled may it have broken just before.
func (l *ledger) boundsLocked(settled bool) doubt {
	var d doubt
	if l.keeps {
		return d // all of it is kept and sent again
	}
	for i, k := range l.links {
		last := i == len(l.links)-1
		if !last {
			d.least += k.unasked
		}
		if !last || !settled {
			d.most += k.count
		}
	}
	return d
}

// unasked notes how many messages a connection's kernel took behind its last PING.
func (l *ledger) unasked(index, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links[index].unasked = n
}

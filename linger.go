package nats

// A stream of small messages makes the writer's system calls many and small: each takes
// what was published during the one before. So while publishers go on without a break
// the writer lingers between two of them: not before there is such a stream, nor while a
// frame waits that the server is to answer. What comes in a pause waits for its end.
type lingering struct {
	streak int // writes since there was nothing to write
	after  int // how many there must be before the next pause; 0: lingerAfter
}

const (
	// lingerAfter is how many writes in a row make a stream, and lingerMsgs how many
	// messages there must be for the next.
	lingerAfter = 8
	lingerMsgs  = 64
	// lingerBelow is what is worth a system call.
	lingerBelow = 64 << 10
	// lingerPays is how many messages a pause must bring. If it did not, the stream had
	// come to an end, perhaps because the program waits for an answer to what lingered.
	// The next one has to be twice as long, up to lingerLate writes.
	lingerPays = 256
	lingerLate = 1 << 16
)

// lingersLocked reports whether the writer should let messages gather before it takes
// the next.
func (o *outbox) lingersLocked() bool {
	l := &o.linger
	return canLinger && l.streak >= max(l.after, lingerAfter) && o.msgs >= lingerMsgs && o.bytes < lingerBelow &&
		!o.hurriesLocked()
}

// hurriesLocked reports whether the writer has more to do than to send what is published.
func (o *outbox) hurriesLocked() bool {
	return o.state != boxAttached || o.part > 0 || o.sent.pos < o.replayTo || o.control > 0 || o.owed > 0 ||
		len(o.ahead) > 0 || o.parting != nil || o.empty != nil || o.room != nil
}

// learn learns from a pause that has brought so many messages.
func (l *lingering) learn(brought int64) {
	if brought >= lingerPays {
		l.after = 0
		return
	}
	l.streak, l.after = 0, min(2*max(l.after, lingerAfter), lingerLate)
}

package nats

// A stream of small messages makes the writer's system calls many and small: each takes
// what was published during the one before. So while publishers go on without a break
// the writer lingers between two of them. What is published before there is such a
// stream never waits for that, nor does what asks the server for an answer.
type lingering struct {
	streak int   // writes since there was nothing to write
	after  int   // how many there must be before the next pause; 0: lingerAfter
	held   int64 // messages that were there when the pause began
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
	if !canLinger || l.streak < max(l.after, lingerAfter) || o.msgs < lingerMsgs || o.bytes >= lingerBelow ||
		o.hurriesLocked() {
		return false
	}
	l.held = o.msgs
	return true
}

// hurriesLocked reports whether the writer has more to do than to send what is published.
func (o *outbox) hurriesLocked() bool {
	return o.state != boxAttached || o.part > 0 || o.sent.pos < o.replayTo || o.control > 0 || o.owed > 0 ||
		len(o.ahead) > 0 || o.parting != nil || o.empty != nil || o.room != nil
}

// lingeredLocked learns from a pause.
func (o *outbox) lingeredLocked() {
	l := &o.linger
	if o.msgs-l.held >= lingerPays {
		l.after = 0
		return
	}
	l.streak, l.after = 0, min(2*max(l.after, lingerAfter), lingerLate)
}

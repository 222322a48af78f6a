package nats

import (
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
)

// readSize is how much is read at once.
const readSize = 32 << 10

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// reader is the read loop of one session: socket, parser, subscriptions. The
// lifecycle goroutine runs it; it never waits for the program.
type reader struct {
	nc     *Conn
	s      *session
	parser parser

	run     msgRun // of the last subscription, not handed over yet
	sid     int64  // of run.sub
	subject string // of the last message: it repeats more often than not
	msgs    uint64 // since the last hand-over
	bytes   uint64
}

// read runs until the session ends, and returns with its cause recorded.
func (nc *Conn) read(s *session) {
	r := &reader{nc: nc, s: s}
	r.parser.sink = r
	r.parser.maxPayload = max(minMaxPayload, int(min(s.info.MaxPayload, int64(maxFrame))))
	err := r.feed(s.rest)
	s.rest = nil
	buf := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(buf)
	for err == nil {
		n, readErr := s.conn.Read(buf[:])
		if n > 0 {
			err = r.feed(buf[:n])
		}
		if err == nil {
			err = readErr
		}
	}
	s.fail(err, false)
}

// feed parses what one read brought and hands over what is left of it.
func (r *reader) feed(b []byte) error {
	err := r.parser.feed(b)
	r.handOver()
	if err != nil {
		return &connectError{r.s.name, stepRead, errors.New(r.s.cred.hide(err.Error()))}
	}
	return nil
}

// message builds the message and adds it to the run of its subscription.
func (r *reader) message(args *msgArgs, payload []byte, owned bool) {
	r.msgs++
	r.bytes += uint64(args.total)
	if args.sid != r.sid || r.run.sub == nil {
		r.handOver()
		r.sid, r.run.sub = args.sid, r.nc.subs.lookup(args.sid)
		if r.run.sub == nil {
			return
		}
	}
	if !owned {
		payload = append([]byte(nil), payload...)
	}
	m := &Msg{
		Subject:  r.subjectOf(args.subject),
		Reply:    string(args.reply),
		Data:     payload[args.header:],
		Sub:      r.run.sub,
		received: args.header,
	}
	if args.header > 0 {
		h, err := DecodeHeadersMsg(payload[:args.header])
		if err != nil {
			r.nc.reportError(m.Sub, ErrBadHeaderMsg)
		}
		m.Header = h
	}
	r.run.add(m)
}

func (r *reader) subjectOf(b []byte) string {
	if string(b) != r.subject {
		r.subject = string(b)
	}
	return r.subject
}

// handOver gives the gathered run to its subscription with one lock and one
// wake-up, and does what follows from it.
func (r *reader) handOver() {
	if r.msgs > 0 {
		atomic.AddUint64(&r.nc.InMsgs, r.msgs)
		atomic.AddUint64(&r.nc.InBytes, r.bytes)
		r.msgs, r.bytes = 0, 0
	}
	run := r.run
	r.run = msgRun{}
	if run.msgs == 0 {
		return
	}
	out := run.sub.push(&run)
	for range out.slow {
		r.nc.reportError(run.sub, ErrSlowConsumer)
	}
	if out.spent {
		r.nc.subs.over(run.sub)
		run.sub.tellClosedApart()
	}
}

func (r *reader) ping() { r.nc.out.pong() }

func (r *reader) pong() {
	// What came before the PONG is handed over first: a Flush that returns may
	// count on it.
	r.handOver()
	r.nc.pings.pong()
}

// info takes a later INFO; one that cannot be read is ignored.
func (r *reader) info(text []byte) {
	if len(text) == 0 {
		return
	}
	var info serverInfo
	if json.Unmarshal(text, &info) == nil {
		r.nc.learn(&info, true)
	}
}

// serverErr acts on an -ERR line.
func (r *reader) serverErr(text []byte) {
	r.handOver()
	kind, err := classify(r.s.cred.hide(errText(text)))
	switch kind {
	case errNotice:
		if subject := deniedPublish(errText(text)); subject != "" {
			r.nc.out.refused(subject, err)
		}
		r.nc.subscriptionRefused(err)
		r.nc.reportError(nil, err)
	case errDisconnect:
		r.s.fail(err, false)
	case errAuth:
		if r.nc.authRefused(err) {
			r.s.fail(err, true)
		}
	case errFatal:
		r.nc.setLastError(err)
		r.s.fail(err, true)
	}
}

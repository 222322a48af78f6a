package nats

import (
	"encoding/json"
	"errors"
	"sync/atomic"
)

// reader is the read loop of one session: socket, parser, subscriptions. The
// lifecycle goroutine runs it; it never waits for the program.
type reader struct {
	nc     *Conn
	s      *session
	parser parser

	run      msgRun // of the last subscription, not handed over yet
	sid      int64  // of run.sub
	slab     slab
	subjects subjectCache
	msgs     uint64 // since the last hand-over
	bytes    uint64
	work     []*Subscription // have been handed something, and have no goroutine for it
}

// read runs until the session ends, and returns with its cause recorded.
func (nc *Conn) read(s *session) {
	r := &reader{nc: nc, s: s}
	r.parser.sink = r
	r.parser.maxPayload = max(minMaxPayload, int(min(s.info.MaxPayload, int64(maxFrame))))
	err := r.feed(s.rest)
	s.rest = nil
	in := newInbuf()
	defer in.end()
	for err == nil {
		err = r.once(&in)
	}
	s.fail(err, false)
}

// once reads once and parses what came.
func (r *reader) once(in *inbuf) error {
	if b := r.parser.room(); len(b) > 0 {
		n, err := r.s.conn.Read(b)
		if n > 0 {
			r.parser.filled(n)
			r.endOfRead()
		}
		return err
	}
	n, err := r.s.conn.Read(in.space())
	if n <= 0 {
		return err
	}
	rest, parseErr := r.parse(in.got(n), carryMost)
	in.next(n, rest)
	if parseErr != nil {
		return parseErr
	}
	return err
}

// feed parses bytes that do not come from an inbuf.
func (r *reader) feed(b []byte) error {
	_, err := r.parse(b, 0)
	return err
}

// parse parses what one read brought and hands it over. It may leave something over:
// see parser.parse.
func (r *reader) parse(b []byte, carry int) (rest []byte, err error) {
	r.slab.feed(b)
	rest, err = r.parser.parse(b, carry)
	r.slab.feed(nil)
	r.endOfRead()
	if err != nil {
		err = &connectError{r.s.name, stepRead, errors.New(r.s.cred.hide(err.Error()))}
	}
	return rest, err
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
	m := r.slab.message(args, payload, owned)
	m.Sub = r.run.sub
	if m.Sub.mux != nil {
		m.Subject = r.slab.text(args.subject) // there will not be another one like it
	} else {
		m.Subject = r.subjects.of(args.subject)
	}
	if args.header > 0 {
		h, err := DecodeHeadersMsg(payload[:args.header])
		if err != nil {
			r.nc.reportError(m.Sub, ErrBadHeaderMsg)
		}
		m.Header = h
	}
	r.run.add(m, r.slab.follows)
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
	if run.list.msgs == 0 {
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
	if out.work {
		r.work = append(r.work, run.sub)
		if len(r.work) == workMost {
			r.rouse()
		}
	}
}

func (r *reader) endOfRead() {
	r.handOver()
	r.rouse()
}

// workMost is how many subscriptions are given to the crew at once. More than one,
// because it is soon done with one: then it would be called for each message.
const workMost = 32

// rouse has the handlers called that have something to do.
func (r *reader) rouse() {
	if len(r.work) > 0 {
		r.nc.crew.add(r.work...)
		clear(r.work)
		r.work = r.work[:0]
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
		if info.LameDuckMode {
			r.nc.depart(r.s)
		}
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

package nats

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// Logger makes the connection tell l of its events. Default nil: nothing is logged,
// and nothing is spent on it. These are the records; their texts and keys stay the
// same from version to version:
//
//	nats: connected                     INFO   server, server_id, server_name, server_version, cluster, client_id
//	nats: no server at first, retrying  WARN   error; with RetryOnFailedConnect
//	nats: attempt to connect failed     DEBUG  server, error, failed_attempts
//	nats: disconnected                  WARN   server, error
//	nats: reconnected                   INFO   those of connected and of the outage
//	nats: closed                        INFO   given_up, in_doubt; by the program
//	nats: closed                        ERROR  the same, and error: why the library has closed it
//	nats: server is shutting down       WARN   server, count; lame duck mode
//	nats: servers discovered            INFO   servers, discovered (16 of them at most), count
//	nats: slow consumer                 WARN   error, subject, queue, dropped (in all), count
//	nats: permission violation          WARN   error, count
//	nats: error                         ERROR  error, subject, queue, count; all else that the ErrorHandler is told
//	nats: messages given up             WARN   reason, count
//	nats: buffer is above its high mark WARN   msgs, bytes
//	nats: buffer is below its low mark  INFO   msgs, bytes
//
// Those of the outage are outage (how long it was), failed_attempts, and of messages
// buffered, replayed, rejected, given_up and in_doubt: see BufferStats. They are in a
// first "connected" as well if there was no server at first. A connection with a Name has it
// under connection in each record. Keys that have nothing to say are left out. The
// marks are those of ReconnectBufWatermark, without it 80% and 50%.
//
// Records with a count can come in any number, so they are told at once and then,
// while there are more of their kind (text, and error, reason or subject), summed up
// every 10 seconds and at the end. No record has a credential in it.
//
// Records come in the order of the events and with their times, on the goroutine
// of the handlers, each before the handler for its event; a slow logger or handler
// delays those behind it and nothing else. Handlers are called with or without a
// logger; only the line that is written to standard error where there is no
// ErrorHandler is not, since the logger has it. SetErrorHandler does not touch the
// logger.
func Logger(l *slog.Logger) Option { return set(func(o *Options) { o.Logger = l }) }

// Texts of the records.
const (
	logConnected    = "nats: connected"
	logRetrying     = "nats: no server at first, retrying"
	logAttempt      = "nats: attempt to connect failed"
	logDisconnected = "nats: disconnected"
	logReconnected  = "nats: reconnected"
	logClosed       = "nats: closed"
	logLameDuck     = "nats: server is shutting down"
	logDiscovered   = "nats: servers discovered"
	logSlow         = "nats: slow consumer"
	logDenied       = "nats: permission violation"
	logError        = "nats: error"
	logGivenUp      = "nats: messages given up"
	logAbove        = "nats: buffer is above its high mark"
	logBelow        = "nats: buffer is below its low mark"
)

// Watermarks of a connection with a logger and no ReconnectBufWatermark.
const (
	logMarkHigh = 0.8
	logMarkLow  = 0.5
)

// maxLogged is how many discovered servers a record names.
const maxLogged = 16

// quietError is the ErrorHandler of a program that sets none and has a logger.
func quietError(*Conn, *Subscription, error) {}

// connLog turns the events of a connection into records. A nil one does nothing.
type connLog struct {
	nc *Conn
	to slog.Handler

	// Under Conn.mu.
	failed int         // attempts since a server was announced
	before BufferStats // when that was

	repeats logRepeats // the dispatcher's
}

func newConnLog(nc *Conn) *connLog {
	if nc.Opts.Logger == nil {
		return nil
	}
	l := &connLog{nc: nc, to: nc.Opts.Logger.Handler()}
	if name := nc.Opts.Name; name != "" {
		l.to = l.to.WithAttrs([]slog.Attr{slog.String("connection", name)})
	}
	l.repeats = logRepeats{write: l.write, flushLater: func(d time.Duration) *time.Timer {
		return time.AfterFunc(d, func() { nc.events.post(l.repeats.flush) })
	}}
	return l
}

// write runs on the dispatcher. An error of the program's handler has nowhere to go.
func (l *connLog) write(r slog.Record) {
	ctx := context.Background()
	if l.to.Enabled(ctx, r.Level) {
		_ = l.to.Handle(ctx, r)
	}
}

// record makes one with the time of now; attributes without a value are left out.
func record(level slog.Level, text string, attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.Now(), level, text, 0)
	for _, a := range attrs {
		if s, ok := a.Value.Any().(string); a.Value.Any() != nil && (!ok || s != "") {
			r.AddAttrs(a)
		}
	}
	return r
}

// cause is the attribute of an error that may be nil.
func cause(err error) slog.Attr { return slog.Any("error", err) }

// postLocked queues a record for an event that has just been.
func (l *connLog) postLocked(r slog.Record) { l.nc.events.post(func() { l.write(r) }) }

// serverLocked is the address of the server that there is, or was.
func (l *connLog) serverLocked() slog.Attr {
	if l.nc.pool.current == nil {
		return slog.Attr{}
	}
	return slog.String("server", l.nc.pool.current.name())
}

// announcedLocked: there is a session, and what was buffered is out.
func (l *connLog) announcedLocked(s *session) {
	if l == nil {
		return
	}
	text := logConnected
	if l.nc.greeted {
		text = logReconnected
	}
	attrs := []slog.Attr{
		slog.String("server", s.name), slog.String("server_id", s.cred.hide(s.info.ID)),
		slog.String("server_name", s.cred.hide(s.info.Name)), slog.String("server_version", s.cred.hide(s.info.Version)),
		slog.String("cluster", s.cred.hide(s.info.Cluster)), slog.Uint64("client_id", s.info.CID),
	}
	now := l.nc.out.bufferStats()
	if lost := l.nc.lostAt; !lost.IsZero() {
		attrs = append(attrs,
			slog.Duration("outage", time.Since(lost)), slog.Int("failed_attempts", l.failed),
			slog.Uint64("buffered", now.Buffered-l.before.Buffered), slog.Uint64("replayed", now.Replayed-l.before.Replayed),
			slog.Uint64("rejected", now.Rejected-l.before.Rejected),
			slog.Uint64("given_up", now.Undelivered-l.before.Undelivered), slog.Uint64("in_doubt", now.InDoubt-l.before.InDoubt))
	}
	l.failed, l.before = 0, now
	l.postLocked(record(slog.LevelInfo, text, attrs...))
}

// retryingLocked: the first connect has failed, and goes on.
func (l *connLog) retryingLocked(err error) {
	if l != nil {
		l.postLocked(record(slog.LevelWarn, logRetrying, cause(err)))
	}
}

// attemptFailedLocked: no session came of an attempt, or none that was announced.
func (l *connLog) attemptFailedLocked(server string, err error) {
	if l == nil {
		return
	}
	l.failed++
	r := record(slog.LevelDebug, logAttempt, slog.String("server", server), cause(err), slog.Int("failed_attempts", l.failed))
	l.nc.events.postMany(func() { l.write(r) })
}

func (l *connLog) disconnectedLocked(err error) {
	if l != nil {
		l.postLocked(record(slog.LevelWarn, logDisconnected, l.serverLocked(), cause(err)))
	}
}

// closedLocked: what is left of repeated events goes first, for this is the end.
func (l *connLog) closedLocked(err error) {
	if l == nil {
		return
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
	}
	st := l.nc.out.bufferStats()
	r := record(level, logClosed, cause(err), slog.Uint64("given_up", st.Undelivered), slog.Uint64("in_doubt", st.InDoubt))
	l.nc.events.post(func() {
		l.repeats.end()
		l.write(r)
	})
}

// often tells, on the dispatcher, of an event that a server can cause at will.
func (l *connLog) often(r slog.Record, kind string) { l.repeats.add(r.Message+" "+kind, 1, r) }

// discoveredLocked returns how to tell of servers that a server told of.
func (l *connLog) discoveredLocked() func() {
	if l == nil {
		return nil
	}
	names := l.nc.pool.names(func(s *server) bool { return s.implicit })
	r := record(slog.LevelInfo, logDiscovered,
		slog.Int("servers", len(l.nc.pool.list)), slog.Any("discovered", names[:min(len(names), maxLogged)]))
	return func() { l.often(r, "") }
}

// lameDuckLocked returns how to tell that the server is about to go.
func (l *connLog) lameDuckLocked() func() {
	if l == nil {
		return nil
	}
	r := record(slog.LevelWarn, logLameDuck, l.serverLocked())
	return func() { l.often(r, "") }
}

// errorLocked returns how to tell of what the ErrorHandler is told. What the error
// says is asked later: it may be the program's, and the lock is held.
func (l *connLog) errorLocked(sub *Subscription, err error) func() {
	if l == nil || err == nil {
		return nil
	}
	at := time.Now()
	return func() {
		level, text := slog.LevelError, logError
		switch {
		case errors.Is(err, ErrSlowConsumer):
			level, text = slog.LevelWarn, logSlow
		case errors.Is(err, ErrPermissionViolation):
			level, text = slog.LevelWarn, logDenied
		}
		r := record(level, text, cause(err))
		r.Time = at
		r.AddAttrs(aboutSub(sub)...)
		kind := err.Error()
		if sub != nil {
			kind += " " + sub.Subject
		}
		l.often(r, kind)
	}
}

// aboutSub are the attributes of a subscription; none: it is nil.
func aboutSub(sub *Subscription) []slog.Attr {
	if sub == nil {
		return nil
	}
	attrs := []slog.Attr{slog.String("subject", sub.Subject)}
	if sub.Queue != "" {
		attrs = append(attrs, slog.String("queue", sub.Queue))
	}
	if n, err := sub.Dropped(); err == nil && n > 0 {
		attrs = append(attrs, slog.Int("dropped", n))
	}
	return attrs
}

// givenUp runs on the dispatcher.
func (l *connLog) givenUp(batch []Undelivered) {
	if l == nil {
		return
	}
	for _, u := range batch {
		reason := kindOfReason(u.Err)
		l.repeats.add(logGivenUp+" "+reason.Error(), u.Count, record(slog.LevelWarn, logGivenUp, slog.Any("reason", reason)))
	}
}

// crossed runs on the dispatcher.
func (l *connLog) crossed(above bool) {
	if l == nil {
		return
	}
	level, text := slog.LevelInfo, logBelow
	if above {
		level, text = slog.LevelWarn, logAbove
	}
	st := l.nc.BufferStats()
	l.write(record(level, text, slog.Int("msgs", st.Msgs), slog.Int("bytes", st.Bytes)))
}

// logFailed logs a failed attempt of the first connect.
func (nc *Conn) logFailed(srv *server, err error) {
	if nc.log == nil {
		return
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.log.attemptFailedLocked(srv.name(), err)
}

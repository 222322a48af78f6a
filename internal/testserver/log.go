package testserver

import (
	"fmt"
	"io"
	"log"
	"sync"
	"sync/atomic"
)

// logWriter writes whole lines to the writer of [Config.Log], if there is one.
type logWriter struct{ lines *log.Logger }

func newLogWriter(w io.Writer) *logWriter {
	if w == nil {
		return &logWriter{}
	}
	return &logWriter{lines: log.New(w, "", log.Ltime|log.Lmicroseconds)}
}

// runLog is the server.Logger of one run. It passes lines on and keeps the
// first fatal error, on which the server's own logger would end the process.
type runLog struct {
	out   *logWriter
	muted atomic.Bool

	mu    sync.Mutex
	first error // guarded by mu
}

// fatalError is what the server said with Fatalf.
type fatalError struct {
	text  string
	cause error // the error among the arguments, or nil
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }

// Fatalf keeps the first fatal error, and the error value in its arguments so
// that it can be asked for with errors.Is.
func (l *runLog) Fatalf(format string, args ...any) {
	l.line("FTL", format, args)
	fatal := &fatalError{text: fmt.Sprintf(format, args...)}
	for _, a := range args {
		if err, ok := a.(error); ok {
			fatal.cause = err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.first == nil {
		l.first = fatal
	}
}

// fatal is the first fatal error, nil if there was none.
func (l *runLog) fatal() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first
}

// mute drops every later line.
func (l *runLog) mute() { l.muted.Store(true) }

// The levels of server.Logger.

func (l *runLog) Noticef(format string, args ...any) { l.line("INF", format, args) }
func (l *runLog) Warnf(format string, args ...any)   { l.line("WRN", format, args) }
func (l *runLog) Errorf(format string, args ...any)  { l.line("ERR", format, args) }
func (l *runLog) Debugf(format string, args ...any)  { l.line("DBG", format, args) }
func (l *runLog) Tracef(format string, args ...any)  { l.line("TRC", format, args) }

func (l *runLog) line(level, format string, args []any) {
	if l.out.lines != nil && !l.muted.Load() {
		l.out.lines.Printf("["+level+"] "+format, args...)
	}
}

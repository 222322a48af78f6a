package nats

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// ErrBufferFilled is the reason of a HealthError where an outage has filled the
// reconnect buffer beyond what ReadyLimits allow.
var ErrBufferFilled = errors.New("nats: outbound buffer is filled beyond the limit for ready")

// ReadyLimits say how much of an outage a program can stand before it is not ready for
// work. The zero value: none of it.
type ReadyLimits struct {
	// MaxOutage is how long an outage may last. 0: no time; negative: for ever.
	MaxOutage time.Duration
	// MaxFill is how much of the reconnect buffer may be filled, as a part of
	// ReconnectBufSize or of ReconnectBufMsgs, of whichever is fuller. 0 means 1: until it
	// is full; more than 1: it does not matter. Looked at in an outage only.
	MaxFill float64
}

// HealthError says why a connection is not ready, or not alive.
type HealthError struct {
	// Err is the reason: ErrConnectionClosed, ErrConnectionDraining, ErrDisconnected for
	// an outage that is too long, ErrBufferFilled, ErrInvalidConnection for a nil connection.
	Err error
	// Cause is why the server was lost, or why the library has closed the connection; may
	// be nil.
	Cause error
	// Outage is how long the outage has lasted, Fill the part of the reconnect buffer
	// that it has filled.
	Outage time.Duration
	Fill   float64
}

// Error is for people: it names the reason, its figures and the cause.
func (e *HealthError) Error() string {
	text := e.Err.Error()
	if e.Outage > 0 {
		text += fmt.Sprintf(" (for %v, buffer %.0f%% filled)", e.Outage.Round(time.Millisecond), 100*e.Fill)
	}
	if e.Cause != nil {
		text += ": " + e.Cause.Error()
	}
	return text
}

// Unwrap returns Err and Cause.
func (e *HealthError) Unwrap() []error {
	if e.Cause == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Cause}
}

// Outage returns for how long there has been no server, and 0 while there is one. An
// outage ends when what was buffered in it has been sent, which is when the
// ReconnectHandler is called. After Close it is 0.
func (nc *Conn) Outage() time.Duration {
	if nc == nil {
		return 0
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.outageLocked()
}

func (nc *Conn) outageLocked() time.Duration {
	if nc.lostAt.IsZero() || nc.state.now == CLOSED {
		return 0
	}
	return max(time.Since(nc.lostAt), time.Nanosecond)
}

// Alive returns nil unless the connection is closed for good: then only a new one
// helps, and with it perhaps a new process. An outage is no reason to end a process: it
// would take what is buffered along. The error is a *HealthError.
func (nc *Conn) Alive() error {
	if nc == nil {
		return &HealthError{Err: ErrInvalidConnection}
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if nc.state.now == CLOSED {
		return &HealthError{Err: ErrConnectionClosed, Cause: nc.closeErr}
	}
	return nil
}

// Ready returns nil while the program may be given work: there is a server, or an
// outage within limits. A connection that drains or is closed is not ready. The error is a
// *HealthError. It answers at once in every state.
func (nc *Conn) Ready(limits ReadyLimits) error {
	if err := nc.Alive(); err != nil {
		return err
	}
	fill := nc.bufferFill()
	nc.mu.Lock()
	defer nc.mu.Unlock()
	e := &HealthError{Outage: nc.outageLocked()}
	if e.Outage > 0 {
		e.Fill, e.Cause = fill, nc.lostTo
	}
	if limits.MaxFill <= 0 {
		limits.MaxFill = 1
	}
	switch {
	case nc.draining != notDraining:
		e.Err = ErrConnectionDraining
	case e.Outage == 0:
		return nil
	case limits.MaxOutage >= 0 && e.Outage > limits.MaxOutage:
		e.Err = ErrDisconnected
	case limits.MaxFill <= 1 && e.Fill >= limits.MaxFill:
		e.Err = ErrBufferFilled
	default:
		return nil
	}
	return e
}

// bufferFill is the part of the reconnect buffer that is filled; 1 where it is off.
func (nc *Conn) bufferFill() float64 {
	size, msgs := nc.Opts.ReconnectBufSize, nc.Opts.ReconnectBufMsgs
	if size < 0 {
		return 1
	}
	st := nc.BufferStats()
	fill := float64(st.Bytes) / float64(size)
	if msgs > 0 {
		fill = max(fill, float64(st.Msgs)/float64(msgs))
	}
	return fill
}

// AliveHandler answers HTTP requests, those of a liveness probe: 200 while all
// connections are Alive, else 503 and why not.
func AliveHandler(conns ...*Conn) http.Handler {
	return healthHandler(conns, (*Conn).Alive)
}

// ReadyHandler answers HTTP requests, those of a readiness probe: 200 while all
// connections are Ready with these limits, else 503 and why not.
func ReadyHandler(limits ReadyLimits, conns ...*Conn) http.Handler {
	return healthHandler(conns, func(nc *Conn) error { return nc.Ready(limits) })
}

func healthHandler(conns []*Conn, check func(*Conn) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, text := http.StatusOK, "ok\n"
		for _, nc := range conns {
			if err := check(nc); err != nil {
				status, text = http.StatusServiceUnavailable, healthText(nc, err)
				break
			}
		}
		h := w.Header()
		h.Set("Content-Type", "text/plain; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, text) // one that has gone away needs no answer
	})
}

// healthText is why a connection failed a check, with its name if it has one.
func healthText(nc *Conn, err error) string {
	if nc == nil || nc.Opts.Name == "" {
		return err.Error() + "\n"
	}
	return nc.Opts.Name + ": " + err.Error() + "\n"
}

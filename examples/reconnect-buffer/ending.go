package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/human"
)

// handlerPatience bounds the wait for the handlers in the end.
const handlerPatience = 10 * time.Second

// An ending is how the publisher's connection was closed.
type ending struct {
	err    error // Shutdown's; nil: the server has all that was left
	untold bool  // the last handler was not called in time
}

// shutdown sends what is left, waiting for a server if there is none, closes the
// connection, and waits until its handlers have told all that was given up.
func (p *publisher) shutdown(ctx context.Context) ending {
	e := ending{err: p.nc.Shutdown(ctx)}
	select {
	case <-p.told:
	case <-time.After(handlerPatience):
		e.untold = true
	}
	return e
}

// failure is what Shutdown says of what it could not do, or nil.
func (e *ending) failure() *nats.ShutdownError {
	var f *nats.ShutdownError
	if errors.As(e.err, &f) {
		return f
	}
	return nil
}

// confirmed reports whether the last server has confirmed all that went to it. An
// outage on the way may have left some in doubt, and some may have expired in it.
func (e *ending) confirmed() bool {
	f := e.failure()
	return e.err == nil || f != nil && f.Err == nil
}

// check compares what Shutdown handed back with what the handler was told.
func (e *ending) check(lay *layout, t *tally) (wrong []string) {
	if e.untold {
		wrong = append(wrong, "the ClosedHandler was not called, so what was given up may not all be known")
	}
	f := e.failure()
	if f == nil {
		f = new(nats.ShutdownError)
	}
	if told := t.told[whyLeft]; len(f.Left) != told {
		wrong = append(wrong, fmt.Sprintf("Shutdown handed back %s, the UndeliveredHandler was told of %s", plural(len(f.Left), "message"), human.Commas(told)))
	}
	last := -1
	for _, m := range f.Left {
		n, ours := lay.number(m.Data)
		if !ours || n <= last {
			return append(wrong, "what Shutdown handed back is not in its order")
		}
		last = n
	}
	return wrong
}

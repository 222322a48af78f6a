package outagelab

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/natsring/nats.go/internal/faultproxy"
)

// An Action is something that is done to the client's way to the server.
type Action string

// The actions. Each fault that lasts has one that ends it.
const (
	Cut         Action = "cut"          // resets the connection
	HalfClose   Action = "half-close"   // tells the server that the client has finished; what it sends is swallowed
	BlackHole   Action = "blackhole"    // nothing gets through any more, in either direction, and nobody says so
	NoBlackHole Action = "no-blackhole" // it does again; what was under way goes on
	Throttle    Action = "throttle"     // the way to the server is slow
	NoThrottle  Action = "no-throttle"
	Refuse      Action = "refuse" // new connections are refused
	NoRefuse    Action = "no-refuse"
	Stop        Action = "stop" // the server is shut down in order
	Start       Action = "start"
	Heal        Action = "heal" // ends all faults that last
)

// Actions are all of them.
var Actions = []Action{Cut, HalfClose, BlackHole, NoBlackHole, Throttle, NoThrottle, Refuse, NoRefuse, Stop, Start, Heal}

// ParseAction finds an action by its name.
func ParseAction(s string) (Action, error) {
	if slices.Contains(Actions, Action(s)) {
		return Action(s), nil
	}
	var names []string
	for _, a := range Actions {
		names = append(names, string(a))
	}
	return "", fmt.Errorf("no action %q; there are %s", s, strings.Join(names, ", "))
}

// Faults are the faults that last.
type Faults struct{ BlackHole, Throttled, Refusing, Stopped bool }

// Faults tells which ones there are now.
func (l *Lab) Faults() Faults {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults
}

// set changes the faults and returns what they were.
func (l *Lab) set(change func(f *Faults)) (was Faults) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was = l.faults
	change(&l.faults)
	return was
}

// Do does it. To stop and to start a server takes a moment; the rest is quick. What has
// been done already is not done again. Calls wait for each other.
func (l *Lab) Do(a Action) error {
	l.cfg.Event("lab: " + string(a))
	l.doing.Lock()
	defer l.doing.Unlock()
	if a != Heal {
		return l.do(a)
	}
	for _, end := range []Action{NoThrottle, NoRefuse, NoBlackHole, Start} {
		if err := l.do(end); err != nil {
			return err
		}
	}
	return nil
}

// do is called by one goroutine at a time, as all that it calls.
func (l *Lab) do(a Action) error {
	switch a {
	case Cut:
		l.proxy.Live().Cut(faultproxy.RST)
	case HalfClose:
		l.proxy.Live().HalfClose(faultproxy.Up)
	case BlackHole, NoBlackHole:
		return l.hole(a == BlackHole)
	case Throttle, NoThrottle:
		limit := int64(0)
		if a == Throttle {
			limit = l.cfg.Throttle
		}
		l.set(func(f *Faults) { f.Throttled = a == Throttle })
		l.proxy.All().Throttle(faultproxy.Up, limit)
	case Refuse, NoRefuse:
		l.set(func(f *Faults) { f.Refusing = a == Refuse })
		return l.accept()
	case Stop:
		return l.stopServer()
	case Start:
		return l.startServer()
	}
	return nil
}

// accept sets what becomes of new connections, as the faults have it.
func (l *Lab) accept() error {
	mode := faultproxy.Relay
	switch f := l.Faults(); {
	case f.BlackHole:
		mode = faultproxy.Silent
	case f.Refusing || f.Stopped:
		mode = faultproxy.Refuse
	}
	return l.proxy.SetAccept(mode)
}

// hole makes or ends a black hole. As in a network without a route the kernels keep
// what they have taken, and it gets through in the end; connections that were begun in
// the hole never reached anybody, and are reset.
func (l *Lab) hole(on bool) error {
	if l.set(func(f *Faults) { f.BlackHole = on }).BlackHole == on {
		return nil
	}
	if err := l.accept(); err != nil {
		return err
	}
	if on {
		for _, c := range l.proxy.Conns() {
			l.holed = c.ID()
			c.Faults().StopReading(faultproxy.Both)
		}
		return nil
	}
	for _, c := range l.proxy.Conns() {
		if c.ID() > l.holed {
			c.Faults().Cut(faultproxy.RST)
		} else {
			c.Faults().Resume(faultproxy.Both)
		}
	}
	return nil
}

// stopServer shuts the server down. The client hears and reaches nothing any more from
// the beginning, and the subscriber gets what the server has for it: what a server has
// confirmed and dies with would be its loss, and not the client's.
func (l *Lab) stopServer() error {
	if l.set(func(f *Faults) { f.Stopped = true }).Stopped {
		return nil
	}
	if err := l.accept(); err != nil {
		return err
	}
	l.proxy.Live().StopReading(faultproxy.Both)
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err := l.settle(ctx); err != nil {
		return err
	}
	l.srv.Stop()
	if !l.Faults().BlackHole { // in one the client does not hear of it
		l.proxy.Live().Cut(faultproxy.FIN)
	}
	return nil
}

// startServer starts the server and lets the client in only when the subscriber is
// back: what arrives before would go to nobody, which is no fault of the client.
func (l *Lab) startServer() error {
	if !l.Faults().Stopped {
		return nil
	}
	if err := l.srv.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startPatience)
	defer cancel()
	if err := persist(ctx, l.direct.FlushWithContext, l.direct.IsClosed); err != nil {
		return fmt.Errorf("subscriber after a start: %w", err)
	}
	l.set(func(f *Faults) { f.Stopped = false })
	return l.accept()
}

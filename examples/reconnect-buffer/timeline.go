package main

import (
	"slices"
	"sync"
	"time"
)

// An outage lasts from the loss of the server until everything that was buffered
// when the publisher had a server again was in the kernel's hands. A server that
// is lost once more before that makes it longer.
type outage struct {
	how     string    // what was done to the server; "" if it was not us
	lost    time.Time // the server was taken down, or the connection broke
	up      time.Time // the server was up; zero if it is not ours
	dialled time.Time // the publisher's socket to it existed
	back    time.Time // the subscriber was there too, the publisher goes on
	emptied time.Time // the kernel had all that was buffered at back
	backlog int       // messages that were buffered at back
}

// over reports whether the outage has ended.
func (o *outage) over() bool { return !o.emptied.IsZero() }

// away is how long the publisher had no server.
func (o *outage) away(now time.Time) time.Duration {
	if o.back.IsZero() {
		return now.Sub(o.lost)
	}
	return o.back.Sub(o.lost)
}

// drain is the time from the server being up to the buffer being empty.
func (o *outage) drain() time.Duration {
	up := o.dialled
	if !o.up.IsZero() && o.up.Before(up) {
		up = o.up
	}
	return o.emptied.Sub(up)
}

// A timeline puts together what the server's keeper and the tap see of outages.
// They see the same event at slightly different times; the first one counts.
type timeline struct {
	mu   sync.Mutex
	list []outage
}

// openLocked returns the outage that is not over, or nil.
func (t *timeline) openLocked() *outage {
	if n := len(t.list); n > 0 && !t.list[n-1].over() {
		return &t.list[n-1]
	}
	return nil
}

// serverDown is told just before something is done to the server.
func (t *timeline) serverDown(at time.Time, how string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.openLocked()
	if o == nil {
		t.list = append(t.list, outage{how: how, lost: at})
		return
	}
	if o.how != "" {
		how = o.how + ", " + how
	}
	o.how = how
	o.up, o.dialled, o.back = time.Time{}, time.Time{}, time.Time{}
}

// serverUp is told when the server takes connections again.
func (t *timeline) serverUp(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.openLocked(); o != nil {
		o.up = at
	}
}

// broken is told when a connection of the publisher ends.
func (t *timeline) broken(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	o := t.openLocked()
	if o == nil {
		t.list = append(t.list, outage{lost: at})
		return
	}
	o.dialled, o.back = time.Time{}, time.Time{}
}

// reached is told when the publisher has a connection.
func (t *timeline) reached(dialled, at time.Time, backlog int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o := t.openLocked(); o != nil {
		o.dialled, o.back, o.backlog = dialled, at, backlog
	}
}

// emptied is told when the kernel has what was buffered when the publisher had
// its connection.
func (t *timeline) emptied(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Without back the server went down again a moment ago.
	if o := t.openLocked(); o != nil && !o.back.IsZero() {
		o.emptied = at
	}
}

// outages returns a copy of all so far.
func (t *timeline) outages() []outage {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.list)
}

package nats

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	lifeDepth = flag.Int("life", map[bool]int{false: 4, true: 2}[raceEnabled],
		"how many actions the sequences of TestLifeOfAConnection have")
	lifeBefore = flag.Int("life.before", 0, "how many come before the two that meet in TestLifeInterrupted")
)

var lifeConfigs = []lifeConfig{
	{name: "default", begin: actUp, tries: -1},
	{name: "at least once", begin: actUp, tries: -1, keep: true},
	{name: "no reconnect", begin: actUp, tries: -1, noReconnect: true},
	{name: "first server late", begin: actDown, tries: -1},
	{name: "two attempts", begin: actUp, tries: 2},
}

// Every sequence of actions up to a length, on a real connection, compared with the
// model after each action: the status, what every call has returned or that it still
// waits, the handlers that were called, what the server got, what is held, in doubt
// and undelivered, and the subscriptions. At the end of each the connection is closed
// and the handlers end: then no call waits, no goroutine is left (the bubble sees to
// that), and all that was accepted was sent or reported.
//
// The actions are those of lifeActions, one after the other, each with all that
// follows from it. What is not in here: two at once (TestLifeInterrupted), sockets
// that are slow (chaos_test.go), limits and ages of the buffer (outboxmodel_test.go),
// timeouts (the table in timers_test.go). Bounds: one server, up to 2 messages that
// are held or unconfirmed, 2 flushes and 2 requests that wait, 2 subscriptions with up
// to 2 messages each. A sequence goes on only if the model was not in its state
// before, so the first one that fails is a shortest.
//
// With 4 actions it plays 17,562 sequences and finds 4,720 states, with 5
// (-life 5) 58,808 and 13,665.
func TestLifeOfAConnection(t *testing.T) {
	t.Parallel()
	for _, cfg := range lifeConfigs {
		t.Run(cfg.name, func(t *testing.T) {
			t.Parallel()
			runs := 0
			states := exploreLife(cfg, *lifeDepth, func(seq []lifeAction) {
				runs++
				lifeRun(t, cfg, seq)
			})
			t.Logf("%d sequences, %d states", runs, len(states))
		})
	}
}

// exploreLife visits every sequence of up to depth actions, but goes on only from one
// of those that lead to the same state. It returns these, shortest first.
func exploreLife(cfg lifeConfig, depth int, visit func([]lifeAction)) (ways [][]lifeAction) {
	seen := map[string]bool{newLifeModel(cfg).state(): true}
	ways = [][]lifeAction{nil}
	for i := 0; i < len(ways) && len(ways[i]) < depth; i++ {
		for _, a := range lifeActions {
			m := modelAfter(cfg, ways[i])
			if !m.enabled(a) {
				continue
			}
			m.do(a)
			way := append(slices.Clone(ways[i]), a)
			visit(way)
			if s := m.state(); !seen[s] {
				seen[s] = true
				ways = append(ways, way)
			}
		}
	}
	return ways
}

func modelAfter(cfg lifeConfig, seq []lifeAction) *lifeModel {
	m := newLifeModel(cfg)
	for _, a := range seq {
		m.do(a)
	}
	return m
}

// lifeRun plays a sequence, and compares with the model after each action.
func lifeRun(t *testing.T, cfg lifeConfig, seq []lifeAction) {
	problem := ""
	synctest.Test(t, func(t *testing.T) {
		m := newLifeModel(cfg)
		w, err := newLifeWorld(cfg)
		require.NoError(t, err)
		w.settle()
		for i, a := range append(slices.Clone(seq), actClose, actWork) {
			m.do(a)
			w.do(a)
			if a == actClose {
				time.Sleep(2 * lifeCalls)
			}
			if problem == "" {
				problem = lifeDiff(seq[:min(i+1, len(seq))], m.seen(), w.seen())
			}
		}
		if problem != "" {
			fmt.Fprintln(os.Stderr, cfg.name, problem)
		}
	})
	require.Empty(t, problem)
}

func lifeDiff(seq []lifeAction, want, got lifeSeen) string {
	var b strings.Builder
	x, y := reflect.ValueOf(want), reflect.ValueOf(got)
	for i := range x.NumField() {
		if p, q := fmt.Sprintf("%+v", x.Field(i)), fmt.Sprintf("%+v", y.Field(i)); p != q {
			fmt.Fprintf(&b, "%s: want %s, got %s\n", x.Type().Field(i).Name, p, q)
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf("after %q:\n%s", seq, b.String())
}

// Two actions at once: the second comes while a goroutine of the library is held in
// the first, at the first moment where it dials, reads, writes, closes a socket or
// calls a handler, then at the second, and so on through all of them. The model does not
// say what comes of that, for either may be first; but nothing may hang, be lost,
// repeated or told wrongly. Then the server is well again, and the connection has to
// be well too, or closed.
//
// Every pair meets in the state after the connect, about 5,700 times. With -life.before 1 it
// does in every state after one action, about 34,000 times. What happens between two such
// moments is up to the scheduler: it is not played in every order.
func TestLifeInterrupted(t *testing.T) {
	t.Parallel()
	for _, cfg := range lifeConfigs {
		t.Run(cfg.name, func(t *testing.T) {
			t.Parallel()
			meetings := 0
			for _, way := range exploreLife(cfg, *lifeBefore, func([]lifeAction) {}) {
				for _, first := range lifeActions {
					if first != actWork && modelAfter(cfg, way).enabled(first) {
						meetings += lifeMeetings(t, cfg, way, first)
					}
				}
			}
			t.Logf("%d meetings", meetings)
		})
	}
}

// lifeMeetings lets every action meet the first in every moment.
func lifeMeetings(t *testing.T, cfg lifeConfig, way []lifeAction, first lifeAction) (n int) {
	for _, second := range lifeActions {
		if second == actWait || second == actWork {
			continue
		}
		for moment := 1; lifeMeet(t, cfg, way, first, second, moment); moment++ {
			n++
		}
	}
	return n
}

// lifeMeet plays a sequence, and then an action which another meets in its n-th
// moment; false: there is none.
func lifeMeet(t *testing.T, cfg lifeConfig, way []lifeAction, first, second lifeAction, n int) (met bool) {
	problem := ""
	synctest.Test(t, func(t *testing.T) {
		w, err := newLifeWorld(cfg)
		require.NoError(t, err)
		w.settle()
		for _, a := range way {
			w.do(a)
		}
		w.gate.hold(n)
		if w.start(first); first == actWait {
			time.Sleep(lifePause)
		}
		synctest.Wait()
		w.start(second)
		synctest.Wait()
		met = w.gate.release()
		w.recover()
		problem = lifeBroken(cfg, w.seen())
		w.do(actClose)
		time.Sleep(2 * lifeCalls)
		w.work()
		if problem == "" {
			problem = lifeBrokenEnd(cfg, w.seen(), len(w.calls)-3)
		}
		if problem != "" {
			problem = fmt.Sprintf("%s: after %q, %q met by %q in moment %d: %s\n%+v", cfg.name, way, first, second, n, problem, w.seen())
			fmt.Fprintln(os.Stderr, problem) // a goroutine that is left would end the process before the test is told
		}
	})
	require.Empty(t, problem)
	return met
}

// lifeBroken says what is wrong with a connection that had all it could want.
func lifeBroken(cfg lifeConfig, v lifeSeen) string {
	if v.Status == CLOSED {
		return ""
	}
	for _, c := range v.Calls {
		if strings.HasSuffix(c, waits) && !strings.HasPrefix(c, string(actRequest)) {
			return "a call waits"
		}
	}
	switch {
	case v.Status != CONNECTED:
		return "not connected"
	case v.Held > 0:
		return "messages are held"
	case slices.Contains(v.Calls, "drain: nil"):
		return "the drain has not ended"
	}
	return ""
}

var lifeEvents = regexp.MustCompile(`^(connect disconnect (reconnect disconnect )*)?closed $`)

// lifeBrokenEnd says what is wrong with a connection that was closed. The calls from
// one on were made at once, so their messages have no order.
func lifeBrokenEnd(cfg lifeConfig, v lifeSeen, atOnce int) string {
	var told strings.Builder
	for _, e := range v.Events {
		if e != "error" && e != "no dial" {
			told.WriteString(e + " ")
		}
	}
	switch {
	case v.Status != CLOSED:
		return "not closed"
	case slices.ContainsFunc(v.Calls, func(c string) bool { return strings.HasSuffix(c, waits) }):
		return "a call waits"
	case !lifeEvents.MatchString(told.String()):
		return "wrong events"
	}
	for _, s := range v.Subs {
		if s.Valid || s.Draining || s.Told != 1 {
			return "a subscription has not ended, or not once"
		}
	}
	return lifeAccount(cfg, v, atOnce)
}

// lifeAccount looks for messages that were lost, repeated or overtaken.
func lifeAccount(cfg lifeConfig, v lifeSeen, atOnce int) string {
	missing, last := 0, -1
	for i, c := range v.Calls {
		id := fmt.Sprint("m", i)
		if c != "publish: nil" {
			continue
		}
		at := slices.Index(v.Server, id)
		undelivered := slices.Contains(v.Undelivered, id)
		switch {
		case at < 0 && !undelivered:
			missing++
		case at >= 0 && !cfg.keep && (undelivered || slices.Contains(v.Server[at+1:], id)):
			return "a message was repeated: " + id
		case at >= 0 && i < atOnce && at < last:
			return "a message was overtaken: " + id
		}
		last = max(last, at)
	}
	if missing > v.InDoubt {
		return "a message was lost"
	}
	return ""
}

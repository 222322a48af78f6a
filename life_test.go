package nats

import (
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var lifeDepth = flag.Int("life", 3, "how many actions the sequences of TestLifeOfAConnection have")

var lifeConfigs = []lifeConfig{
	{name: "default", begin: actUp, tries: -1},
	{name: "at least once", begin: actUp, tries: -1, keep: true},
	{name: "no reconnect", begin: actUp, tries: -1, noReconnect: true},
	{name: "first server late", begin: actDown, tries: -1},
	{name: "two attempts", begin: actUp, tries: 2},
}

func TestLifeOfAConnection(t *testing.T) {
	t.Parallel()
	for _, cfg := range lifeConfigs {
		t.Run(cfg.name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			states, runs := exploreLife(t, cfg, *lifeDepth)
			t.Logf("%d states, %d sequences, %v", states, runs, time.Since(began))
		})
	}
}

// exploreLife runs every sequence of up to depth actions, but goes on only from one
// of those that lead to the same state.
func exploreLife(t *testing.T, cfg lifeConfig, depth int) (states, runs int) {
	seen := map[string]bool{newLifeModel(cfg).state(): true}
	for edge := [][]lifeAction{nil}; len(edge) > 0 && depth > 0; depth-- {
		var next [][]lifeAction
		for _, seq := range edge {
			for _, a := range lifeActions {
				m := modelAfter(cfg, seq)
				if !m.enabled(a) {
					continue
				}
				m.do(a)
				longer := append(slices.Clone(seq), a)
				lifeRun(t, cfg, longer)
				runs++
				if s := m.state(); !seen[s] {
					seen[s] = true
					next = append(next, longer)
				}
			}
		}
		edge = next
	}
	return len(seen), runs
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

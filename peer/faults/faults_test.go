package main

import (
	"flag"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

var cellFor = flag.Duration("for", time.Second, "how long each client goes through each kind of fault")

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// Every client goes through every kind of fault and comes back. What this client
// keeps until it is confirmed arrives; by default nothing comes twice; a stream holds
// each message once and in order.
func TestEveryClientThroughEveryFault(t *testing.T) { // alone: it needs the whole machine
	l := load{For: *cellFor, Rate: 20_000, StreamRate: 5000, Seed: 1}
	all, err := measure(l, regexp.MustCompile(""), io.Discard)
	require.NoError(t, err)
	require.Len(t, all, len(kinds())*len(modes))
	t.Logf("\n%s", table(all))
	for i, r := range all {
		m, name := modes[i%len(modes)], r.Kind+", "+r.Mode
		assert.False(t, r.Stuck, name)
		assert.Positive(t, r.Accepted, name)
		assert.Greater(t, r.Sessions, 1, name)
		assert.GreaterOrEqual(t, r.Lost, r.Excused, name)
		if m.keeps {
			assert.Zero(t, r.Lost-r.Excused, "%s: lost", name)
		}
		if m.keeps && r.Kind != kill {
			assert.Zero(t, r.Lost, "%s: lost", name)
			assert.Zero(t, r.Overtaken, "%s: first deliveries out of order", name)
		}
		if !m.keeps || m.stream {
			assert.Zero(t, r.Repeated, "%s: repeated", name)
		}
	}
}

func TestLedger(t *testing.T) {
	t.Parallel()
	var l ledger
	see := func(n byte) { l.see([]byte{0, 0, 0, 0, 0, 0, 0, n}) }
	for _, n := range []byte{0, 1, 70, 3, 1} {
		see(n)
	}
	assert.Equal(t, 1, l.repeated)
	assert.Equal(t, 1, l.overtaken) // the 3; a repeat is no disorder
	assert.Equal(t, 0, l.missing(2))
	assert.Equal(t, 1, l.missing(3))
	assert.Equal(t, 61, l.missing(64))
	assert.Equal(t, 67, l.missing(70))
	assert.Equal(t, 67, l.missing(71))
	assert.Equal(t, 196, l.missing(200))
}

// Cells that were measured in several runs make one table, fresh ones in the place of
// old ones.
func TestResultsOfSeveralRuns(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cells.json")
	none, err := readResults(file)
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, writeResults(file, []result{{Kind: kill, Mode: "default", Lost: 1}, {Kind: "reset", Mode: "default", Lost: 2}}))
	old, err := readResults(file)
	require.NoError(t, err)
	all := merge(old, []result{{Kind: kill, Mode: "default", Accepted: 9, Lost: 7, Excused: 4, Sessions: 8, Refused: 5}})
	require.Equal(t, []string{"reset", kill}, []string{all[0].Kind, all[1].Kind})
	text := document(all)
	assert.Contains(t, text, "| server killed | default | 8 | 9 | 7 (3), 5 refused | 1 | 0 | 0 | no | 0 ms |")
	assert.Equal(t, 4, strings.Count(text, "\n| "))
}

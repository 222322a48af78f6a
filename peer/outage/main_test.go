package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// The short form: all clients through a cut, a restart and a black hole, in half a
// second each.
func TestAllClientsThroughTheSame(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "outage.svg")
	c, err := parse([]string{"-script", "100ms cut; 200ms stop; 250ms start; 300ms blackhole; 450ms heal",
		"-for", "550ms", "-rate", "2000", "-svg", file}, io.Discard)
	require.NoError(t, err)
	var out bytes.Buffer
	require.NoError(t, c.run(t.Context(), &out))
	t.Log("\n" + out.String())
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, len(clients))
	assert.Regexp(t, `^this client, AtLeastOnce .* lost +0 `, lines[1])
	for _, line := range lines {
		assert.Regexp(t, `accepted +[1-9]`, line)
		assert.Regexp(t, `delivered +[1-9]`, line)
	}
	svg, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(svg, new(struct{})))
	for _, client := range clients {
		assert.Contains(t, string(svg), client.name)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	c, err := parse(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, defaultScript, c.script.String())
	assert.Greater(t, c.duration, c.script[len(c.script)-1].At)
	for _, args := range [][]string{{"x"}, {"-rate", "0"}, {"-script", "1s dance"}, {"-size", "7"}, {"-for", "0"}, {"-throttle", "0"}} {
		_, err := parse(args, io.Discard)
		assert.Error(t, err, "%q", args)
	}
	_, err = parse([]string{"-h"}, io.Discard)
	assert.True(t, errors.Is(err, flag.ErrHelp))
}

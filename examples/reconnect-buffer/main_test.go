package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// waitLimit is how long a test waits for what must happen.
const waitLimit = 20 * time.Second

func soon(t *testing.T, cond func() bool, what string) {
	t.Helper()
	require.Eventually(t, cond, waitLimit, 5*time.Millisecond, what)
}

func TestFlagDefaults(t *testing.T) {
	t.Parallel()
	c, err := parseFlags(nil, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, config{
		rate: 5000, size: 128, duration: 15 * time.Second,
		up: 2 * time.Second, down: time.Second,
		bufBytes: nats.DefaultReconnectBufSize, live: true, patience: endPatience,
	}, c)
}

func TestFlags(t *testing.T) {
	t.Parallel()
	c, err := parseFlags([]string{"-rate", "7", "-size", "12", "-for", "3s", "-outage", "5ms", "-buf-bytes", "-1", "-plain",
		"-max-age", "3ms", "-replay-rate", "9"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, config{
		rate: 7, size: 12, duration: 3 * time.Second,
		up: time.Second, down: 5 * time.Millisecond, bufBytes: -1, patience: endPatience,
		maxAge: 3 * time.Millisecond, replayRate: 9,
	}, c, "a short run has short periods")

	c, err = parseFlags([]string{"-url", "nats://example.com:4222"}, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, "nats://example.com:4222", c.url)
}

func TestOverflowFlag(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]nats.OverflowPolicy{
		"reject": nats.OverflowReject, "block": nats.OverflowBlock,
		"drop-oldest": nats.OverflowDropOldest, "drop-newest": nats.OverflowDropNewest,
	} {
		c, err := parseFlags([]string{"-overflow", name}, io.Discard)
		require.NoError(t, err)
		assert.Equal(t, want, c.overflow)
	}
}

func TestBadFlags(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		says string
		args []string
	}{
		{"-rate 0", []string{"-rate", "0"}},
		{"-rate -5", []string{"-rate=-5"}},
		{"-rate 10000001", []string{"-rate", "10000001"}},
		{`invalid value "fast"`, []string{"-rate", "fast"}},
		{"-size 11", []string{"-size", "11"}},
		{"-size 1048577", []string{"-size", "1048577"}},
		{"-for 0s", []string{"-for", "0s"}},
		{"-outage -1s", []string{"-outage", "-1s"}},
		{"-buf-bytes 0", []string{"-buf-bytes", "0"}},
		{"-buf-bytes -2", []string{"-buf-bytes", "-2"}},
		{"-buf-msgs -1", []string{"-buf-msgs", "-1"}},
		{"must be reject, block, drop-oldest or drop-newest", []string{"-overflow", "drop"}},
		{"-overflow block has no meaning", []string{"-overflow", "block", "-buf-bytes", "-1"}},
		{"-at-least-once has no meaning", []string{"-at-least-once", "-buf-bytes", "-1"}},
		{"-max-age -1ns", []string{"-max-age", "-1ns"}},
		{`invalid value "5"`, []string{"-max-age", "5"}},
		{"-replay-rate -1", []string{"-replay-rate", "-1"}},
		{"-outage has no meaning", []string{"-url", "nats://a", "-outage", "1s"}},
		{"one server only", []string{"-url", "nats://a,nats://b"}},
		{"must be like nats://", []string{"-url", "tls://a:4222"}},
		{"must be like nats://", []string{"-url", "a:4222"}},
		{"-url: parse", []string{"-url", "nats://a:port"}},
		{`unexpected argument "now"`, []string{"now"}},
		{"not defined", []string{"-nothing"}},
	} {
		t.Run(tc.says, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			assert.Equal(t, 2, command(context.Background(), tc.args, &out, &errs))
			assert.Contains(t, errs.String(), tc.says)
			assert.Empty(t, out.String())
		})
	}
}

func TestBadURLHidesThePassword(t *testing.T) {
	t.Parallel()
	err := checkURL("tls://me:secret@example.com")
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}

func TestHelp(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	assert.Equal(t, 0, command(context.Background(), []string{"-h"}, io.Discard, &errs))
	for _, name := range []string{"-url", "-rate", "-size", "-for", "-outage", "-buf-bytes", "-buf-msgs", "-overflow", "-max-age", "-replay-rate", "-at-least-once", "-plain"} {
		assert.Contains(t, errs.String(), name)
	}
	assert.Contains(t, errs.String(), "(default reject)")
	_, err := parseFlags([]string{"-h"}, io.Discard)
	assert.True(t, errors.Is(err, flag.ErrHelp))
}

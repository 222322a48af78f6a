package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/examples/internal/clitest"
)

func TestAtLeastOnce(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.atLeastOnce, c.duration = true, 3*time.Second
	out := new(clitest.Buffer)
	r, err := run(context.Background(), c, out)
	require.NoError(t, err, out)
	r.write(out)
	assert.Zero(t, r.code(), out)
	assert.True(t, r.settled, out)
	assert.Zero(t, r.unconfirmed, out)
	assert.Zero(t, r.kept, out)
	assert.Empty(t, r.mismatches, out)
	assert.Zero(t, r.figures.InDoubt)
	assert.EqualValues(t, r.accepted, r.figures.Confirmed)
	assert.LessOrEqual(t, r.repeated, int(r.figures.Repeated))
	assert.Greater(t, r.accepted, 1000)
	assert.NotEmpty(t, r.outages)
	assert.Equal(t, r.lost() == 0, strings.Contains(r.String(), "OK: nothing is missing."), r.String())
}

// Without a server in the end the client hands back what is unconfirmed, arrived or not.
func TestAtLeastOnceLeftOver(t *testing.T) {
	t.Parallel()
	var out clitest.Buffer
	c := testConfig()
	c.atLeastOnce, c.duration, c.up, c.down, c.patience = true, 300*time.Millisecond, 100*time.Millisecond, time.Hour, time.Nanosecond
	r, err := run(context.Background(), c, &out)
	require.NoError(t, err)
	assert.Zero(t, r.unconfirmed, r.String())
	assert.Zero(t, r.kept, r.String())
	assert.False(t, r.untrue(), r.String())
}

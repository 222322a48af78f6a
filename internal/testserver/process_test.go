package testserver

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A server in a process of its own dies at once, keeps its port and its JetStream
// data, and comes back.
func TestProcessIsKilledAndComesBack(t *testing.T) {
	t.Parallel()
	p := RunProcess(t, "jetstream: enabled")
	require.ErrorIs(t, p.Start(), ErrRunning)
	first := p.Pid()
	reply := connectRaw(t, p.Addr()).request(createStream, `{"name":"S","subjects":["s.>"],"storage":"file"}`)
	require.NotContains(t, reply, "error")
	require.Contains(t, connectRaw(t, p.Addr()).request("s.a", "hello"), `"seq":1`)
	idle := connectRaw(t, p.Addr())
	p.Kill()
	p.Kill()
	require.Zero(t, p.Pid())
	require.Empty(t, requireCut(t, idle))
	require.NoError(t, p.Start())
	require.NotEqual(t, first, p.Pid())
	require.Contains(t, connectRaw(t, p.Addr()).request("s.a", "hello"), `"seq":2`)
}

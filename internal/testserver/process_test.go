package testserver

import (
	"errors"
	"testing"
	"time"

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

// Processes of a cluster carry messages for each other, and one that was killed joins
// again.
func TestProcessesAreACluster(t *testing.T) {
	t.Parallel()
	all := RunProcesses(t, 2)
	carries := func() {
		for deadline := time.Now().Add(patience); ; {
			sub := connectRaw(t, all[0].Addr())
			sub.send("SUB a 1\r\nPING\r\n")
			sub.expect("PONG")
			pub := connectRaw(t, all[1].Addr())
			pub.send("PUB a 2\r\nhi\r\nPING\r\n")
			pub.expect("PONG")
			require.NoError(t, sub.conn.SetReadDeadline(time.Now().Add(10*tick)))
			line, err := sub.r.ReadString('\n')
			require.NoError(t, errors.Join(sub.conn.Close(), pub.conn.Close()))
			if err == nil && line == "MSG a 1 2\r\n" {
				return
			}
			require.True(t, time.Now().Before(deadline), "nothing is carried")
		}
	}
	carries()
	all[1].Kill()
	require.NoError(t, all[1].Start())
	carries()
}

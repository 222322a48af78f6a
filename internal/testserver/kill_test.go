package testserver

import (
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// requireCut reads to the end of the connection, which must be an EOF or a
// reset, and returns what came before.
func requireCut(t *testing.T, c *rawClient) string {
	t.Helper()
	rest, err := io.ReadAll(c.r)
	if err != nil {
		require.True(t, isReset(err), "%v", err)
	}
	return string(rest)
}

func isReset(err error) bool {
	const wsaReset = syscall.Errno(10054) // Windows
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, wsaReset)
}

func TestKillSaysNothing(t *testing.T) {
	t.Parallel()
	s := Run(t)
	idle := connectRaw(t, s.Addr())
	greeted := dialRaw(t, s.Addr()) // has not sent its CONNECT
	s.Kill()
	require.False(t, s.Running())
	require.Zero(t, s.NumClients())
	require.Empty(t, requireCut(t, idle))
	require.Empty(t, requireCut(t, greeted))
	_, err := net.Dial("tcp", s.Addr())
	require.Error(t, err)
	s.Kill() // does nothing

	require.NoError(t, s.Start())
	connectRaw(t, s.Addr())
}

// A client in the middle of a stream sees it torn, but no line of farewell.
func TestKillUnderLoad(t *testing.T) {
	t.Parallel()
	s := Run(t)
	sub := connectRaw(t, s.Addr())
	sub.send("SUB load 1\r\n")
	sub.sync()

	pub := connectRaw(t, s.Addr())
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the connection is cut
		frame := strings.Repeat("PUB load 4\r\nload\r\n", 1000)
		for {
			if _, err := pub.conn.Write([]byte(frame)); err != nil {
				assert.True(t, isReset(err), "%v", err)
				return
			}
		}
	})
	sub.expect("MSG load 1 4") // the load has arrived
	wg.Go(s.Kill)
	stream := requireCut(t, sub)
	require.NotContains(t, stream, "-ERR")
	require.NotContains(t, stream, "INFO")
	require.NotContains(t, requireCut(t, pub), "-ERR")
	wg.Wait()
}

// The cut is the kernel's: a client sees it although the server has output
// for it that it cannot get rid of.
func TestKillWithAClientThatDoesNotRead(t *testing.T) {
	t.Parallel()
	s := Run(t)
	lazy := connectRaw(t, s.Addr())
	lazy.send("SUB big 1\r\n")
	lazy.sync()
	pub := connectRaw(t, s.Addr())
	payload := strings.Repeat("x", 1<<20)
	for range 16 {
		pub.send("PUB big 1048576\r\n" + payload + "\r\n")
	}
	pub.sync()
	began := time.Now()
	s.Kill()
	require.Less(t, time.Since(began), 5*time.Second, "the server waited for the client")
	require.NotContains(t, requireCut(t, lazy), "-ERR")
}

func TestKillAndStartManyTimes(t *testing.T) {
	t.Parallel()
	s := Run(t)
	for range 10 {
		c := connectRaw(t, s.Addr())
		s.Kill()
		require.Empty(t, requireCut(t, c))
		require.NoError(t, s.Start())
	}
}

// A client that comes back the moment it is cut must find nobody there, or it
// would be cut twice.
func TestKillStopsListeningFirst(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("listeners cannot be stopped on this system")
	}
	s := Run(t, JetStream())
	for range 10 {
		c := connectRaw(t, s.Addr())
		dialed := make(chan error, 1)
		go func() { // ends soon after the connection is cut
			_, _ = io.Copy(io.Discard, c.r)
			conn, err := net.Dial("tcp", s.Addr())
			if err == nil {
				_ = conn.Close()
			}
			dialed <- err
		}()
		s.Kill()
		require.ErrorIs(t, <-dialed, syscall.ECONNREFUSED)
		require.NoError(t, s.Start())
	}
}

// Servers in the same process must not notice.
func TestKillLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	s, other := Run(t), Run(t)
	c := connectRaw(t, other.Addr())
	s.Kill()
	c.sync()
	connectRaw(t, other.Addr())
	require.Equal(t, 2, other.NumClients())
}

func TestCutClients(t *testing.T) {
	t.Parallel()
	s := Run(t)
	require.Zero(t, s.CutClients())
	a, b := connectRaw(t, s.Addr()), connectRaw(t, s.Addr())
	id := s.Server().ID()
	require.Equal(t, 2, s.CutClients())
	require.Empty(t, requireCut(t, a))
	require.Empty(t, requireCut(t, b))
	require.Equal(t, id, connectRaw(t, s.Addr()).info.ID)
	require.Eventually(t, func() bool { return s.NumClients() == 1 }, patience, tick)
}

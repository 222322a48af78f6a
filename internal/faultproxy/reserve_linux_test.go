package faultproxy

import (
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// While the proxy refuses, nobody gets its port by asking for a free one.
func TestRefuseKeepsThePort(t *testing.T) {
	t.Parallel()
	p := Run(t, "127.0.0.1:1")
	require.NotNil(t, p.port)
	require.NoError(t, p.SetAccept(Refuse))
	// Without SO_REUSEADDR, which is how the kernel looks for a free port.
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { _ = syscall.Close(fd) }()
	addr, err := net.ResolveTCPAddr("tcp4", p.Addr())
	require.NoError(t, err)
	err = syscall.Bind(fd, &syscall.SockaddrInet4{Port: addr.Port, Addr: [4]byte{127, 0, 0, 1}})
	require.ErrorIs(t, err, syscall.EADDRINUSE)
}

// A connection that is still being made to the upstream ends at once, too. The
// kernel drops connection requests when the queue of those not yet accepted is
// full, so connecting hangs.
func TestCutWhileDialling(t *testing.T) {
	t.Parallel()
	hanging := fullListener(t)
	p := Run(t, hanging)
	c := dial(t, p.Addr())
	require.NoError(t, p.WaitAccepted(testCtx(t), 1))
	conn := p.Last()
	p.Live().StopReading(Both)
	p.Live().Cut(FIN)
	waitDone(t, conn)
	_, how := readToEnd(t, c)
	require.Equal(t, sawEOF, how)
	p.Close()
	require.Equal(t, Stats{Accepted: 1}, p.Stats(), "the dial was given up, it did not fail")
}

func fullListener(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	sa, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(sa.(*syscall.SockaddrInet4).Port))
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	require.FailNow(t, "the queue takes everything")
	return ""
}

package nats

import (
	"net"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// unsentIn is how many bytes the kernel has taken for a socket and not sent.
func unsentIn(t *testing.T, conn *net.TCPConn) int {
	const siocOutQNSD = 0x894B
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	var n int32
	var errno syscall.Errno
	require.NoError(t, raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, siocOutQNSD, uintptr(unsafe.Pointer(&n)))
	}))
	require.Zero(t, errno)
	return int(n)
}

// What a peer does not take waits in the outbox, not in the kernel, where the end of
// the connection would lose it.
func TestLittleIsUnsentInTheKernel(t *testing.T) {
	t.Parallel()
	over := make(chan struct{})
	s := scripted(t, func(p *peerConn) {
		p.welcome()
		<-over // and reads nothing more
	})
	defer close(over)
	nc := connectTo(t, s.url(), ReconnectBufSize(64<<20))
	const messages, size = 320, 64 << 10
	for range messages { // more than all the kernel's buffers
		require.NoError(t, nc.Publish("foo", make([]byte, size)))
	}
	nc.mu.Lock()
	conn := tcpBelow(nc.session.conn)
	nc.mu.Unlock()
	// It is stuck once nothing has moved for a while.
	held, since := 0, time.Now()
	soon(t, func() bool {
		if now := nc.BufferStats().Bytes; now != held {
			held, since = now, time.Now()
		}
		return time.Since(since) > 300*time.Millisecond
	}, "the kernel takes everything")
	require.NotZero(t, held)
	unsent := unsentIn(t, conn)
	require.NotZero(t, unsent)
	require.LessOrEqual(t, unsent, unsentBytes+64<<10, "one segment more than the bound")
}

// A bound that the program's dialer has set stays.
func TestUnsentBoundOfTheProgram(t *testing.T) {
	t.Parallel()
	const own = 1 << 20
	d := &net.Dialer{Timeout: patience, Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if e := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt, own)
		}); e != nil {
			return e
		}
		return err
	}}
	for _, tc := range []struct {
		opts []Option
		want int
	}{{[]Option{SetCustomDialer(d)}, own}, {nil, unsentBytes}} {
		_, nc := connect(t, tc.opts...)
		raw, err := nc.session.conn.(*net.TCPConn).SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			have, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt)
			require.NoError(t, err)
			require.Equal(t, tc.want, have)
		}))
	}
}

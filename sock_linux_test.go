package nats

import "syscall"

// smallSendBuffer keeps what the kernel takes ahead of the peer small.
func smallSendBuffer(_, _ string, c syscall.RawConn) error {
	var err error
	if e := c.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, 64<<10)
	}); e != nil {
		return e
	}
	return err
}

package faultproxy

import (
	"fmt"
	"os"
	"syscall"
)

// reservation is a bound socket that never listens. While it is there the
// kernel gives its port to nobody who asks for a free one, also not as the
// local port of a connection (which could then connect to itself), and the
// proxy's listener can come and go beside it thanks to SO_REUSEADDR.
type reservation struct {
	fd   int
	addr string
}

func reserve() (*reservation, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	r := &reservation{fd: fd}
	if err := r.bind(); err != nil {
		r.release()
		return nil, err
	}
	return r, nil
}

func (r *reservation) bind() error {
	err := syscall.SetsockoptInt(r.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(r.fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	sa, err := syscall.Getsockname(r.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	r.addr = fmt.Sprintf("127.0.0.1:%d", sa.(*syscall.SockaddrInet4).Port)
	return nil
}

func (r *reservation) release() {
	if r != nil {
		_ = syscall.Close(r.fd)
	}
}

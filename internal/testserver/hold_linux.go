package testserver

import (
	"net"
	"os"
	"syscall"
)

// holdSharesPort says that a server can listen on a port while it is held.
const holdSharesPort = true

// portHold keeps a port ours while no server listens on it: a socket that is
// bound with SO_REUSEADDR and never listens. The kernel then gives the port to
// nobody who asks for any port, neither a listener nor an outgoing connection,
// but a server that asks for this very one (with SO_REUSEADDR, as package net
// does) gets it, and a client that dials it meanwhile is refused.
type portHold struct {
	port int
	fd   int
}

// holdPort holds port, or a free one if it is 0. The host is an IPv4 address.
func holdPort(host string, port int) (portHold, error) {
	ip := net.ParseIP(host).To4()
	if ip == nil {
		return pickPort(host, port)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return portHold{}, os.NewSyscallError("socket", err)
	}
	h := portHold{fd: fd}
	if err := h.bind([4]byte(ip), port); err != nil {
		h.release()
		return portHold{}, err
	}
	return h, nil
}

func (h *portHold) bind(ip [4]byte, port int) error {
	if err := syscall.SetsockoptInt(h.fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	if err := syscall.Bind(h.fd, &syscall.SockaddrInet4{Addr: ip, Port: port}); err != nil {
		return os.NewSyscallError("bind", err)
	}
	sa, err := syscall.Getsockname(h.fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	h.port = sockPort(sa)
	return nil
}

// pickPort finds a free port without holding it, for hosts that are names or
// IPv6 addresses.
func pickPort(host string, port int) (portHold, error) {
	if port != 0 {
		return portHold{port: port, fd: -1}, nil
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return portHold{}, err
	}
	defer l.Close()
	return portHold{port: l.Addr().(*net.TCPAddr).Port, fd: -1}, nil
}

func (h portHold) release() {
	if h.fd >= 0 {
		_ = syscall.Close(h.fd)
	}
}

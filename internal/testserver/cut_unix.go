//go:build linux || darwin || freebsd

package testserver

import (
	"os"
	"slices"
	"strconv"
	"syscall"
)

// cutSockets shuts down every TCP connection of this process whose own port is
// one of ports, in both directions and at once: nothing that the server writes
// from then on can leave. With listeners it stops the listening sockets first,
// which Linux allows. It returns the number of connections, and false where
// the system cannot do this.
//
// The server offers no way to reach its sockets, so they are found among the
// process's descriptors. Only the accepting side can have one of these ports
// as its own, since they are kept from being given to outgoing connections.
func cutSockets(ports []int, listeners bool) (n int, ok bool) {
	if listeners {
		fds, ok := openDescriptors()
		if !ok {
			return 0, false
		}
		for _, fd := range fds {
			withSocket(fd, ports, func(own int) {
				if isListener(own) {
					_ = syscall.Shutdown(own, syscall.SHUT_RDWR)
				}
			})
		}
	}
	fds, ok := openDescriptors() // again: one more may have been accepted
	for _, fd := range fds {
		withSocket(fd, ports, func(own int) {
			if isConnected(own) && cut(own) {
				n++
			}
		})
	}
	return n, ok
}

// cut ends a connection with a FIN at once, and with a reset when the server
// closes its socket.
func cut(fd int) bool {
	abort := syscall.Linger{Onoff: 1, Linger: 0}
	_ = syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &abort)
	return syscall.Shutdown(fd, syscall.SHUT_RDWR) == nil
}

// openDescriptors lists the descriptors of this process.
func openDescriptors() ([]int, bool) {
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return nil, false
	}
	fds := make([]int, 0, len(entries))
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil {
			fds = append(fds, fd)
		}
	}
	return fds, true
}

// withSocket calls f with a duplicate of fd if that is a TCP socket on one of
// the ports. The duplicate is what gets checked and used, because the owner of
// fd may close it at any moment and another socket may get the number. Looking
// at fd first spares all others from being duplicated.
func withSocket(fd int, ports []int, f func(own int)) {
	if !onPort(fd, ports) {
		return
	}
	syscall.ForkLock.RLock()
	own, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(own)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return
	}
	defer syscall.Close(own)
	if onPort(own, ports) {
		f(own)
	}
}

func onPort(fd int, ports []int) bool {
	sa, err := syscall.Getsockname(fd)
	if err != nil || !slices.Contains(ports, sockPort(sa)) {
		return false
	}
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	return err == nil && kind == syscall.SOCK_STREAM
}

func isListener(fd int) bool {
	v, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
	return err == nil && v != 0
}

func isConnected(fd int) bool {
	_, err := syscall.Getpeername(fd)
	return err == nil
}

// sockPort is the port of an internet address, -1 for other families.
func sockPort(sa syscall.Sockaddr) int {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return sa.Port
	case *syscall.SockaddrInet6:
		return sa.Port
	default:
		return -1
	}
}

package nats

import "syscall"

// tcpNotSentLowAt is TCP_NOTSENT_LOWAT, which package syscall does not have.
const tcpNotSentLowAt = 25

func boundUnsentOf(fd uintptr) {
	if now, err := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt); err == nil && now == 0 {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpNotSentLowAt, unsentBytes)
	}
}

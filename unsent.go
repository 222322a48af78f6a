package nats

import "net"

// unsentBytes bounds what the kernel takes from a writer without having sent it. What
// lies there is lost with the connection; what waits in the outbox is not. The socket
// is told to be writable again at half of it, so less would make the writer wake up
// more often.
const unsentBytes = 128 << 10

// boundUnsent bounds it for the TCP socket below conn, if there is one and the program's
// dialer has set no bound of its own. It is best effort: without it a broken connection
// loses more, and nothing else changes.
func boundUnsent(conn net.Conn) {
	c := tcpBelow(conn)
	if c == nil {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		_ = raw.Control(boundUnsentOf)
	}
}

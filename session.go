package nats

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// A session is a connected, authenticated socket with its INFO. It ends once,
// for the first cause that anybody finds.
type session struct {
	conn net.Conn
	name string // the server's address, without credentials
	info serverInfo
	// secured: there is TLS, made by this library or by the program's dialer.
	secured bool
	tls     *tls.ConnectionState // once the handshake is done; nil: no TLS of ours
	cred    credentials          // to keep them out of what the server says
	rest    []byte               // came behind the handshake
	writer  *writer

	// announced: the program was told, because everything that had been
	// buffered is in the kernel's hands. Until then it is still the outage of
	// before, and a loss is not told either.
	announced atomic.Bool

	mu   sync.Mutex
	lost *loss // why it ended; nil while it lives
	ping *time.Timer
	// departure is its way out of a server in lame duck mode; nil: none has begun.
	departure *departure
}

// loss is why a session ended.
type loss struct {
	err    error
	fatal  bool // the connection is to be closed for good
	forced bool // by ForceReconnect
	left   bool // by a departure
	// settled: it ended in order, so that nothing that was sent is in doubt.
	settled bool
	hurry   bool // the first attempt to reconnect comes without a pause
}

// blame is how far the message in the middle of which the session ended may be
// the reason. The writer has ended.
func (s *session) blame() int {
	err := s.cause().err
	var v violation
	switch {
	case errors.As(err, &v):
		return blameWord
	case isBreak(err), errors.Is(err, io.EOF) && isBreak(s.writer.err):
		// A reset is told once: if the write was told, the read sees an end.
		return blameBreak
	case errors.Is(err, io.EOF):
		return blameHangUp
	}
	return 0
}

// isBreak says whether the other side, or the link, has ended a connection.
func isBreak(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe)
}

// fail ends the session: the first cause is kept, the socket is closed, which
// wakes the reader and the writer. It reports whether this was the first.
func (s *session) fail(err error, fatal bool) (first bool) {
	return s.end(loss{err: err, fatal: fatal})
}

func (s *session) end(why loss) (first bool) {
	first = s.mark(why, func() {})
	if first {
		if errors.Is(why.err, ErrStaleConnection) || errors.Is(why.err, os.ErrDeadlineExceeded) {
			discardUnsent(s.conn)
		}
		s.conn.Close()
	}
	return first
}

// discardUnsent makes Close throw away what the kernel has not sent. On a link that
// is stalled it would arrive late, behind what the next session has sent.
func discardUnsent(conn net.Conn) {
	if c := tcpBelow(conn); c != nil {
		_ = c.SetLinger(0) // fails only on a closed socket
	}
}

// tcpBelow returns the TCP socket below whatever is made of it; nil if there is none.
func tcpBelow(conn net.Conn) *net.TCPConn {
	for {
		above, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = above.NetConn()
	}
	c, _ := conn.(*net.TCPConn)
	return c
}

// mark records the cause, if it is the first, and in one step with that calls then,
// before anybody takes the session apart. The caller has to close the socket.
func (s *session) mark(why loss, then func()) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return false
	}
	s.lost = &why
	then()
	return true
}

// cause returns why the session ended, once it has.
func (s *session) cause() loss {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.lost
}

// startPings starts the keep-alive timer. Its function runs on a goroutine of
// the runtime's for the moment of a tick; stopPings or a failed session end it.
func (s *session) startPings(every time.Duration, maxOut int, p *pings) {
	if every <= 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ping = time.AfterFunc(every, func() {
		if p.keepAlive(maxOut) {
			s.fail(ErrStaleConnection, false)
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lost == nil {
			s.ping.Reset(every)
		}
	})
}

func (s *session) stopPings() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ping != nil {
		s.ping.Stop()
	}
}

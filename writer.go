package nats

import (
	"errors"
	"net"
	"os"
	"time"
)

// A writer drains the outbox into one socket. It is started when a session is
// swapped in and is the only one that writes to that socket from then on. It
// ends when the outbox is detached or the socket fails.
type writer struct {
	box  *outbox
	conn net.Conn
	// stall is how long the kernel may take nothing; 0 or less: for ever.
	stall time.Duration
	idle  time.Duration // how long it has taken nothing; the writer's own
	// fail tells the session why the socket is of no more use.
	fail func(error)
	done chan struct{}
	err  error // why it ended, if a write failed; to be read once done is closed
}

// startWriter starts the writer's goroutine. The session owns it: it ends on
// outbox.detach or a closed socket, and closes done.
func startWriter(box *outbox, conn net.Conn, stall time.Duration, fail func(error)) *writer {
	boundUnsent(conn)
	w := &writer{box: box, conn: conn, stall: stall, fail: fail, done: make(chan struct{})}
	go w.run()
	return w
}

// writeSlice is how long one write may take. Between two it is seen whether the
// link is slow or dead.
const writeSlice = 250 * time.Millisecond

// unresumableBytes bounds what one write is given where it cannot be sliced.
const unresumableBytes = 64 << 10

func (w *writer) run() {
	defer close(w.done)
	b := batch{most: batchBytes}
	if !resumable(w.conn) {
		b.most = unresumableBytes
	}
	for more := w.box.take(&b); more; {
		n, err := w.write(&b)
		if err != nil {
			w.box.advance(n)
			w.err = err
			w.fail(err)
			return
		}
		more = w.box.next(&b, n)
	}
}

// write hands a batch to the kernel and returns how many bytes it took. A slow
// socket is not a broken one: if the time ran out, the next batch goes on at the
// very byte where this one stopped, as long as something goes through.
func (w *writer) write(b *batch) (int, error) {
	limit := w.stall
	if resumable(w.conn) && (limit <= 0 || limit > writeSlice) {
		limit = writeSlice
	}
	if limit > 0 {
		if err := w.conn.SetWriteDeadline(time.Now().Add(limit)); err != nil {
			return 0, err
		}
	}
	n, err := w.send(b)
	if err == nil || n > 0 {
		w.idle = 0
	}
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) || !resumable(w.conn) {
		return n, err
	}
	if n == 0 {
		w.idle += limit
	}
	if w.stall > 0 && w.idle >= w.stall {
		return n, err
	}
	return n, nil
}

func (w *writer) send(b *batch) (int, error) {
	if len(b.vec) == 1 {
		return w.conn.Write(b.vec[0])
	}
	b.rest = b.vec
	n, err := b.rest.WriteTo(w.conn)
	return int(n), err
}

// resumable says whether a write that timed out can be continued. A kernel's
// stream socket can; a TLS connection is of no use after a timeout, and of
// others it is not known.
func resumable(conn net.Conn) bool {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		return true
	}
	return false
}

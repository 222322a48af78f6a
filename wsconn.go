package nats

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/coder/websocket"
)

// wsConn makes a stream of WebSocket messages: the connection's as it is to
// everything above. Reads may be done by one goroutine, writes by another.
type wsConn struct {
	*wsSocket
	ws     *websocket.Conn
	steady *tlsSocket // at the bottom
	in     io.Reader  // the message under way; the reader's
}

// Read returns what there is of the message under way, or of the next. Nothing of
// a message is kept, so its length, compressed or not, costs no memory.
func (c *wsConn) Read(b []byte) (int, error) {
	for {
		if c.in == nil {
			_, in, err := c.ws.Reader(context.Background())
			if err != nil {
				return 0, c.readError(err)
			}
			c.in = in
		}
		n, err := c.in.Read(b)
		switch {
		case err == nil:
		case err == io.EOF: // of the message
			c.in = nil
		default:
			return n, c.readError(err)
		}
		if n > 0 {
			return n, nil
		}
	}
}

// readError finds the cause: what the server's close frame says, or the socket.
func (c *wsConn) readError(err error) error {
	var closed websocket.CloseError
	if errors.As(err, &closed) {
		switch closed.Code {
		case websocket.StatusNormalClosure, websocket.StatusGoingAway, websocket.StatusNoStatusRcvd:
			return io.EOF
		}
		return fmt.Errorf("websocket closed with status %d: %w", closed.Code, io.EOF)
	}
	if cause := c.cause(&c.readErr); cause != nil {
		return cause
	}
	return fmt.Errorf("websocket: %w", shortError{err})
}

// Write sends a message. If that fails it returns how many bytes of b the kernel has
// of which the server can make use: those of a compressed message only as a whole.
func (c *wsConn) Write(b []byte) (int, error) {
	c.taken = 0
	err := c.ws.Write(context.Background(), websocket.MessageBinary, b)
	if err == nil {
		return len(b), nil
	}
	if cause := c.cause(&c.writeErr); cause != nil {
		err = cause
	}
	return min(c.taken, len(b)), err
}

// Close says goodbye, and waits for the server to say it too, but not for long.
func (c *wsConn) Close() error {
	c.steady.closing.Store(true)
	// Ends what the goodbye waits for, on a goroutine of the runtime's.
	cut := time.AfterFunc(goodbye, func() { c.steady.Close() })
	defer cut.Stop()
	_ = c.ws.Close(websocket.StatusNormalClosure, "") // fails if the other end was first
	return c.wsSocket.Close()
}

// NetConn is the socket below.
func (c *wsConn) NetConn() net.Conn { return c.steady }

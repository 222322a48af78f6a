package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	nats "github.com/natsring/nats.go"
)

// A Conn is a connection that says when it loses and finds its server.
type Conn struct {
	*nats.Conn
	closed   chan struct{}
	patience time.Duration // how long the end may take after a Ctrl-C
}

// Connect connects with the flags, and more options. What happens to the connection
// is written to w.
func (s *Server) Connect(w io.Writer, more ...nats.Option) (*Conn, error) {
	opts, err := s.Options()
	if err != nil {
		return nil, err
	}
	c := &Conn{closed: make(chan struct{}), patience: s.patience}
	opts = append(opts, tell(w)...)
	opts = append(opts, nats.ClosedHandler(func(*nats.Conn) { close(c.closed) }))
	if s.wait {
		opts = append(opts, nats.ConnectHandler(func(nc *nats.Conn) {
			fmt.Fprintln(w, "connected to", nc.ConnectedUrlRedacted())
		}))
	}
	if c.Conn, err = nats.Connect(s.URL, append(opts, more...)...); err != nil {
		return nil, err
	}
	if !c.IsConnected() {
		fmt.Fprintln(w, "no server yet, waiting for one")
	}
	return c, nil
}

// tell are the handlers that say what happens. They are called one at a time.
func tell(w io.Writer) []nats.Option {
	var lost time.Time
	return []nats.Option{
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // the program did not close it
				lost = time.Now()
				fmt.Fprintln(w, "lost the server:", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) {
			where := nc.ConnectedUrlRedacted()
			if where == "" { // it is gone by now
				where = "the connection is closed by now"
			}
			fmt.Fprintf(w, "found the server: %s, after %v\n", where, time.Since(lost).Round(time.Millisecond))
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			// A failed write is also why the server is lost, which is told above.
			if failed := (*net.OpError)(nil); errors.As(err, &failed) {
				return
			}
			if sub != nil {
				err = fmt.Errorf("%s: %w", sub.Subject, err)
			}
			fmt.Fprintln(w, err)
		}),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) {
			fmt.Fprintf(w, "given up, messages: %d: %v\n", u.Count, u.Err)
		}),
	}
}

// Done is closed when the connection is, by whomever, and all handlers have run.
func (c *Conn) Done() <-chan struct{} { return c.closed }

// Wait waits until the context ends, which is no error, or until the connection is
// closed for good, which is.
func (c *Conn) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-c.closed:
		return fmt.Errorf("the connection was closed: %w", c.reason())
	}
}

func (c *Conn) reason() error {
	if err := c.LastError(); err != nil {
		return err
	}
	return nats.ErrConnectionClosed
}

// Finish ends the connection in order: handlers finish and all that was published is
// sent, if need be once there is a server again. It waits for that as long as the
// context lasts, and then for the -patience.
func (c *Conn) Finish(ctx context.Context) error {
	longer, cancel := outlive(ctx, c.patience)
	defer cancel()
	err := c.Shutdown(longer)
	<-c.closed
	if failed := (*nats.ShutdownError)(nil); errors.As(err, &failed) && failed.Err != nil {
		return fmt.Errorf("messages left unsent: %d, in doubt: %d: %w", len(failed.Left), failed.InDoubt, failed.Err)
	}
	return err
}

// Leave ends subscriptions once what has come for them is handled, with or without a
// server, and closes the connection. It takes no longer than Finish.
func (c *Conn) Leave(ctx context.Context, subs ...*nats.Subscription) error {
	longer, cancel := outlive(ctx, c.patience)
	defer cancel()
	for _, sub := range subs {
		ended := make(chan struct{})
		sub.SetClosedHandler(func(string) { close(ended) })
		if err := sub.Drain(); err != nil {
			return fmt.Errorf("%s: %w", sub.Subject, err)
		}
		select {
		case <-ended:
		case <-longer.Done():
			return fmt.Errorf("%s: %w", sub.Subject, nats.ErrDrainTimeout)
		}
	}
	c.Close()
	<-c.closed
	return nil
}

// outlive returns a context that ends d after ctx has.
func outlive(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	// The goroutine that this makes at the end of ctx ends with the longer one.
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}

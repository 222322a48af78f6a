// Package testserver runs nats-servers inside the process, for tests and for
// the examples.
//
// A [Server] listens on 127.0.0.1 on a port of its own and keeps that port for
// its whole life, so it can be stopped, killed and started again under clients
// that reconnect. [New] and [NewCluster] return errors; [Run], [RunConfig],
// [RunWith] and [RunCluster] are the same for tests: they fail the test and
// clean up behind it. The package does not import testing.
//
// Servers are quiet, install no signal handlers and keep JetStream data in a
// temporary directory which outlives a restart and is removed by Close.
package testserver

import (
	"io"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// TB is what the Run functions need of *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	TempDir() string
}

// Option changes the options of a server before its first start. The options
// it gets have the defaults of this package in them, and what the
// configuration text says.
type Option = func(*server.Options)

// Config says how to run a server. The zero value is a plain server on a free
// port.
type Config struct {
	// Port is the client port. 0 means a free one, or the one that Text names.
	Port int

	// Text is a configuration in the server's own format. What it does not
	// name (host, port, JetStream's directory) is chosen as without a text.
	Text string

	// Options are applied in order, after Text and Port.
	Options []Option

	// Log takes the server's log; the default is no log. Debug and trace lines
	// are written when an option or Text turns them on. The writer gets whole
	// lines, one at a time.
	Log io.Writer

	// StartTimeout bounds each start, which includes the wait for a port that
	// is briefly taken. 0 means 30 seconds.
	StartTimeout time.Duration
}

const defaultStartTimeout = 30 * time.Second

// New starts a server and returns when it accepts client connections. The
// error tells what the server said when it could not start. Call Close when
// done with it.
func New(cfg Config) (*Server, error) {
	s, err := prepare(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		_ = s.Close() // the first error is the one that matters
		return nil, err
	}
	return s, nil
}

// Run starts a server for a test and closes it when the test ends.
func Run(t TB, opts ...Option) *Server {
	t.Helper()
	return RunWith(t, Config{Options: opts})
}

// RunConfig is like Run with a configuration text; see [Config.Text].
func RunConfig(t TB, text string, opts ...Option) *Server {
	t.Helper()
	return RunWith(t, Config{Text: text, Options: opts})
}

// RunWith is like Run with every setting in the caller's hands.
func RunWith(t TB, cfg Config) *Server {
	t.Helper()
	s, err := New(cfg)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	closeWith(t, s)
	return s
}

// closeWith closes c when the test ends.
func closeWith(t TB, c io.Closer) {
	t.Cleanup(func() {
		t.Helper()
		if err := c.Close(); err != nil {
			t.Fatalf("%v", err)
		}
	})
}

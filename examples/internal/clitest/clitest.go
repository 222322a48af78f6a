// Package clitest is for the tests of the example programs.
package clitest

import (
	"bytes"
	"context"
	"flag"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/examples/internal/cli"
)

// limit is how long a test waits for what must happen.
const limit = 20 * time.Second

// A Buffer is a bytes.Buffer that can be read while somebody writes.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is all that was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A Running is a program that a test has started.
type Running struct {
	// Out and Err are what it has written.
	Out, Err Buffer

	t      testing.TB
	stop   context.CancelFunc
	status chan int
}

// Start starts a program with that on its standard input. It is interrupted at the
// end of the test.
func Start(t testing.TB, p cli.Program, in string, args ...string) *Running {
	ctx, stop := context.WithCancel(context.Background())
	r := &Running{t: t, stop: stop, status: make(chan int, 1)}
	// Ends with the program, for which the clean-up waits.
	go func() {
		r.status <- p.Do(ctx, args, cli.Std{In: strings.NewReader(in), Out: &r.Out, Err: &r.Err})
		close(r.status)
	}()
	t.Cleanup(func() {
		stop()
		for range r.status {
		}
	})
	return r
}

// Interrupt is the user's Ctrl-C.
func (r *Running) Interrupt() { r.stop() }

// Says waits until the program has written text to its standard error.
func (r *Running) Says(text string) {
	r.t.Helper()
	r.Until(func() bool { return strings.Contains(r.Err.String(), text) }, "says "+text)
}

// Prints waits until the program has written text to its standard output.
func (r *Running) Prints(text string) {
	r.t.Helper()
	r.Until(func() bool { return strings.Contains(r.Out.String(), text) }, "prints "+text)
}

// Until waits until the condition is true; what says what it is.
func (r *Running) Until(cond func() bool, what ...string) {
	r.t.Helper()
	if !assert.Eventually(r.t, cond, limit, time.Millisecond) {
		require.FailNow(r.t, "in vain", "%s\nprinted: %s\nsaid: %s", what, &r.Out, &r.Err)
	}
}

// Status waits for the program's end and returns its exit status.
func (r *Running) Status() int {
	r.t.Helper()
	select {
	case status := <-r.status:
		return status
	case <-time.After(limit):
		require.FailNow(r.t, "the program does not end", "%s\n%s", &r.Out, &r.Err)
		return -1
	}
}

// Run runs a program to its end.
func Run(t testing.TB, p cli.Program, in string, args ...string) (status int, r *Running) {
	t.Helper()
	r = Start(t, p, in, args...)
	return r.Status(), r
}

// BadUse is a command line that a program must refuse, and what it must say.
type BadUse struct {
	Says string
	Args []string
}

// Refuses checks that none of the command lines is taken, and that help is given.
func Refuses(t *testing.T, program func() cli.Program, bad []BadUse) {
	t.Helper()
	for _, b := range bad {
		status, r := Run(t, program(), "", b.Args...)
		require.Equal(t, 2, status, "%q", b.Args)
		require.Contains(t, r.Err.String(), b.Says, "%q", b.Args)
		require.Contains(t, r.Err.String(), "usage: "+program().Name, "%q", b.Args)
		require.Empty(t, r.Out.String())
	}
	status, r := Run(t, program(), "", "-h")
	require.Zero(t, status)
	require.Empty(t, r.Err.String())
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	program().Flags(fs)
	fs.VisitAll(func(f *flag.Flag) { require.Contains(t, r.Out.String(), "\n  -"+f.Name) })
	require.Contains(t, r.Out.String(), program().About)
}

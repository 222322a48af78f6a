// Package leaktest is the goroutine leak check for packages whose tests run
// servers of package testserver.
package leaktest

import (
	"fmt"
	"os"
	"time"

	"go.uber.org/goleak"
)

// patience is how long goroutines may take to end after the last test. It is
// much longer than goleak's own, for machines that are busy with other tests.
const patience = 10 * time.Second

// Options name the goroutines that can stay after a nats-server has shut down,
// by function and no wider. All others end within milliseconds.
func Options() []goleak.Option {
	const pkg = "github.com/nats-io/nats-server/v2/server"
	return []goleak.Option{
		// A server of a cluster that shuts down while it creates its copy of
		// a stream forgets to stop the store of that stream (seen with
		// 2.15.2). The store's own goroutine then runs on.
		goleak.IgnoreAnyFunction(pkg + ".(*fileStore).flushStreamStateLoop"),
		// The clock that all file stores of the process share. It ends when
		// the last of them is stopped, so one forgotten store keeps it.
		goleak.IgnoreAnyFunction(pkg + "/ats.Register.func1"),
	}
}

// VerifyTestMain runs the tests of a package and fails if goroutines are left
// over at their end. Call it from TestMain, with more options where the
// package needs them; it ends the process.
func VerifyTestMain(m goleak.TestingM, opts ...goleak.Option) {
	code := m.Run()
	if code == 0 {
		if err := find(patience, opts); err != nil {
			fmt.Fprintf(os.Stderr, "leaktest: after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

// find looks for leaks until there are none or the time is over.
func find(limit time.Duration, opts []goleak.Option) error {
	opts = append(Options(), opts...)
	deadline := time.Now().Add(limit)
	for {
		err := goleak.Find(opts...)
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

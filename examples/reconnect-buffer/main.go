// Reconnect-buffer shows what happens to published messages while the server is
// away, and counts every one of them.
//
// It publishes numbered messages at a steady rate to a subscriber of its own,
// while the server is killed, stopped and started again. During an outage the
// library keeps what Publish accepts in the reconnect buffer, and sends it when
// there is a server again; what it gives up instead, because of the limits that
// the flags set, it has to report. In the end a report says of every message what
// has become of it. The exit status is 1 if one was lost that had never left the
// process and that the client did not report, if anything else that the client
// said was not so, or if in the end it did not get the rest to the embedded
// server; 2 if there was nothing to report; and 0 otherwise.
//
//	go run ./examples/reconnect-buffer
//	go run ./examples/reconnect-buffer -for 1m -outage 5s -buf-bytes 1000000
//	go run ./examples/reconnect-buffer -rate 20000 -buf-msgs 500 -overflow drop-oldest
//	go run ./examples/reconnect-buffer -at-least-once
//	go run ./examples/reconnect-buffer -url nats://127.0.0.1:4222
//
// With -at-least-once the client keeps each message until a server has confirmed it.
// Then nothing may be missing, whatever the operating system had taken, and what comes
// twice is counted: the exit status is also 1 if a message was neither delivered nor
// confirmed nor reported. One that a server had confirmed and died with is not the
// client's to keep.
//
// With -url the server is yours: take it down and bring it back as you like.
// Ctrl-C ends the run with its report.
//
// The parts: publisher.go and subscriber.go are the two programs; blocked.go times
// the publisher's waits, ending.go closes its connection; outages.go takes the
// server down; tap.go watches the publisher's sockets and scanner.go finds the
// messages in what went through them, confirmations.go what the server has
// confirmed; ledger.go writes it all down, givenup.go
// what the client gave up; tally.go adds it up, figures.go compares that with what
// the client says of itself; timeline.go has the times; status.go and report.go print.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/natsring/nats.go/examples/internal/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the run with a report, a second one at once.
	context.AfterFunc(ctx, stop)
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is the program without its process; it returns the exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c, err := parseFlags(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	c.live = c.live && terminal.Is(stdout)
	r, err := run(ctx, c, stdout)
	if r != nil {
		r.write(stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "reconnect-buffer: %v\n", err)
		return 2
	}
	return r.code()
}

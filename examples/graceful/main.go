// Graceful is a worker that ends in order when it is told to: at SIGTERM or Ctrl-C it takes
// no more jobs, finishes those that it has, sends their results, waiting for a server if
// there is none, and says what could not be sent. Then the exit status is 1, else 0.
//
//	go run ./examples/graceful
//	go run ./examples/graceful -url nats://127.0.0.1:4222 -grace 30s -http 127.0.0.1:8080
//
// Without -url it runs a server of its own, with somebody who has jobs. With -http it answers
// the probes of an orchestrator at /livez and /readyz: in an outage of up to 30 s the worker
// stays ready, in any outage it stays alive, and from the signal on it is not ready. The events
// of the connection go to standard error, as log/slog has them.
//
// An orchestrator that ends its processes by force does so some time after the signal: let
// -grace be a little less than that.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/natsring/nats.go"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the worker in order, a second one at once.
	context.AfterFunc(ctx, stop)
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings are the flags.
type settings struct {
	url   string
	http  string
	grace time.Duration
	job   time.Duration
}

// command is the program without its process; it returns the exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var c settings
	flags := flag.NewFlagSet("graceful", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.url, "url", "", "server; empty: one of its own")
	flags.StringVar(&c.http, "http", "", "address for /livez and /readyz; empty: none")
	flags.DurationVar(&c.grace, "grace", 10*time.Second, "how long ending may take")
	flags.DurationVar(&c.job, "job", 100*time.Millisecond, "how long a job takes")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if c.url == "" {
		url, end, err := ownServer()
		if err != nil {
			fmt.Fprintln(stderr, "graceful:", err)
			return 1
		}
		defer end()
		c.url = url
	}
	if err := work(ctx, c, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "graceful:", err)
		return 1
	}
	return 0
}

// work does jobs until the context ends, and then ends in order.
func work(ctx context.Context, c settings, stdout, stderr io.Writer) error {
	nc, err := nats.Connect(c.url,
		nats.Name("graceful"),
		nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true),
		nats.Logger(slog.New(slog.NewTextHandler(stderr, nil))))
	if err != nil {
		return err
	}
	defer nc.Close()
	_, err = nc.QueueSubscribe("jobs", "workers", func(m *nats.Msg) {
		time.Sleep(c.job) // in place of work
		if err := nc.Publish("jobs.done", m.Data); err != nil {
			fmt.Fprintln(stderr, "graceful: result of", string(m.Data), err)
		}
	})
	if err != nil {
		return err
	}
	if c.http != "" {
		probes := &http.Server{Addr: c.http, Handler: probesOf(nc), ReadHeaderTimeout: time.Second}
		defer probes.Close()
		go func() { // ends with Close
			if err := probes.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
				fmt.Fprintln(stderr, "graceful:", err)
			}
		}()
	}
	fmt.Fprintln(stdout, "working, process", os.Getpid())
	<-ctx.Done()
	fmt.Fprintln(stdout, "told to end")
	return end(nc, c.grace, stdout)
}

// probesOf answers whether the worker is alive and whether it may be given work.
func probesOf(nc *nats.Conn) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/livez", nats.AliveHandler(nc))
	mux.Handle("/readyz", nats.ReadyHandler(nats.ReadyLimits{MaxOutage: 30 * time.Second, MaxFill: 0.8}, nc))
	return mux
}

// end shuts the connection down and says what became of all that was published.
func end(nc *nats.Conn, grace time.Duration, stdout io.Writer) error {
	// Not the context of the signal: that one is over.
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	err := nc.Shutdown(ctx)
	var left *nats.ShutdownError
	switch {
	case errors.As(err, &left):
		for _, m := range left.Left {
			fmt.Fprintf(stdout, "not sent: %s %q\n", m.Subject, m.Data) // in place of keeping it
		}
		return err
	case err != nil:
		return err
	}
	fmt.Fprintln(stdout, "ended in order: every result has arrived")
	return nil
}

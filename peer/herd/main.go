// Command herd lets many connections lose one server at the same moment, or be told
// by it that it is about to go, and counts, at the listener, how they come back: with
// the pauses that both clients have by default, with pauses that grow at random, and
// with a departure in time. It prints a histogram of each and writes docs/HERD.md.
//
//	go run ./herd                          a minute or two; let nothing else run
//	go run ./herd -only backoff            modes whose names match, printed only
//	go run ./herd -clients 200 -down 10s
//
// Clients, servers and proxy are in one process and on one machine.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"
)

// plan is what all modes have in common.
type plan struct {
	clients int
	down    time.Duration // how long the server is away
	wait    time.Duration // the classic pause
	jitter  time.Duration // and what is added to it at most
	least   time.Duration // the pauses that grow
	later   time.Duration // the same, where they are long from the beginning
	most    time.Duration
	grace   time.Duration // of the server in lame duck mode
	spread  time.Duration // of the clients that leave it
	bin     time.Duration // of a histogram
	limit   time.Duration // how long a mode may take in all
}

// standard has the defaults of both clients where there are some. A nats-server's
// grace period is 10 s by default; a shorter one shows the same.
var standard = plan{
	clients: 1000, down: 5 * time.Second, wait: 2 * time.Second, jitter: 100 * time.Millisecond,
	least: 100 * time.Millisecond, later: time.Second, most: 5 * time.Second, grace: 3 * time.Second, spread: 2500 * time.Millisecond,
	bin: 200 * time.Millisecond, limit: time.Minute,
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "herd:", err)
		os.Exit(1)
	}
}

func run() error {
	p := standard
	only := flag.String("only", "", "regular expression of modes; nothing is written to a file")
	flag.IntVar(&p.clients, "clients", p.clients, "how many connections")
	flag.DurationVar(&p.down, "down", p.down, "how long the server is away")
	flag.DurationVar(&p.bin, "bin", p.bin, "width of a bin of the histograms")
	out := flag.String("out", "../docs/HERD.md", "file for the result")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var results []result
	for _, m := range modes {
		if !pattern.MatchString(m.name) {
			continue
		}
		r, err := m.run(p)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Print(r.text(p), "\n")
		results = append(results, r)
	}
	fmt.Print(table(results))
	if *only != "" {
		return nil
	}
	return os.WriteFile(*out, []byte(document(p, results)), 0o644)
}

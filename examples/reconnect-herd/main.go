// Reconnect-herd keeps many clients that lose the same server from coming back all at
// once, which could bring the next one down: the thundering herd.
//
// Look at the two things that spread them. Over servers: the list is shuffled for each
// connection, unless DontRandomize is given. Over time: pauses have a random part;
// ReconnectJitter adds a little, ReconnectBackoff draws the whole pause at random from
// a range that doubles with each attempt.
//
// Output:
//
//	60 connections in random order: each of 3 servers has some: true
//	20 connections with DontRandomize: s0 has 20
//	all servers are gone
//	the pauses of 20 connections differ: true
//	all 20 are back
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	cluster, err := demo.StartCluster(3)
	if err != nil {
		return err
	}
	defer cluster.Close()

	crowd, err := connect(60, cluster.URL())
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "60 connections in random order: each of 3 servers has some:", len(byServer(crowd)) == 3)
	closeAll(crowd)

	back := make(chan time.Time, 20)
	herd, err := connect(20, cluster.URL(), nats.DontRandomize(), nats.MaxReconnects(-1),
		nats.ReconnectBackoff(50*time.Millisecond, time.Second),
		nats.ReconnectHandler(func(*nats.Conn) { back <- time.Now() }))
	if err != nil {
		return err
	}
	defer closeAll(herd)
	fmt.Fprintln(w, "20 connections with DontRandomize: s0 has", byServer(herd)["s0"])

	cluster.Stop()
	fmt.Fprintln(w, "all servers are gone")
	if err := cluster.Servers[0].Start(); err != nil {
		return err
	}
	first := <-back
	last := first
	for range 19 {
		last = <-back
	}
	fmt.Fprintln(w, "the pauses of 20 connections differ:", last.Sub(first) > time.Millisecond)
	fmt.Fprintln(w, "all 20 are back")
	return nil
}

func connect(n int, url string, options ...nats.Option) (all []*nats.Conn, err error) {
	for range n {
		nc, err := nats.Connect(url, options...)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		all = append(all, nc)
	}
	return all, nil
}

func byServer(all []*nats.Conn) map[string]int {
	counts := map[string]int{}
	for _, nc := range all {
		counts[nc.ConnectedServerName()]++
	}
	return counts
}

func closeAll(all []*nats.Conn) {
	for _, nc := range all {
		nc.Close()
	}
}

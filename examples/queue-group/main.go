// Queue-group shares work: of the subscribers that name the same group, one gets each
// message, and to add workers is to start more of them.
//
// Look at the counts: the workers have the jobs among them, however the server has
// chosen; the auditor, who is in no group, has seen all of them.
//
// Output:
//
//	worker 1 did some: true
//	worker 2 did some: true
//	worker 3 did some: true
//	together they did 300 jobs
//	the auditor saw 300
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"sync"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	srv, err := demo.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer nc.Close()

	const jobs = 300
	var did [3]int
	var working sync.WaitGroup
	for i := range did {
		// A worker is mostly a program of its own; a connection of its own is close to that.
		worker, err := nats.Connect(srv.URL())
		if err != nil {
			return err
		}
		defer worker.Close()
		if _, err := worker.QueueSubscribe("jobs", "workers", func(*nats.Msg) {
			did[i]++
			working.Done()
		}); err != nil {
			return err
		}
		if err := worker.Flush(); err != nil { // the server knows the worker
			return err
		}
	}
	auditor, err := nc.SubscribeSync("jobs")
	if err != nil {
		return err
	}

	working.Add(jobs)
	for i := range jobs {
		if err := nc.Publish("jobs", fmt.Append(nil, i)); err != nil {
			return err
		}
	}
	if err := nc.Flush(); err != nil {
		return err
	}
	working.Wait()

	total := 0
	for i, n := range did {
		fmt.Fprintf(w, "worker %d did some: %v\n", i+1, n > 0)
		total += n
	}
	fmt.Fprintf(w, "together they did %d jobs\n", total)
	saw, _, err := auditor.Pending()
	fmt.Fprintln(w, "the auditor saw", saw)
	return err
}

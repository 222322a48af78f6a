package main

import (
	"fmt"
	"slices"
	"time"
)

// client is what both clients' packages offer.
type client interface {
	Close()
	Publish(subjects []string, data []byte, n int) error
	PublishMixed(subjects []string, payloads [][]byte, n int) error
	PublishFrom(goroutines int, subjects []string, data []byte, n int) error
	PublishHeader(subject string, data []byte, n int) error
	Async(subject string, copies, block int, more func()) (func(n int) error, error)
	Sync(subject string, block int, more func()) (func(n int) error, error)
	Chan(subject string, block, room int, more func()) (func(n int) error, error)
	Send(subject string, data []byte) error
	Respond(subject string) error
	Request(subject string, data []byte, n, inFlight int) ([]time.Duration, error)
	Idle(n int) error
}

// Who runs a scenario.
const (
	ours      = "ours"
	reliable  = "ours, AtLeastOnce"
	incumbent = "incumbent"
	floor     = "floor"
)

// scenario is a row of the table. Its goals are ratios to the incumbent's, or for
// the rows of idle things bytes; 0: there is none.
type scenario struct {
	name string
	who  []string
	n    int // operations at scale 1
	// prepare connects, warms up and returns what is measured, and what undoes it.
	prepare func(e env, n int) (run func() error, done func(), err error)
	// real needs the nats-server rather than the stub.
	real bool
	// idle compares memory and goroutines instead of time.
	idle bool

	goal, stretch float64
	allocs        float64 // the most per operation; negative: any
	wallGoal      float64 // ratio of the median time of one operation
	why           string  // what remains, where the goal is not met
}

// env is what a scenario runs with.
type env struct {
	who  string
	url  string
	took *[]time.Duration // of single operations, where those are measured
}

var (
	clients   = []string{ours, incumbent}
	withFloor = []string{ours, incumbent, floor}
)

const (
	anyAllocs  = -1
	subject    = "bench.data"
	outThere   = 3         // blocks of messages that are on their way at once
	blockBytes = 4 << 20   // about what one block has
	blockMsgs  = 16 * 1000 // at most
)

var scenarios = []scenario{
	publish("publish 16 B", 16, 4_000_000, 0.35, 0.28, 0).because(whyLock),
	publish("publish 128 B", 128, 2_000_000, 0.45, 0.38, 0).because(whyLock),
	publish("publish 1 KiB", 1<<10, 600_000, 0.45, 0.40, 0).because(whyKernel),
	publish("publish 64 KiB", 64<<10, 12_000, 0.70, 0.50, anyAllocs).because(whyKernel),
	{name: "publish 128 B, 8 goroutines", who: clients, n: 2_000_000, goal: 0.80, stretch: 0.65, allocs: anyAllocs,
		prepare: publisher(func(c client, n int) error {
			return c.PublishFrom(8, []string{subject}, make([]byte, 128), n)
		})},
	{name: "publish 128 B, 1,000 subjects", who: clients, n: 2_000_000, allocs: anyAllocs,
		prepare: publisher(func(c client, n int) error { return c.Publish(manySubjects(), make([]byte, 128), n) })},
	{name: "publish 16 B to 2 KB mixed, 1,000 subjects", who: clients, n: 1_000_000, allocs: anyAllocs,
		prepare: publisher(func(c client, n int) error { return c.PublishMixed(manySubjects(), mixedPayloads(), n) })},
	{name: "publish 128 B, one header", who: clients, n: 1_000_000, allocs: anyAllocs,
		prepare: publisher(func(c client, n int) error { return c.PublishHeader(subject, make([]byte, 128), n) })},
	{name: "publish 128 B, AtLeastOnce", who: []string{reliable, incumbent}, n: 2_000_000, allocs: anyAllocs,
		prepare: publisher(func(c client, n int) error { return c.Publish([]string{subject}, make([]byte, 128), n) })},
	subscribe("subscribe async 16 B", "async", 1, 16, 2_000_000, 0.35, 0.25).because(whyMemory),
	subscribe("subscribe async 128 B", "async", 1, 128, 1_500_000, 0.45, 0.30).because(whyMemory),
	subscribe("subscribe async 1 KiB", "async", 1, 1<<10, 400_000, 0.60, 0.50).because(whyMemory),
	subscribe("subscribe sync 128 B (NextMsg)", "sync", 1, 128, 1_000_000, 0.45, 0.35).because(whyMemory),
	subscribe("subscribe chan 128 B", "chan", 1, 128, 1_000_000, 0.55, 0.45).because(whyChannel),
	subscribe("subscribe async 128 B, 1,000 subscriptions", "async", 1000, 128, 640_000, 0, 0),
	{name: "end to end 128 B", who: clients, n: 400_000, real: true, allocs: anyAllocs,
		prepare: endToEnd([]string{subject + ".0"}, [][]byte{make([]byte, 128)})},
	{name: "end to end 16 B to 2 KB mixed, 1,000 subjects", who: clients, n: 300_000, real: true, allocs: anyAllocs,
		prepare: endToEnd(manySubjects(), mixedPayloads())},
	{name: "request, one at a time", who: clients, n: 5_000, real: true, goal: 0.60, stretch: 0.60,
		wallGoal: 0.65, allocs: 4, prepare: requester(1), why: whyKernelAndRuntime},
	{name: "request, 64 in flight", who: clients, n: 100_000, real: true, goal: 0.50, stretch: 0.40,
		allocs: 4, prepare: requester(64), why: whyKernelAndRuntime},
	{name: "idle async subscription", who: clients, n: 10_000, idle: true, goal: 500, allocs: anyAllocs,
		prepare: idleSubs},
	{name: "idle connection", who: clients, n: 300, idle: true, goal: 12_000, allocs: anyAllocs,
		prepare: idleConns},
}

// What remains where a goal is missed.
const (
	whyLock = "the lock and what is done under it. To lock and to unlock are two atomic operations, some 16 ns here; the " +
		"client's own part is to compare and copy the control line, the payload and an entry of the index."
	whyKernel = "the kernel's copy and its way through the loopback. The floor alone is about what the goal allows: see *least*."
	whyMemory = "what a program may keep is new memory: it is cleared, written to for the first time, which misses the " +
		"cache, and marked by the collector. The incumbent's is in more pieces: see *allocations*."
	whyChannel = "new memory, as for a handler, and the program's channel: a send and a receive a message, with the channel's own lock between two " +
		"processors."
	whyKernelAndRuntime = "system calls and the waking of goroutines and of their threads. Both ends are in the measured process."
)

func (s scenario) because(why string) scenario {
	s.why = why
	return s
}

func publish(name string, size, n int, goal, stretch, allocs float64) scenario {
	return scenario{name: name, who: withFloor, n: n, goal: goal, stretch: stretch, allocs: allocs,
		prepare: func(e env, n int) (func() error, func(), error) {
			if e.who == floor {
				return floorPublish(e.url, size, n)
			}
			return publisher(func(c client, n int) error {
				return c.Publish([]string{subject}, make([]byte, size), n)
			})(e, n)
		}}
}

func publisher(send func(c client, n int) error) func(e env, n int) (func() error, func(), error) {
	return func(e env, n int) (func() error, func(), error) {
		c, err := e.connect()
		if err != nil {
			return nil, nil, err
		}
		return func() error { return send(c, n) }, c.Close, send(c, n/10)
	}
}

func manySubjects() []string {
	subjects := make([]string, 1000)
	for i := range subjects {
		subjects[i] = fmt.Sprintf("bench.data.%d", i)
	}
	return subjects
}

// mixedPayloads have sizes as services have them: most are small.
func mixedPayloads() (all [][]byte) {
	for _, size := range []int{16, 128, 40, 300, 24, 1000, 64, 2000, 16, 90, 500} {
		all = append(all, make([]byte, size))
	}
	return all
}

// endToEnd is from one connection through the server to another one of the same
// client, in blocks of which a few are on their way at once.
func endToEnd(subjects []string, payloads [][]byte) func(e env, n int) (func() error, func(), error) {
	return func(e env, n int) (func() error, func(), error) {
		from, err := e.connect()
		if err != nil {
			return nil, nil, err
		}
		to, err := e.connect()
		if err != nil {
			return nil, nil, err
		}
		block := max(min(blockMsgs, n/10), 1)
		failed := make(chan error, 1)
		more := func() {
			if err := from.PublishMixed(subjects, payloads, block); err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		}
		take, err := to.Async(subject+".>", 1, block, more)
		if err != nil {
			return nil, nil, err
		}
		for range outThere {
			more()
		}
		run := func() error {
			if err := take(max(n/block, 1) * block); err != nil {
				return err
			}
			select {
			case err := <-failed:
				return err
			default:
				return nil
			}
		}
		return run, func() { to.Close(); from.Close() }, nil
	}
}

func floorPublish(url string, size, n int) (func() error, func(), error) {
	r, err := dialRaw(url)
	if err != nil {
		return nil, nil, err
	}
	f := repeat([]string{"PUB " + subject}, size, blockBytes)
	return func() error { return r.publish(f, n) }, func() { r.conn.Close() }, r.publish(f, n/10)
}

func subscribe(name, kind string, copies, size, n int, goal, stretch float64) scenario {
	s := scenario{name: name, who: withFloor, n: n, goal: goal, stretch: stretch, allocs: 0.2}
	if copies > 1 {
		s.who, s.allocs = clients, anyAllocs
	}
	s.prepare = func(e env, n int) (func() error, func(), error) {
		block := max(min(blockMsgs, blockBytes/size, n/10)/copies, 1) * copies
		run, done, err := consumer(e, kind, copies, size, block)
		if err != nil {
			return nil, nil, err
		}
		whole := func(n int) int { return max(n/block, 1) * block }
		return func() error { return run(whole(n)) }, done, run(whole(n / 10))
	}
	return s
}

// consumer subscribes and has the stub send the first blocks.
func consumer(e env, kind string, copies, size, block int) (run func(int) error, done func(), err error) {
	w := wish{subject, block, size}
	var more func()
	if e.who == floor {
		r, err := dialRaw(e.url)
		if err != nil {
			return nil, nil, err
		}
		text := w.String()
		more = func() { _ = r.say(fmt.Sprintf("PUB %s %d\r\n%s\r\n", blastSubject, len(text), text)) }
		length := len(repeat([]string{"MSG " + subject + " 1"}, size, 1).b)
		run = func(n int) error { return r.consume(n, length, block, more) }
		done, err = func() { r.conn.Close() }, r.say("SUB "+subject+" 1\r\n")
		if err != nil {
			return nil, nil, err
		}
	} else {
		c, err := e.connect()
		if err != nil {
			return nil, nil, err
		}
		done = c.Close
		more = func() { _ = c.Send(blastSubject, []byte(w.String())) }
		switch kind {
		case "async":
			run, err = c.Async(subject, copies, block, more)
		case "sync":
			run, err = c.Sync(subject, block, more)
		case "chan":
			run, err = c.Chan(subject, block, (outThere+1)*block, more)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for range outThere {
		more()
	}
	return run, done, nil
}

// requester has the requests answered by another connection of the same client.
func requester(inFlight int) func(e env, n int) (func() error, func(), error) {
	return func(e env, n int) (func() error, func(), error) {
		service, err := e.connect()
		if err != nil {
			return nil, nil, err
		}
		if err := service.Respond(subject); err != nil {
			return nil, nil, err
		}
		c, err := e.connect()
		if err != nil {
			return nil, nil, err
		}
		if _, err := c.Request(subject, make([]byte, 128), max(n/10, 1), inFlight); err != nil {
			return nil, nil, err
		}
		run := func() (err error) {
			*e.took, err = c.Request(subject, make([]byte, 128), n, inFlight)
			slices.Sort(*e.took)
			return err
		}
		return run, func() { c.Close(); service.Close() }, nil
	}
}

func idleSubs(e env, n int) (func() error, func(), error) {
	c, err := e.connect()
	if err != nil {
		return nil, nil, err
	}
	return func() error { return c.Idle(n) }, c.Close, nil
}

func idleConns(e env, n int) (func() error, func(), error) {
	var all []client
	run := func() error {
		for range n {
			c, err := e.connect()
			if err != nil {
				return err
			}
			all = append(all, c)
		}
		return nil
	}
	done := func() {
		for _, c := range all {
			c.Close()
		}
	}
	return run, done, nil
}

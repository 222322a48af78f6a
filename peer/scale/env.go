package main

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"time"

	"github.com/natsring/nats.go/internal/testserver"
	incumbentclient "github.com/natsring/nats.go/peer/scale/incumbent"
	oursclient "github.com/natsring/nats.go/peer/scale/ours"

	"github.com/natsring/nats.go/peer/internal/machine"
)

const patience = time.Minute

// client is what both clients' packages offer.
type client interface {
	Close()
	Flush() error
	Lost() error
	Back() error
	Subscribe(prefix string, n int, got func()) error
	SubscribeTo(subject string, got func()) error
	Unsubscribe(n int) error
	Publish(subjects []string, data []byte, n int) error
	Fill(subject string, data []byte) (n int, err error)
	Request(subject string, data []byte) error
}

// Who is measured.
const (
	ours      = "ours"
	incumbent = "incumbent"
)

var clients = []string{ours, incumbent}

// env is what a measurement has: a server in a process of its own, and a gate
// through which the clients reach it.
type env struct {
	who    string
	server *testserver.Process
	gate   gate
	undo   []func()
}

// serverConfig lets the largest message through and keeps the server from dropping
// a receiver that is behind: what is measured are the clients.
const serverConfig = `
max_payload: 8MB
max_pending: 512MB
write_deadline: "60s"
`

func newEnv(who string) (*env, error) {
	s, err := testserver.NewProcess(serverConfig)
	if err != nil {
		return nil, err
	}
	e := &env{who: who, server: s}
	e.later(func() { _ = s.Close() })
	return e, nil
}

// later has f called at the end.
func (e *env) later(f func()) { e.undo = append(e.undo, f) }

func (e *env) close() {
	for _, f := range e.undo {
		defer f()
	}
}

// retryEvery is the fixed pause between attempts to come back.
const retryEvery = 100 * time.Millisecond

func (e *env) connect() (c client, err error) {
	if e.who == ours {
		c, err = oursclient.Connect(e.server.URL(), &e.gate, retryEvery)
	} else {
		c, err = incumbentclient.Connect(e.server.URL(), &e.gate, retryEvery)
	}
	if err == nil {
		e.later(c.Close)
	}
	return c, err
}

// connectAll makes n connections, one after the other.
func (e *env) connectAll(n int) ([]client, error) {
	all := make([]client, n)
	for i := range all {
		var err error
		if all[i], err = e.connect(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (e *env) far() (*far, error) {
	f, err := startFar(e.server.Addr())
	if err == nil {
		e.later(f.close)
	}
	return f, err
}

// kill ends the server's process. No attempt reaches the next one before back.
func (e *env) kill() {
	e.gate.shut.Store(true)
	e.server.Kill()
}

// gate dials for the clients while it is open.
type gate struct {
	shut atomic.Bool

	mu   sync.Mutex
	last time.Time // when the last dial that came through began
}

// errShut looks to a client like a server that is not there.
var errShut = errors.New("connection refused: the gate is shut")

// Dial is CustomDialer's.
func (g *gate) Dial(network, address string) (net.Conn, error) {
	if g.shut.Load() {
		return nil, errShut
	}
	now := time.Now()
	conn, err := net.DialTimeout(network, address, patience)
	if err == nil {
		g.mu.Lock()
		g.last = now
		g.mu.Unlock()
	}
	return conn, err
}

func (g *gate) dialled() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// figures are what was measured, by name.
type figures map[string]float64

// state is what is compared before and after.
type state struct {
	mem        runtime.MemStats
	goroutines int
	cpu        time.Duration
	at         time.Time
}

func look() state {
	s := state{mem: machine.Memory(true), goroutines: runtime.NumGoroutine()}
	s.cpu, s.at = machine.CPUTime(), time.Now()
	return s
}

func (s state) wall() float64    { return float64(time.Since(s.at)) }
func (s state) cpuTime() float64 { return float64(machine.CPUTime() - s.cpu) }

// grown is the memory in use beyond what was at s: heap and stacks.
func (s state) grown() float64 {
	used := func(m runtime.MemStats) float64 { return float64(m.HeapAlloc + m.StackInuse) }
	return used(machine.Memory(true)) - used(s.mem)
}

// timed measures the time of f and the processor time of this process meanwhile.
func timed(f func() error) (wall, cpu float64, err error) {
	s := look()
	err = f()
	return s.wall(), s.cpuTime(), err
}

// peak watches the heap while f runs and returns how far beyond the present it went.
func peak(f func() error) (float64, error) {
	machine.Memory(true)
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	now := func() float64 {
		metrics.Read(heap)
		return float64(heap[0].Value.Uint64())
	}
	before, most := now(), 0.0
	stop, done := make(chan struct{}), make(chan struct{})
	go func() { // ends when f has returned
		defer close(done)
		for tick := time.NewTicker(time.Millisecond); ; {
			select {
			case <-tick.C:
				most = max(most, now()-before)
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	err := f()
	close(stop)
	<-done
	return most, err
}

// tally counts what has come, from any goroutine, and has more sent for every block.
type tally struct {
	n     atomic.Int64
	block int64
	full  chan struct{} // once for each block
}

func newTally(block int) *tally { return &tally{block: int64(block), full: make(chan struct{}, 1<<16)} }

func (t *tally) got() {
	if t.n.Add(1)%t.block == 0 {
		t.full <- struct{}{}
	}
}

// outThere is how many blocks are on their way at once.
const outThere = 3

// take receives n blocks, of which outThere are on their way already, and lets as
// many follow.
func (t *tally) take(blocks int, f *far) error {
	for range blocks {
		select {
		case <-t.full:
		case <-time.After(patience):
			return fmt.Errorf("only %d messages came", t.n.Load())
		}
		if err := f.order("send %d", t.block); err != nil {
			return err
		}
	}
	return nil
}

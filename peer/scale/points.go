package main

import (
	"errors"
	"runtime"
	"strconv"
	"sync"
	"time"
)

func nothing() {}

// manySubscriptions subscribes, loses the server, comes back and unsubscribes.
func manySubscriptions(e *env, n int, _ float64) (figures, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	before := look()
	if err := c.Subscribe("idle.", n, nothing); err != nil {
		return nil, err
	}
	each := float64(n)
	got := figures{"subscribe, each": before.wall() / each, "processor time": before.cpuTime() / each}
	got["goroutines, each"] = float64(look().goroutines-before.goroutines) / each
	got["memory, each"] = before.grown() / each

	if err := e.outage(c); err != nil {
		return nil, err
	}
	wall, cpu, err := e.comeBack(c)
	if err != nil {
		return nil, err
	}
	got["all back after a restart"], got["processor time for that"] = wall, cpu
	wall, cpu, err = timed(func() error { return c.Unsubscribe(n) })
	got["unsubscribe, each"], got["processor time of that"] = wall/each, cpu/each
	return got, err
}

// outage kills the server, waits until c knows, and starts it again behind the shut
// gate.
func (e *env) outage(c client) error {
	e.kill()
	if err := c.Lost(); err != nil {
		return err
	}
	return e.server.Start()
}

// comeBack opens the gate, and measures from the dial until the server has processed
// all that the client sends it before anything else.
func (e *env) comeBack(c client) (wall, cpu float64, err error) {
	_, cpu, err = timed(func() error {
		e.gate.shut.Store(false)
		if err := c.Back(); err != nil {
			return err
		}
		err := c.Flush()
		wall = float64(time.Since(e.gate.dialled()))
		return err
	})
	return wall, cpu, err
}

func manyConnections(e *env, n int, _ float64) (figures, error) {
	before := look()
	all, err := e.connectAll(n)
	if err != nil {
		return nil, err
	}
	each := float64(n)
	got := figures{"connect all": before.wall(), "processor time": before.cpuTime()}
	got["goroutines, each"] = float64(look().goroutines-before.goroutines) / each
	got["memory, each"] = before.grown() / each

	e.kill()
	for _, c := range all {
		if err := c.Lost(); err != nil {
			return nil, err
		}
	}
	if err := e.server.Start(); err != nil {
		return nil, err
	}
	got["all back after a restart"], got["processor time for that"], err = timed(func() error {
		e.gate.shut.Store(false)
		for _, c := range all {
			if err := errors.Join(c.Back(), c.Flush()); err != nil {
				return err
			}
		}
		return nil
	})
	return got, err
}

func manySubjectsOut(e *env, n int, _ float64) (figures, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	subjects, data := names("scale.", n), make([]byte, 16)
	before := look()
	if err := c.Publish(subjects, data, n); err != nil {
		return nil, err
	}
	each := float64(n)
	got := figures{"a message": before.wall() / each, "processor time": before.cpuTime() / each}
	got["memory kept afterwards"] = before.grown()
	runtime.KeepAlive(subjects) // they were there before
	return got, nil
}

func names(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = prefix + strconv.Itoa(i)
	}
	return all
}

func manySubjectsIn(e *env, n int, _ float64) (figures, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	block := max(min(10_000, n/10), 1)
	t := newTally(block)
	before := look()
	if err := c.SubscribeTo("far.>", t.got); err != nil {
		return nil, err
	}
	wall, cpu, err := e.stream(t, n, 16, 0, n/block)
	each := float64(n / block * block)
	return figures{"a message": wall / each, "processor time": cpu / each, "memory kept afterwards": before.grown()}, err
}

// stream has the far side publish, takes so many blocks for warming up, and measures
// so many more.
func (e *env) stream(t *tally, subjects, size, warm, blocks int) (wall, cpu float64, err error) {
	f, err := e.begin(t, subjects, size, warm)
	if err != nil {
		return 0, 0, err
	}
	return timed(func() error { return t.take(blocks, f) })
}

func (e *env) begin(t *tally, subjects, size, warm int) (*far, error) {
	f, err := e.far()
	if err != nil {
		return nil, err
	}
	if err := f.order("feed far. %d %d", subjects, size); err != nil {
		return nil, err
	}
	for range outThere {
		if err := f.order("send %d", t.block); err != nil {
			return nil, err
		}
	}
	return f, t.take(warm, f)
}

const large = 8 << 20

func largeOut(e *env, n int, _ float64) (got figures, err error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	data := make([]byte, large)
	if err := c.Publish([]string{"large"}, data, max(n/10, 1)); err != nil {
		return nil, err
	}
	return largeFigures(n, func() error { return c.Publish([]string{"large"}, data, n) })
}

func largeIn(e *env, n int, _ float64) (got figures, err error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	t := newTally(1)
	if err := c.SubscribeTo("far.0", t.got); err != nil {
		return nil, err
	}
	f, err := e.begin(t, 1, large, max(n/10, 1))
	if err != nil {
		return nil, err
	}
	return largeFigures(n, func() error { return t.take(n, f) })
}

// largeFigures measures n large messages.
func largeFigures(n int, f func() error) (figures, error) {
	var wall, cpu float64
	heap, err := peak(func() (err error) {
		wall, cpu, err = timed(f)
		return err
	})
	return figures{"rate": float64(n) * large / 1e6 / (wall / float64(time.Second)),
		"processor time, a message": cpu / float64(n), "peak of the heap": heap}, err
}

// manyRequests has n requests in flight at once: the far side answers when it has
// them all.
func manyRequests(e *env, n int, _ float64) (figures, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	f, err := e.far()
	if err != nil {
		return nil, err
	}
	r := requests{c: c, far: f, n: n}
	if err := r.round(nothing); err != nil { // the first makes the subscription for replies
		return nil, err
	}
	const rounds = 3
	before := look()
	for range rounds {
		if err := r.round(nothing); err != nil {
			return nil, err
		}
	}
	each := float64(rounds * n)
	got := figures{"a request": before.wall() / each, "processor time": before.cpuTime() / each}
	after := look()
	got["allocations"] = float64(after.mem.Mallocs-before.mem.Mallocs) / each
	err = r.round(func() { got["memory while in flight, each"] = after.grown() / float64(n) })
	return got, err
}

type requests struct {
	c   client
	far *far
	n   int
}

// round makes n requests, each on a goroutine, and calls full while all of them wait.
func (r requests) round(full func()) error {
	if _, err := r.far.ask("hold service %d", r.n); err != nil {
		return err
	}
	errs := make([]error, r.n)
	var wg sync.WaitGroup
	for i := range r.n {
		wg.Go(func() { errs[i] = r.c.Request("service", make([]byte, 128)) })
	}
	if _, err := r.far.answer(); err != nil {
		return err
	}
	full()
	if err := r.far.order("release"); err != nil {
		return err
	}
	wg.Wait()
	return errors.Join(errs...)
}

// bufferFlush fills the reconnect buffer during an outage, and measures how long the
// next server waits for all of it.
func bufferFlush(e *env, _ int, _ float64) (figures, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	e.kill()
	if err := c.Lost(); err != nil {
		return nil, err
	}
	const size = 128
	before := look()
	n, err := c.Fill("buffered", make([]byte, size))
	if err != nil {
		return nil, err
	}
	got := figures{"messages it took": float64(n), "bytes of their data": float64(n * size), "memory while down": before.grown()}
	if err := e.server.Start(); err != nil {
		return nil, err
	}
	f, err := e.far()
	if err != nil {
		return nil, err
	}
	if _, err := f.ask("count buffered"); err != nil {
		return nil, err
	}
	got["from the dial until the server has all"], got["processor time"], err = e.comeBack(c)
	if err != nil {
		return nil, err
	}
	got["messages that arrived"], err = f.counted(n)
	return got, err
}

// counted waits until the far side has counted n messages, and returns how many it
// has if that takes too long.
func (f *far) counted(n int) (float64, error) {
	for deadline := time.Now().Add(patience / 6); ; time.Sleep(time.Millisecond) {
		text, err := f.ask("counted")
		if err != nil {
			return 0, err
		}
		got, err := strconv.Atoi(text)
		if err != nil || got >= n || time.Now().After(deadline) {
			return float64(got), err
		}
	}
}

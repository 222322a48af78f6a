package main

import (
	"errors"
	"strconv"
	"sync"
)

const (
	curveSize  = 128 // bytes of a message
	curveMsgs  = 1_000_000
	curveBlock = 16_000
	churnCalls = 2000 // in a row, before the flush
)

// withSubs connects and makes n subscriptions.
func (e *env) withSubs(n int, got func()) (client, error) {
	c, err := e.connect()
	if err != nil {
		return nil, err
	}
	return c, c.Subscribe("far.", n, got)
}

func scaled(n int, scale float64) int { return max(int(float64(n)*scale), 1) }

// line is the figures of one line of a curve.
func line(got figures, name string, wall, cpu, n float64) {
	got[name], got[name+wallOf] = cpu/n, wall/n
}

func publishBeside(e *env, n int, scale float64) (figures, error) {
	c, err := e.withSubs(n, nothing)
	if err != nil {
		return nil, err
	}
	msgs, data := scaled(curveMsgs, scale), make([]byte, curveSize)
	if err := c.Publish([]string{"elsewhere"}, data, msgs/4); err != nil {
		return nil, err
	}
	wall, cpu, err := timed(func() error { return c.Publish([]string{"elsewhere"}, data, msgs) })
	got := figures{}
	line(got, "publish", wall, cpu, float64(msgs))
	return got, err
}

func deliverSpread(e *env, n int, scale float64) (figures, error) {
	return e.deliver(n, n, "spread over all", scale)
}

func deliverOne(e *env, n int, scale float64) (figures, error) {
	return e.deliver(n, 1, "all for one", scale)
}

// deliver has n subscriptions, of which the first few get messages in turn. Each of
// those gets one before anything is measured.
func (e *env) deliver(n, few int, name string, scale float64) (figures, error) {
	block := scaled(curveBlock, scale)
	t := newTally(block)
	if _, err := e.withSubs(n, t.got); err != nil {
		return nil, err
	}
	const blocks = 30
	wall, cpu, err := e.stream(t, few, curveSize, max(few/block+1, 5), blocks)
	got := figures{}
	line(got, name, wall, cpu, float64(block*blocks))
	return got, err
}

// churn subscribes and unsubscribes beside n subscriptions that stay.
func churn(e *env, n int, scale float64) (figures, error) {
	c, err := e.withSubs(n, nothing)
	if err != nil {
		return nil, err
	}
	const rounds = 10
	calls := scaled(churnCalls, scale)
	subscribe := func() error { return c.Subscribe("churn.", calls, nothing) }
	unsubscribe := func() error { return c.Unsubscribe(calls) }
	if err := errors.Join(subscribe(), unsubscribe()); err != nil {
		return nil, err
	}
	var in, inCPU, out, outCPU float64
	for range rounds {
		wall, cpu, err := timed(subscribe)
		if err != nil {
			return nil, err
		}
		in, inCPU = in+wall, inCPU+cpu
		if wall, cpu, err = timed(unsubscribe); err != nil {
			return nil, err
		}
		out, outCPU = out+wall, outCPU+cpu
	}
	got := figures{}
	line(got, "subscribe", in, inCPU, float64(rounds*calls))
	line(got, "unsubscribe", out, outCPU, float64(rounds*calls))
	return got, nil
}

// publishOnAll publishes on n connections at once, each on a goroutine of its own.
func publishOnAll(e *env, n int, scale float64) (figures, error) {
	all, err := e.connectAll(n)
	if err != nil {
		return nil, err
	}
	each := max(scaled(curveMsgs, scale)/n, 1)
	publish := func(msgs int) error {
		errs := make([]error, n)
		var wg sync.WaitGroup
		for i, c := range all {
			wg.Go(func() { errs[i] = c.Publish([]string{"elsewhere"}, make([]byte, curveSize), msgs) })
		}
		wg.Wait()
		return errors.Join(errs...)
	}
	if err := publish(max(each/4, 1)); err != nil {
		return nil, err
	}
	wall, cpu, err := timed(func() error { return publish(each) })
	got := figures{}
	line(got, "publish", wall, cpu, float64(each*n))
	return got, err
}

// deliverOnAll has one subscription on each of n connections; they get messages in
// turn.
func deliverOnAll(e *env, n int, scale float64) (figures, error) {
	all, err := e.connectAll(n)
	if err != nil {
		return nil, err
	}
	block := scaled(curveBlock, scale)
	t := newTally(block)
	for i, c := range all {
		if err := c.SubscribeTo("far."+strconv.Itoa(i), t.got); err != nil {
			return nil, err
		}
	}
	const blocks = 30
	wall, cpu, err := e.stream(t, n, curveSize, 5, blocks)
	got := figures{}
	line(got, "receive", wall, cpu, float64(block*blocks))
	return got, err
}

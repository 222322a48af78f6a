// Package faultplan makes faults of one kind, one after the other, with a
// faultproxy. What it does and when is decided by a random source alone, so two
// clients can be put through the same.
package faultplan

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/natsring/nats.go/internal/faultproxy"
)

// Kinds are the kinds of faults that Run knows.
//
//   - reset: connections are reset, at any byte.
//   - blackhole: what both sides send is swallowed for a while, and new connections
//     get no answer; then everything is reset.
//   - half-close: one side is told that the other has finished; what that goes on
//     sending is swallowed.
//   - throttle: the way to the server is slow for a while; every third time the
//     connection is reset while it is.
//   - mixed: any of them.
func Kinds() []string { return []string{"reset", "blackhole", "half-close", "throttle", "mixed"} }

// Run makes faults of one of the Kinds until the context ends, and leaves the proxy
// without any. It returns how many there were, by kind, and panics on a kind that
// it does not know.
func Run(ctx context.Context, kind string, rng *rand.Rand, proxy *faultproxy.Proxy) map[string]int {
	p := &plan{ctx: ctx, rng: rng, proxy: proxy, done: make(map[string]int)}
	faults := map[string]func(){
		"reset": p.reset, "blackhole": p.blackhole, "half-close": p.halfClose, "throttle": p.throttle,
	}
	if kind != "mixed" && faults[kind] == nil {
		panic(fmt.Sprintf("faultplan: no kind %q", kind))
	}
	for ctx.Err() == nil {
		k := kind
		if k == "mixed" {
			k = Kinds()[rng.IntN(len(faults))]
		}
		p.pause(10, 120)
		faults[k]()
		p.done[k]++
	}
	p.end()
	return p.done
}

type plan struct {
	ctx   context.Context
	rng   *rand.Rand
	proxy *faultproxy.Proxy
	done  map[string]int
}

// pause lasts a random number of milliseconds, or until the end of the run.
func (p *plan) pause(from, to int64) {
	t := time.NewTimer(time.Duration(p.between(from, to)) * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
	case <-p.ctx.Done():
	}
}

func (p *plan) between(from, to int64) int64 { return from + p.rng.Int64N(to-from) }

// accept sets what becomes of new connections.
func (p *plan) accept(mode faultproxy.AcceptMode) {
	if err := p.proxy.SetAccept(mode); err != nil {
		panic(err) // the port that the proxy holds is gone: nothing is right any more
	}
}

func (p *plan) reset() {
	how := []faultproxy.How{faultproxy.RST, faultproxy.RSTClient, faultproxy.RSTServer}[p.rng.IntN(3)]
	switch live := p.proxy.Live(); p.rng.IntN(3) {
	case 0:
		live.Cut(how)
		return
	case 1:
		live.CutFrame(faultproxy.Up, faultproxy.FrameCut{Nth: 1 + p.rng.IntN(1000), Byte: p.rng.IntN(150), How: how})
	case 2:
		live.CutAfter(faultproxy.Up, p.rng.Int64N(300_000), how)
	}
	p.pause(10, 40)
	p.proxy.All().Clear()
}

func (p *plan) blackhole() {
	p.accept(faultproxy.Silent)
	p.proxy.Live().StopForwarding(faultproxy.Both, faultproxy.Drop)
	p.pause(20, 300)
	p.accept(faultproxy.Relay)
	p.proxy.Live().Cut(faultproxy.RST) // the silent ones, too
}

func (p *plan) halfClose() {
	dir := []faultproxy.Direction{faultproxy.Up, faultproxy.Down, faultproxy.Both}[p.rng.IntN(3)]
	p.proxy.Live().HalfClose(dir)
}

func (p *plan) throttle() {
	p.proxy.Live().Throttle(faultproxy.Up, p.between(200_000, 12<<20))
	p.pause(30, 250)
	if p.rng.IntN(3) == 0 {
		p.proxy.Live().Cut(faultproxy.RST)
	}
	p.proxy.Live().Throttle(faultproxy.Up, 0)
}

// end takes every fault back. Connections that are half closed or silent cannot be
// mended, so all that are open are ended.
func (p *plan) end() {
	p.proxy.All().Clear()
	p.accept(faultproxy.Relay)
	p.proxy.Live().Cut(faultproxy.RSTClient)
}

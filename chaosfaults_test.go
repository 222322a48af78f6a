package nats

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultplan"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// chaosStall is the FlusherTimeout of a chaos run: longer stalls end a session.
const chaosStall = 150 * time.Millisecond

// chaosFaults makes one fault after the other. Everything in it is decided by
// the seed, but for what the scheduler adds.
type chaosFaults struct {
	t        *testing.T
	rng      *rand.Rand
	proxy    *faultproxy.Proxy
	server   *testserver.Server
	restarts bool   // the server itself goes, too
	gentle   bool   // only what breaks no connection
	kind     string // one of faultplan.Kinds; empty: those below
	until    time.Time

	done map[string]int // faults so far, by kind
}

// run makes faults until the time is over, and leaves all well behind.
func (f *chaosFaults) run() {
	if f.kind != "" {
		ctx, cancel := context.WithDeadline(f.t.Context(), f.until)
		defer cancel()
		f.done = faultplan.Run(ctx, f.kind, f.rng, f.proxy)
		return
	}
	type kind struct {
		name string
		make func()
	}
	kinds := []kind{
		{"cut", f.cut}, {"cut mid-frame", f.cutFrame}, {"cut after n", f.cutAfter},
		{"short stall", f.shortStall}, {"long stall", f.longStall}, {"refusal", f.refusal},
		{"cut in the replay", f.cutReplay}, {"slow link", f.slowLink}, {"answers held", f.deafServer},
		{"restart", f.restart},
	}
	if !f.restarts {
		kinds = kinds[:len(kinds)-1]
	}
	if f.gentle {
		kinds = []kind{{"short stall", f.shortStall}, {"slow link", f.slowLink}, {"delay", f.delay}}
	}
	f.done = make(map[string]int)
	for time.Now().Before(f.until) {
		k := kinds[f.rng.IntN(len(kinds))]
		k.make()
		f.done[k.name]++
		f.pause(5, 80)
	}
	f.proxy.All().Clear()
	if f.gentle {
		return
	}
	require.NoError(f.t, f.proxy.SetAccept(faultproxy.Relay))
	f.proxy.Live().Cut(faultproxy.RSTClient) // those that were accepted and are silent
}

// pause lasts a random number of milliseconds: the length of a fault or of peace.
func (f *chaosFaults) pause(from, to int) {
	time.Sleep(time.Duration(from)*time.Millisecond + time.Duration(f.rng.Int64N(int64(to-from)*int64(time.Millisecond))))
}

func (f *chaosFaults) how() faultproxy.How {
	return []faultproxy.How{faultproxy.RSTClient, faultproxy.RST, faultproxy.FIN, faultproxy.RSTServer}[f.rng.IntN(4)]
}

func (f *chaosFaults) cut() { f.proxy.Live().Cut(f.how()) }

// cutFrame cuts inside a frame, or at its edge.
func (f *chaosFaults) cutFrame() {
	f.proxy.Live().CutFrame(faultproxy.Up, faultproxy.FrameCut{
		Nth: 1 + f.rng.IntN(1000), Byte: f.rng.IntN(150), How: f.how()})
	f.pause(10, 40)
	f.proxy.All().Clear()
}

func (f *chaosFaults) cutAfter() {
	f.proxy.Live().CutAfter(faultproxy.Up, f.rng.Int64N(300_000), f.how())
	f.pause(10, 40)
	f.proxy.All().Clear()
}

func (f *chaosFaults) stop() {
	if f.rng.IntN(2) == 0 {
		f.proxy.Live().StopReading(faultproxy.Up)
	} else {
		f.proxy.Live().StopForwarding(faultproxy.Up, faultproxy.Hold)
	}
}

func (f *chaosFaults) shortStall() {
	f.stop()
	f.pause(5, int(chaosStall.Milliseconds())/2)
	f.proxy.Live().Resume(faultproxy.Up)
}

// longStall is one that the client gives up. What the proxy holds then is thrown
// away, as a network that is down does.
func (f *chaosFaults) longStall() {
	stalled := f.proxy.Last()
	f.stop()
	f.pause(int(chaosStall.Milliseconds())+50, 2*int(chaosStall.Milliseconds()))
	if stalled != nil {
		stalled.Faults().Cut(faultproxy.RST)
	}
	f.proxy.All().Clear()
}

// refusal is an outage in which the port is closed, or as good as that.
func (f *chaosFaults) refusal() {
	modes := []faultproxy.AcceptMode{faultproxy.Refuse, faultproxy.Refuse, faultproxy.CloseAtOnce,
		faultproxy.ResetAtOnce, faultproxy.Silent}
	require.NoError(f.t, f.proxy.SetAccept(modes[f.rng.IntN(len(modes))]))
	f.proxy.Live().Cut(f.how())
	f.pause(10, 150)
	require.NoError(f.t, f.proxy.SetAccept(faultproxy.Relay))
}

// cutReplay cuts in the middle of what was buffered in an outage.
func (f *chaosFaults) cutReplay() {
	require.NoError(f.t, f.proxy.SetAccept(faultproxy.Refuse))
	f.proxy.Live().Cut(f.how())
	f.pause(20, 80)
	f.proxy.Next().CutAfter(faultproxy.Up, 200+f.rng.Int64N(500_000), f.how())
	require.NoError(f.t, f.proxy.SetAccept(faultproxy.Relay))
	f.pause(20, 60)
	f.proxy.All().Clear()
}

func (f *chaosFaults) slowLink() {
	f.proxy.Live().Throttle(faultproxy.Up, 2<<20+f.rng.Int64N(10<<20))
	f.pause(20, 100)
	f.proxy.Live().Throttle(faultproxy.Up, 0)
}

func (f *chaosFaults) delay() {
	f.proxy.Live().Delay(faultproxy.Both, time.Duration(1+f.rng.IntN(20))*time.Millisecond)
	f.pause(20, 100)
	f.proxy.Live().Delay(faultproxy.Both, 0)
}

// deafServer lets messages through and keeps the answers back: then it is cut,
// and what went through since is in doubt though it arrived.
func (f *chaosFaults) deafServer() {
	f.proxy.Live().StopForwarding(faultproxy.Down, faultproxy.Drop)
	f.pause(10, 60)
	f.proxy.Live().Cut(f.how())
}

func (f *chaosFaults) restart() {
	if f.rng.IntN(2) == 0 {
		f.server.Kill()
	} else {
		f.server.Stop()
	}
	f.pause(5, 150)
	require.NoError(f.t, f.server.Start())
}

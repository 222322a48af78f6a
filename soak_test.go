package nats

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

var (
	soakFor   = flag.Duration("soak", 10*time.Second, "how long TestSoak goes on")
	soakSeed  = flag.Uint64("soak.seed", 0, "seed of TestSoak; 0: one of its own")
	soakAlone = flag.Bool("soak.alone", false, "this process is the one of the soak")
)

// Everything at once, for a long time: publishers in several modes, subscribers of all
// kinds, requesters and responders, connections that come and go, drains, links and
// servers that break. What each of them promises is checked on the way; and from round
// to round there are no more goroutines, files and heap than before.
//
// It counts what a process has, so it has one of its own, and other tests may run
// beside it.
func TestSoak(t *testing.T) {
	t.Parallel()
	seed := *soakSeed
	if seed == 0 {
		seed = rand.Uint64N(1_000_000)
	}
	t.Logf("again: go test -run '^TestSoak$' . -soak=%v -soak.seed=%d", *soakFor, seed)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSoakAlone$", "-test.v", "-test.parallel=100",
		fmt.Sprintf("-test.timeout=%v", 2**soakFor+time.Minute), "-soak.alone", fmt.Sprintf("-soak=%v", *soakFor),
		fmt.Sprintf("-soak.seed=%d", seed))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = cmd.Stdout
	require.NoError(t, cmd.Start())
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if line := lines.Text(); !strings.HasPrefix(strings.TrimSpace(line), "===") && !strings.Contains(line, "--- PASS") {
			t.Log(line)
		}
	}
	require.NoError(t, cmd.Wait(), "the soak's process")
}

// TestSoakAlone is the process of TestSoak.
func TestSoakAlone(t *testing.T) {
	if !*soakAlone {
		t.Skip("TestSoak runs it, in a process of its own")
	}
	watchParent(t)
	s := newSoak(t)
	for end := time.Now().Add(*soakFor); time.Now().Before(end); {
		s.round()
		if t.Failed() {
			return
		}
	}
	s.end()
	s.samples.check(t)
	s.summary()
}

// watchParent ends the process when the one that has started it has gone.
func watchParent(t *testing.T) {
	parent, ctx := os.Getppid(), t.Context()
	go func() { // ends with the test
		for tick := time.NewTicker(time.Second); ; {
			select {
			case <-tick.C:
				if os.Getppid() != parent {
					os.Exit(1)
				}
			case <-ctx.Done():
				tick.Stop()
				return
			}
		}
	}()
}

// soak is the whole of it: what lives for all rounds.
type soak struct {
	t       *testing.T
	rng     *rand.Rand
	lasts   time.Duration // of a round
	rounds  int
	long    []soakPublisher
	crowd   *soakCrowd
	calm    *soakCalm
	samples soakSamples
	began   time.Time
}

// soakPublisher is a connection that publishes in every round, with its account.
type soakPublisher struct {
	mode int // of chaosModes
	c    *chaos
}

// soakServer makes a server forget the clients that have gone: it would keep a record of
// ten thousand, and the heap is what is measured.
func soakServer(o *natsd.Options) { o.MaxClosedClients = 10 }

// soakRate is the messages a second of each publisher.
const soakRate = 3000

func newSoak(t *testing.T) *soak {
	s := &soak{t: t, rng: rand.New(rand.NewPCG(*soakSeed, 0)), began: time.Now()}
	s.lasts = min(max(*soakFor/15, 500*time.Millisecond), 5*time.Second)
	for _, name := range []string{"reject", "at least once", "drop oldest msgs"} {
		for mode := range chaosModes {
			if chaosModes[mode].name == name {
				s.long = append(s.long, soakPublisher{mode, s.newChaos(t, mode)})
			}
		}
	}
	s.crowd = newSoakCrowd(t, &s.samples)
	s.calm = newSoakCalm(t, &s.samples)
	return s
}

func (s *soak) newChaos(t *testing.T, mode int) *chaos {
	c := newChaos(t, chaosModes[mode].restarts, chaosModes[mode].opts)
	c.rate, c.meddle = soakRate, chaosModes[mode].meddle
	return c
}

// round lets everybody work for a while, waits until nothing is under way, and counts.
// What a round does is drawn before it begins, so that the seed decides it.
func (s *soak) round() {
	s.rounds++
	s.t.Run(fmt.Sprintf("round %d", s.rounds), func(t *testing.T) {
		for _, p := range s.long {
			seed := s.rng.Uint64()
			s.actor(t, "publisher, "+chaosModes[p.mode].name, func(t *testing.T) { s.publish(t, p.c, p.mode, seed) })
		}
		mode, seed := s.rng.IntN(len(chaosModes)), s.rng.Uint64()
		s.actor(t, "new publisher, "+chaosModes[mode].name, func(t *testing.T) { s.publish(t, s.newChaos(t, mode), mode, seed) })
		for _, a := range append(s.crowd.actors(), s.calm.actors()...) {
			s.actor(t, a.name, s.workFor(a.work))
		}
	})
	if s.t.Failed() {
		return
	}
	s.crowd.settle(s.t)
	s.samples.take(s.t)
}

func (s *soak) actor(t *testing.T, name string, work func(*testing.T)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel() // with the others of the round
		work(t)
	})
}

// soakWork is what an actor does until the context ends; it may take a little longer,
// to finish what it has begun.
type soakWork func(ctx context.Context, t *testing.T, rng *rand.Rand)

// soakActor is somebody with work in every round.
type soakActor struct {
	name string
	work soakWork
}

func (s *soak) workFor(work soakWork) func(*testing.T) {
	seed := s.rng.Uint64()
	return func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), s.lasts)
		defer cancel()
		work(ctx, t, rand.New(rand.NewPCG(seed, 0)))
	}
}

// publish is one run of TestChaos.
func (s *soak) publish(t *testing.T, c *chaos, mode int, seed uint64) {
	c.again(t, seed, s.lasts)
	c.run()
	c.check(chaosModes[mode].refused, chaosModes[mode].reasons)
	a := c.account()
	s.samples.count("accepted", a.accepted)
	s.samples.count("delivered", a.delivered)
	s.samples.count("undelivered, told", int(c.stats().Undelivered))
	s.samples.count("in doubt", int(c.stats().InDoubt))
	s.samples.count("missing", a.missing)
	s.samples.count("repeated", int(c.stats().Repeated))
	s.samples.count("publishers' sessions", len(c.tap.streams)-1)
	c.forget() // it is not the library's heap
}

// end closes what has lived for all rounds.
func (s *soak) end() {
	for _, p := range s.long {
		p.c.nc.Close()
		p.c.sub.Close()
	}
	s.crowd.end(s.t)
	s.calm.end(s.t)
}

func (s *soak) summary() {
	s.t.Logf("%d rounds of %v in %v", s.rounds, s.lasts, time.Since(s.began).Round(time.Second))
	s.samples.log(s.t)
}

package peer

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	incumbent "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	ring "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/faultplan"
	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

var (
	chaosFor  = flag.Duration("chaos", 200*time.Millisecond, "how long each client goes through each kind of fault; below a second only through two kinds")
	chaosRate = flag.Int("chaos.rate", 100_000, "messages a second that TestChaosBesideTheIncumbent publishes")
	chaosSeed = flag.Uint64("chaos.seed", 1, "seed of the faults")
)

const (
	chaosSize   = 128
	patience    = 20 * time.Second
	chaosBuffer = 64 << 20
)

// chaosClient is one client, as far as this test needs it.
type chaosClient struct {
	publish func(subject string, data []byte) error
	flush   func(time.Duration) error
	close   func()
}

// chaosClients connect the clients that are put through the faults, with the same
// settings.
var chaosClients = []struct {
	name    string
	lossy   bool // it is known to lose messages, and how many is only told
	connect func(url string) (chaosClient, error)
}{
	{"AtLeastOnce", false, func(url string) (chaosClient, error) { return connectRing(url, ring.AtLeastOnce()) }},
	{"default", true, func(url string) (chaosClient, error) { return connectRing(url) }},
	{"incumbent", true, func(url string) (chaosClient, error) {
		nc, err := incumbent.Connect(url, incumbent.MaxReconnects(-1), incumbent.ReconnectWait(5*time.Millisecond),
			incumbent.ReconnectJitter(0, 0), incumbent.Timeout(300*time.Millisecond), incumbent.ReconnectBufSize(chaosBuffer),
			incumbent.ErrorHandler(func(*incumbent.Conn, *incumbent.Subscription, error) {}))
		if err != nil {
			return chaosClient{}, err
		}
		return chaosClient{nc.Publish, nc.FlushTimeout, nc.Close}, nil
	}},
}

func connectRing(url string, opts ...ring.Option) (chaosClient, error) {
	nc, err := ring.Connect(url, append([]ring.Option{ring.MaxReconnects(-1), ring.ReconnectWait(5 * time.Millisecond),
		ring.ReconnectJitter(0, 0), ring.Timeout(300 * time.Millisecond), ring.ReconnectBufSize(chaosBuffer),
		ring.ErrorHandler(func(*ring.Conn, *ring.Subscription, error) {})}, opts...)...)
	if err != nil {
		return chaosClient{}, err
	}
	return chaosClient{nc.Publish, nc.FlushTimeout, nc.Close}, nil
}

// The clients go, one after the other, through the same faults at the same load, with
// a subscriber directly at the server: what each has accepted and lost.
func TestChaosBesideTheIncumbent(t *testing.T) {
	kinds := faultplan.Kinds()
	if *chaosFor < time.Second {
		kinds = kinds[:2]
	}
	for _, kind := range kinds {
		for _, client := range chaosClients {
			t.Run(kind+" "+client.name, func(t *testing.T) {
				l := putThrough(t, kind, client.connect)
				lost := l.accepted - (l.heard - l.repeated)
				t.Logf("%-10s %-12s accepted %8d, refused %7d, lost %6d, seen twice %6d, out of order %d; faults %v",
					kind, client.name, l.accepted, l.refused, lost, l.repeated, l.overtaken, l.faults)
				require.Positive(t, l.accepted)
				if !client.lossy {
					require.Zero(t, lost, "lost")
					require.Zero(t, l.overtaken, "first deliveries out of order")
				}
			})
		}
	}
}

// ledger is what became of the messages of one client.
type ledger struct {
	accepted, refused int
	faults            map[string]int

	mu                         sync.Mutex // guards what the subscriber writes
	seen                       []uint64   // a set
	heard, repeated, overtaken int
	next                       uint64
	marked                     chan struct{}
}

// see notes a message that the subscriber got.
func (l *ledger) see(data []byte) {
	if len(data) != chaosSize {
		close(l.marked)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := binary.BigEndian.Uint64(data)
	for n/64 >= uint64(len(l.seen)) {
		l.seen = append(l.seen, make([]uint64, 1+len(l.seen))...)
	}
	l.heard++
	switch bit := uint64(1) << (n % 64); {
	case l.seen[n/64]&bit != 0:
		l.repeated++
	case n < l.next:
		l.overtaken++
		fallthrough
	default:
		l.seen[n/64] |= bit
		l.next = max(l.next, n+1)
	}
}

// publish publishes at a steady rate until the context ends.
func (l *ledger) publish(ctx context.Context, c chaosClient, rate int) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	data := make([]byte, chaosSize)
	n := 0
	for start := time.Now(); ctx.Err() == nil; {
		for due := int(time.Since(start).Seconds() * float64(rate)); n < due && ctx.Err() == nil; n++ {
			binary.BigEndian.PutUint64(data, uint64(n))
			if c.publish("chaos", data) != nil {
				l.refused++
			} else {
				l.accepted++
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// putThrough runs one client through one kind of fault.
func putThrough(t *testing.T, kind string, connect func(string) (chaosClient, error)) *ledger {
	s := testserver.RunConfig(t, fmt.Sprintf("max_pending: %d\nwrite_deadline: %q\n", 1<<30, patience))
	proxy := faultproxy.Run(t, s.Addr())
	l := &ledger{marked: make(chan struct{})}
	direct, err := ring.Connect(s.URL())
	require.NoError(t, err)
	defer direct.Close()
	sub, err := direct.Subscribe("chaos", func(m *ring.Msg) { l.see(m.Data) })
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, direct.Flush())
	c, err := connect(proxy.URL())
	require.NoError(t, err)
	defer c.close()

	ctx, cancel := context.WithTimeout(t.Context(), *chaosFor)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { l.publish(ctx, c, *chaosRate) }) // ends with ctx
	l.faults = faultplan.Run(ctx, kind, rand.New(rand.NewPCG(*chaosSeed, 0)), proxy)
	work.Wait()
	require.Eventually(t, func() bool { return c.flush(patience) == nil }, 3*patience, 5*time.Millisecond)
	require.Eventually(t, func() bool {
		st := proxy.Stats()
		return st.Open == 1 && st.Up.Held() == 0 && s.NumClients() == 2
	}, patience, 5*time.Millisecond, "old connections are left")
	require.NoError(t, c.flush(patience))
	require.NoError(t, direct.Publish("chaos", []byte("end")))
	select {
	case <-l.marked:
	case <-time.After(patience):
		require.FailNow(t, "the subscriber is behind")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l
}

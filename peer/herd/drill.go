package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	natsd "github.com/nats-io/nats-server/v2/server"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// result is how the connections of one mode came back.
type result struct {
	mode
	attempts []time.Duration // of connections, since the loss or the signal, in order
	peak     int             // the most of them within 100 ms
	rush     int             // the same from open on
	open     time.Duration   // from when on there was a server to go to, since the same moment
	back     time.Duration   // when all were back, since the same moment
}

// run puts the clients of a mode through it.
func (m mode) run(p plan) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.limit)
	defer cancel()
	s, err := m.stage(p)
	if err != nil {
		return result{}, err
	}
	defer s.close()
	h := &herd{all: make(chan struct{}), left: p.clients}
	defer h.close()
	if err := h.connect(m, p, s.urls); err != nil {
		return result{}, err
	}
	began := time.Now()
	count := watch(ctx, s.door, began)
	open, err := s.drill(ctx, began)
	if err != nil {
		return result{}, err
	}
	select {
	case <-h.all:
	case <-ctx.Done():
		return result{}, errors.New("not all are back in time")
	}
	r := result{mode: m, open: open, back: time.Since(began)}
	r.attempts = count()
	r.peak = peak(r.attempts, burst)
	first, _ := slices.BinarySearch(r.attempts, open)
	r.rush = peak(r.attempts[first:], burst)
	return r, nil
}

// stage is the servers, with a proxy at the door of the one that is come to.
type stage struct {
	urls  []string
	door  *faultproxy.Proxy
	drill func(ctx context.Context, began time.Time) (open time.Duration, err error)
	close func()
}

func (m mode) stage(p plan) (*stage, error) {
	if m.duck {
		return duckStage(p)
	}
	server, err := testserver.New(testserver.Config{})
	if err != nil {
		return nil, err
	}
	door, err := faultproxy.New(server.Addr())
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &stage{
		urls: []string{door.URL()}, door: door,
		close: func() { door.Close(); _ = server.Close() },
		drill: func(ctx context.Context, began time.Time) (time.Duration, error) {
			server.Stop()
			select {
			case <-time.After(p.down - time.Since(began)):
			case <-ctx.Done():
				return 0, ctx.Err()
			}
			return time.Since(began), server.Start()
		},
	}, nil
}

// duckStage is two servers, of which the first, where all are, is about to go.
func duckStage(p plan) (*stage, error) {
	cluster, err := testserver.NewCluster(2, testserver.Config{Options: []testserver.Option{func(o *natsd.Options) {
		o.LameDuckGracePeriod, o.LameDuckDuration = p.grace, 3*p.grace
	}}})
	if err != nil {
		return nil, err
	}
	first, second := cluster.Servers[0], cluster.Servers[1]
	door, err := faultproxy.New(second.Addr())
	if err != nil {
		return nil, errors.Join(err, cluster.Close())
	}
	var gone sync.WaitGroup
	return &stage{
		urls: []string{first.URL(), door.URL()}, door: door,
		close: func() { door.Close(); gone.Wait(); _ = cluster.Close() },
		drill: func(context.Context, time.Time) (time.Duration, error) {
			gone.Go(first.LameDuck) // ends with the server
			return 0, nil
		},
	}, nil
}

// herd is the connections.
type herd struct {
	mu      sync.Mutex
	closers []func()
	left    int           // how many are not back
	all     chan struct{} // closed when all are
}

// atOnce is how many connect at the same time.
const atOnce = 50

func (h *herd) connect(m mode, p plan, urls []string) error {
	var wg sync.WaitGroup
	errs := make(chan error, p.clients)
	turns := make(chan struct{}, atOnce)
	for range p.clients {
		turns <- struct{}{}
		wg.Go(func() { // ends with the attempt
			defer func() { <-turns }()
			closer, err := m.connect(p, urls, sync.OnceFunc(h.isBack))
			if err != nil {
				errs <- err
				return
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			h.closers = append(h.closers, closer)
		})
	}
	wg.Wait()
	close(errs)
	if n := len(errs); n > 0 {
		return fmt.Errorf("%d of %d did not connect: %w", n, p.clients, <-errs)
	}
	return nil
}

func (h *herd) isBack() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.left--; h.left == 0 {
		close(h.all)
	}
}

func (h *herd) close() {
	h.mu.Lock()
	closers := h.closers
	h.mu.Unlock()
	var wg sync.WaitGroup
	for _, c := range closers {
		wg.Go(c) // ends with the connection
	}
	wg.Wait()
}

// watch notes each connection that comes to a door from now on. The function that it
// returns ends that and gives the times.
func watch(ctx context.Context, door *faultproxy.Proxy, began time.Time) func() []time.Duration {
	ctx, cancel := context.WithCancel(ctx)
	var at []time.Duration
	seen := door.Stats().Accepted
	done := make(chan struct{})
	go func() { // ends with ctx
		defer close(done)
		_ = door.Wait(ctx, func(s faultproxy.Stats) bool {
			for now := time.Since(began); seen < s.Accepted; seen++ {
				at = append(at, now)
			}
			return false
		})
	}()
	return func() []time.Duration {
		cancel()
		<-done
		return at
	}
}

// burst is the span in which attempts count as made together.
const burst = 100 * time.Millisecond

// peak is the most within any span of that length.
func peak(at []time.Duration, span time.Duration) (most int) {
	from := 0
	for i, t := range at {
		for t-at[from] >= span {
			from++
		}
		most = max(most, i+1-from)
	}
	return most
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	ring "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/faultplan"
	"github.com/natsring/nats.go/internal/faultproxy"
)

// patience is how long a client may take to come back once there are no more
// faults. One that has not is stuck.
const patience = 30 * time.Second

// kill is the kind of fault in which the server dies by SIGKILL and is started again.
const kill = "server killed"

func kinds() []string { return append(faultplan.Kinds(), kill) }

// result is one cell of the table.
type result struct {
	Kind, Mode        string
	For               time.Duration
	Rate              int
	Seed              uint64
	Accepted, Refused int
	Lost              int
	Excused           int // of Lost, what a server had confirmed and died with
	Repeated          int
	Overtaken         int // first deliveries behind a later message
	Sessions          int // connections of the client that reached a server
	Stuck             bool
	Longest           time.Duration // of a Publish
}

// cell is one client that goes through one kind of fault.
type cell struct {
	l     load
	kind  string
	m     mode
	t     target
	proxy *faultproxy.Proxy
	c     client
	ledger
	sessions  sessions
	confirmed int // messages that were confirmed when the last server died
}

// sessions counts connections by their first bytes.
type sessions struct {
	mu sync.Mutex
	n  int // highest number of a connection of which something was forwarded
	ok int // how many of those there were
}

func (s *sessions) observe(c *faultproxy.Conn, dir faultproxy.Direction, _ []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if dir == faultproxy.Up && c.ID() > s.n {
		s.n, s.ok = c.ID(), s.ok+1
	}
}

func (s *sessions) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ok
}

func runCell(l load, kind string, m mode) (r result, err error) {
	x := &cell{l: l, kind: kind, m: m}
	if m.stream {
		x.l.Rate = l.StreamRate
	}
	if x.t, err = newTarget(kind == kill, m.stream); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, x.t.Close()) }()
	if x.proxy, err = faultproxy.New(x.t.Addr(), faultproxy.Observe(x.sessions.observe)); err != nil {
		return r, err
	}
	defer x.proxy.Close()
	arrived, err := listen(x.t, m.stream, &x.ledger)
	if err != nil {
		return r, err
	}
	defer arrived.close()
	if x.c, err = m.connect(x.proxy.URL()); err != nil {
		return r, err
	}
	defer x.c.close()
	if err := x.faults(arrived); err != nil {
		return r, err
	}
	stuck := !x.settle()
	if !stuck {
		if err := arrived.end(); err != nil {
			return r, err
		}
	}
	return x.result(stuck), nil
}

// faults publishes and makes faults.
func (x *cell) faults(arrived arrivals) error {
	ctx, cancel := context.WithTimeout(context.Background(), x.l.For)
	defer cancel()
	var work sync.WaitGroup
	work.Go(func() { x.publish(ctx, x.c, x.l.Rate) }) // ends with ctx
	rng := rand.New(rand.NewPCG(x.l.Seed, 0))
	var err error
	if x.kind == kill {
		err = x.kills(ctx, rng, arrived)
	} else {
		faultplan.Run(ctx, x.kind, rng, x.proxy)
	}
	cancel()
	work.Wait()
	return err
}

// kills kills the server again and again. The client finds the next one only when
// the subscriber is there again.
func (x *cell) kills(ctx context.Context, rng *rand.Rand, arrived arrivals) error {
	for ctx.Err() == nil {
		wait(ctx, time.Duration(200+rng.IntN(1000))*time.Millisecond)
		if err := x.proxy.SetAccept(faultproxy.Refuse); err != nil {
			return err
		}
		x.t.Kill()
		wait(ctx, time.Duration(10+rng.IntN(200))*time.Millisecond)
		if x.c.confirmed != nil {
			x.confirmed = int(x.c.confirmed())
		}
		if err := x.t.Start(); err != nil {
			return err
		}
		if err := arrived.back(); err != nil {
			return err
		}
		if err := x.proxy.SetAccept(faultproxy.Relay); err != nil {
			return err
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// settle waits until nothing is under way; false: the client has not come back.
func (x *cell) settle() bool {
	if !eventually(func() bool { return x.c.flush(time.Second) == nil }) {
		return false
	}
	return eventually(func() bool {
		st := x.proxy.Stats()
		return st.Open == 1 && st.Up.Held() == 0 && x.t.quiet()
	}) && x.c.flush(patience) == nil
}

func eventually(ok func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return true
		}
	}
	return false
}

func (x *cell) result(stuck bool) result {
	r := result{
		Kind: x.kind, Mode: x.m.name, For: x.l.For, Rate: x.l.Rate, Seed: x.l.Seed, Stuck: stuck,
		Accepted: x.accepted, Refused: x.refused, Longest: x.longest,
		Lost: x.missing(x.accepted), Excused: x.missing(min(x.confirmed, x.accepted)),
		Sessions: x.sessions.count(),
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	r.Repeated, r.Overtaken = x.repeated, x.overtaken
	return r
}

// arrivals is where messages arrive.
type arrivals struct {
	back  func() error // waits until it is there again after the death of a server
	end   func() error // waits until all that was processed has arrived
	close func()
}

// listen makes the ledger see what arrives: at a subscriber that is connected directly,
// or in a stream.
func listen(t target, stream bool, l *ledger) (a arrivals, err error) {
	direct, err := ring.Connect(t.URL(), ring.MaxReconnects(-1), ring.ReconnectWait(5*time.Millisecond), ring.ReconnectJitter(0, 0),
		ring.ErrorHandler(func(*ring.Conn, *ring.Subscription, error) {}))
	if err != nil {
		return a, err
	}
	a.close = direct.Close
	a.back = func() error {
		if !eventually(func() bool { return direct.IsConnected() && direct.Flush() == nil }) {
			return errors.New("the subscriber has not come back")
		}
		return nil
	}
	if stream {
		err = createStream(t.URL())
		a.end = func() error { return readStream(t.URL(), l) }
	} else {
		a.end, err = subscribe(direct, l)
	}
	if err != nil {
		direct.Close()
	}
	return a, err
}

func subscribe(nc *ring.Conn, l *ledger) (end func() error, err error) {
	marked := make(chan struct{})
	sub, err := nc.Subscribe(subject, func(m *ring.Msg) {
		if len(m.Data) != messageSize {
			close(marked)
			return
		}
		l.see(m.Data)
	})
	if err != nil {
		return nil, err
	}
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return nil, err
	}
	end = func() error {
		if err := nc.Publish(subject, []byte("end")); err != nil {
			return err
		}
		select {
		case <-marked:
			return nil
		case <-time.After(patience):
			return fmt.Errorf("the subscriber is behind by more than %v", patience)
		}
	}
	return end, nc.Flush()
}

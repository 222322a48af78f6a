package main

import (
	"context"
	"fmt"
	"time"

	"github.com/natsring/nats.go/examples/internal/terminal"
	"github.com/natsring/nats.go/internal/testserver"
)

// A keeper takes the embedded server down and brings it back, over and over.
type keeper struct {
	srv      *testserver.Server
	timeline *timeline
	display  *terminal.Display
	up, down time.Duration // how long each period lasts
}

// run goes on until the context ends. The server is up when it returns nil.
func (k *keeper) run(ctx context.Context) error {
	for i := 0; sleep(ctx, k.up); i++ {
		k.takeDown(i)
		sleep(ctx, k.down)
		if err := k.srv.Start(); err != nil {
			return err
		}
		k.timeline.serverUp(time.Now())
		k.display.Event("server: up again")
	}
	return nil
}

// takeDown alternates between the two ways in which a server goes.
func (k *keeper) takeDown(i int) {
	how, act, note := "killed", k.srv.Kill, "killed, without a goodbye"
	if i%2 == 1 {
		how, act, note = "stopped", k.srv.Stop, "stopped in order"
	}
	k.timeline.serverDown(time.Now(), how)
	act()
	k.display.Event("server: %s, for %v", note, k.down)
}

// sleep waits; false if the context ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// startServer starts the embedded server.
func startServer() (*testserver.Server, error) {
	srv, err := testserver.New(testserver.Config{})
	if err != nil {
		return nil, fmt.Errorf("embedded server: %w", err)
	}
	return srv, nil
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/examples/internal/terminal"
	"github.com/natsring/nats.go/internal/testserver"
)

// newPair connects a subscriber and a publisher and closes them with the test.
func newPair(t *testing.T, url string, c config) *job {
	t.Helper()
	j := &job{config: c, ledger: newLedger(), timeline: new(timeline), display: terminal.NewDisplay(io.Discard, false)}
	require.NoError(t, j.connect(context.Background(), url))
	t.Cleanup(j.sub.nc.Close)
	t.Cleanup(j.pub.nc.Close)
	return j
}

// What is shown as buffered is exact.
func TestBufferedMessages(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	j := newPair(t, srv.URL(), testConfig())
	srv.Stop()
	soon(t, j.pub.nc.IsReconnecting, "the loss is noticed")
	ctx, cancel := context.WithTimeout(context.Background(), waitLimit)
	defer cancel()
	for n := range 100 {
		s := j.sample()
		require.Equal(t, n, s.buffer.Msgs)
		require.Equal(t, n*j.pub.layout.frame, s.buffer.Bytes)
		require.NoError(t, j.pub.publish(ctx))
	}
	require.NoError(t, srv.Start())
	require.NoError(t, persist(ctx, j.pub.nc))
	require.NoError(t, j.sub.settle(ctx))
	assert.Equal(t, 100, j.ledger.tally(true).delivered)
	soon(t, func() bool { return j.sample().buffer.Msgs == 0 }, "nothing is buffered")
}

func TestPublisherKeepsItsRate(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	c := testConfig()
	c.rate = 1000
	j := newPair(t, srv.URL(), c)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.NoError(t, j.pub.run(ctx))
	most := int(time.Since(start).Seconds()*1000) + 1
	got := j.ledger.counts().accepted
	assert.Positive(t, got)
	assert.LessOrEqual(t, got, most)
}

func TestPublisherEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	j := newPair(t, srv.URL(), testConfig())
	j.pub.nc.Close()
	require.Error(t, j.pub.run(context.Background()))
	assert.Zero(t, j.sample().buffer.Msgs)
}

// stalling is a server that answers PINGs, but after the handshake with the
// publisher reads nothing of what that sends.
func stalling(t *testing.T) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	over := make(chan struct{})
	var serving sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
		fmt.Fprint(c, "INFO {\"max_payload\":1048576}\r\n")
		publisher := false
		in := bufio.NewScanner(c)
		for in.Scan() {
			if strings.Contains(in.Text(), "reconnect-buffer publisher") {
				publisher = true
			}
			if in.Text() == "PING" {
				fmt.Fprint(c, "PONG\r\n")
				if publisher {
					<-over
					return
				}
			}
		}
	}
	// Ends when the listener is closed, at the end of the test.
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			// Ends with the client's connection, or the test.
			serving.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		close(over)
		ln.Close()
		serving.Wait()
	})
	return "nats://" + ln.Addr().String()
}

// A server that reads nothing blocks Publish, but not the end of the run.
func TestStalledServer(t *testing.T) {
	t.Parallel()
	c := testConfig()
	c.size, c.rate, c.bufBytes = maxSize, 1000, 1
	c.duration, c.patience = time.Hour, 50*time.Millisecond
	j := newPair(t, stalling(t), c)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	// Ends with the context, and is waited for below.
	go func() { done <- j.publish(ctx) }()
	looks, at := 0, 0 // how often it stood at the same message, with something buffered
	soon(t, func() bool {
		n := j.ledger.counts().accepted
		if j.sample().buffer.Msgs == 0 || n != at {
			looks, at = 0, n
		}
		looks++
		return looks > 60
	}, "Publish waits")
	cancel()
	select {
	case err := <-done:
		require.NoError(t, err)
	case <-time.After(waitLimit):
		require.Fail(t, "it hangs")
	}
	r := j.finish()
	assert.False(t, r.settled)
	assert.Positive(t, r.givenUp[whyLeft])
	assert.Zero(t, r.kept)
	assert.Equal(t, r.accepted, r.givenUp[whyLeft]+r.inDoubt)
	assert.Zero(t, r.code(), r.String())
}

package faultplan

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/natsring/nats.go/internal/faultproxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a server that sends everything back; it ends with the test.
func echo(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() { // ends when the listener is closed
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { // ends with the connection, which the proxy closes
				defer c.Close()
				_, _ = io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { ln.Close(); wg.Wait() })
	return ln.Addr().String()
}

// Every kind makes faults, and leaves a proxy behind that has none.
func TestKindsLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	for _, kind := range Kinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			proxy := faultproxy.Run(t, echo(t))
			old, err := net.Dial("tcp", proxy.Addr())
			require.NoError(t, err)
			defer old.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			require.NotEmpty(t, Run(ctx, kind, rand.New(rand.NewPCG(1, 0)), proxy))
			require.NoError(t, proxy.WaitOpen(t.Context(), 0), "the old connection is open")
			c, err := net.Dial("tcp", proxy.Addr())
			require.NoError(t, err)
			defer c.Close()
			_, err = c.Write([]byte("hello\n"))
			require.NoError(t, err)
			line, err := bufio.NewReader(c).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "hello\n", line)
		})
	}
	require.Panics(t, func() { Run(t.Context(), "earthquake", rand.New(rand.NewPCG(1, 0)), nil) })
}

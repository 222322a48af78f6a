package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/child"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

// TestMain fails the package if a goroutine outlives the tests.
func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

const patience = 20 * time.Second

func init() {
	child.Role("graceful", func(args []string) error {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(command(ctx, args, os.Stdout, io.Discard))
		return nil
	})
}

// worker is the program in a process of its own, once the server knows that it has
// subscribed.
func worker(t *testing.T, s *testserver.Server, args ...string) *child.Process {
	t.Helper()
	before := s.Server().NumSubscriptions()
	p, greeting, err := child.Start("graceful", append(args, "-url", s.URL())...)
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	require.Equal(t, fmt.Sprint("working, process ", p.Pid()), greeting)
	require.Eventually(t, func() bool { return s.Server().NumSubscriptions() > before }, patience, time.Millisecond)
	return p
}

// rest reads what a process still says, to its end.
func rest(t *testing.T, p *child.Process) (lines []string) {
	t.Helper()
	for {
		line, err := p.Line()
		if errors.Is(err, io.EOF) {
			return lines
		}
		require.NoError(t, err)
		lines = append(lines, line)
	}
}

// boss is who has jobs and hears of results.
func boss(t *testing.T, url string) (nc *nats.Conn, results chan string) {
	t.Helper()
	nc, err := nats.Connect(url, nats.Timeout(patience))
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	results = make(chan string, 1000)
	_, err = nc.Subscribe("jobs.done", func(m *nats.Msg) { results <- string(m.Data) })
	require.NoError(t, err)
	require.NoError(t, nc.Flush())
	return nc, results
}

func result(t *testing.T, results chan string) string {
	t.Helper()
	select {
	case r := <-results:
		return r
	case <-time.After(patience):
		require.FailNow(t, "no result")
		return ""
	}
}

// give publishes jobs and waits until the server has passed them on.
func give(t *testing.T, nc *nats.Conn, jobs int) {
	t.Helper()
	for n := range jobs {
		require.NoError(t, nc.Publish("jobs", strconv.AppendInt(nil, int64(n), 10)))
	}
	require.NoError(t, nc.Flush())
}

// A worker that gets SIGTERM does every job that it was given before.
func TestSIGTERM(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	nc, results := boss(t, s.URL())
	p := worker(t, s, "-job", "5ms")
	const jobs = 40
	give(t, nc, jobs)
	require.Equal(t, "0", result(t, results))
	require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGTERM))
	require.Equal(t, []string{"told to end", "ended in order: every result has arrived"}, rest(t, p))
	require.Equal(t, 0, p.Wait())
	for n := 1; n < jobs; n++ {
		require.Equal(t, strconv.Itoa(n), result(t, results))
	}
}

// Without a server the results wait for one as long as they may, and are named then.
func TestSIGTERMWithoutAServer(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	nc, results := boss(t, s.URL())
	p := worker(t, s, "-job", "200ms", "-grace", "1s")
	give(t, nc, 2)
	require.Equal(t, "0", result(t, results))
	s.Kill() // while the worker has the other
	require.NoError(t, syscall.Kill(p.Pid(), syscall.SIGTERM))
	require.Equal(t, []string{"told to end", `not sent: jobs.done "1"`}, rest(t, p))
	require.Equal(t, 1, p.Wait())
}

func TestOwnServer(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	out := &told{until: "working", then: cancel}
	require.Equal(t, 0, command(ctx, []string{"-job", "1ms", "-http", "127.0.0.1:0"}, out, io.Discard))
	require.Contains(t, out.String(), "ended in order")
	require.Equal(t, 2, command(t.Context(), []string{"-nonsense"}, io.Discard, io.Discard))
	require.Equal(t, 0, command(t.Context(), []string{"-h"}, io.Discard, io.Discard))
}

// told calls then when a text has been written.
type told struct {
	bytes.Buffer
	until string
	then  func()
}

func (w *told) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.until) {
		w.then()
	}
	return w.Buffer.Write(p)
}

func TestProbes(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	nc, _ := boss(t, s.URL())
	ask := func(path string) int {
		w := httptest.NewRecorder()
		probesOf(nc).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	require.Equal(t, []int{200, 200}, []int{ask("/livez"), ask("/readyz")})
	nc.Close()
	require.Equal(t, []int{503, 503}, []int{ask("/livez"), ask("/readyz")})
}

package main

import (
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/natsring/nats.go/examples/internal/cli"
	"github.com/natsring/nats.go/examples/internal/clitest"
)

// pty returns the two sides of a terminal: what the user has, and what the program has.
func pty(t *testing.T) (user, program *os.File) {
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this machine has no terminals to give: ", err)
	}
	t.Cleanup(func() { _ = user.Close() })
	raw, err := user.SyscallConn()
	require.NoError(t, err)
	var n int
	require.NoError(t, raw.Control(func(fd uintptr) {
		require.NoError(t, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		require.NoError(t, err)
		require.NoError(t, unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: 100, Row: 40}))
	}))
	program, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = program.Close() })
	return user, program
}

// A session on a real terminal: keys make an outage, q ends it, and the terminal is as
// it was before.
func TestKeysOnATerminal(t *testing.T) {
	t.Parallel()
	for name, quit := range map[string]string{"q": "q", "Ctrl-C": "\x03"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, tty := pty(t)
			before, err := term.GetState(int(tty.Fd()))
			require.NoError(t, err)
			var seen clitest.Buffer
			var reading sync.WaitGroup
			// Ends when the terminal is closed.
			reading.Go(func() { _, _ = io.Copy(&seen, user) })
			done := make(chan int, 1)
			var said clitest.Buffer
			go func() { // ends with the program
				done <- program().Do(context.Background(), []string{"-mode", modeAtLeastOnce, "-rate", "1000"},
					cli.Std{In: tty, Out: tty, Err: &said})
			}()
			sees := func(text string) {
				t.Helper()
				require.Eventually(t, func() bool { return strings.Contains(seen.String(), text) }, 20*time.Second, time.Millisecond, text)
			}
			press := func(key string) {
				_, err := user.WriteString(key)
				require.NoError(t, err)
			}
			sees("s stop/start")
			press("s")
			sees("*s stop/start")
			sees("RECONNECTING")
			press("s")
			sees("client: found the server")
			press(quit)
			select {
			case status := <-done:
				assert.Zero(t, status, said.String())
			case <-time.After(20 * time.Second):
				require.Fail(t, "it does not end")
			}
			sees("in doubt, says the client")
			after, err := term.GetState(int(tty.Fd()))
			require.NoError(t, err)
			assert.Equal(t, before, after)
			_, report, left := strings.Cut(seen.String(), leave)
			assert.True(t, left)
			assert.Contains(t, report, "accepted")
			assert.Contains(t, seen.String(), enter)
			// The other side gone is the end of the input for the goroutine of the keys.
			require.NoError(t, user.Close())
			reading.Wait()
		})
	}
}

// A program that fails after it has taken the terminal over gives it back too.
func TestTerminalIsGivenBackAfterAFailure(t *testing.T) {
	t.Parallel()
	user, tty := pty(t)
	before, err := term.GetState(int(tty.Fd()))
	require.NoError(t, err)
	var seen, said clitest.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&seen, user) }) // ends when the terminal is closed
	status := program().Do(context.Background(), []string{"-for", "10ms", "-svg", t.TempDir()},
		cli.Std{In: tty, Out: tty, Err: &said})
	assert.Equal(t, 1, status)
	after, err := term.GetState(int(tty.Fd()))
	require.NoError(t, err)
	assert.Equal(t, before, after)
	require.Eventually(t, func() bool { return strings.Contains(seen.String(), leave) }, 20*time.Second, time.Millisecond)
	require.NoError(t, user.Close())
	reading.Wait()
}

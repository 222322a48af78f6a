package child

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func init() {
	Role("talker", func(args []string) error {
		fmt.Println("hello", args)
		fmt.Println("bye")
		return nil
	})
	Role("waiter", func([]string) error {
		fmt.Println("here")
		select {}
	})
	Role("failure", func([]string) error { return errors.New("as it should") })
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestChildTalks(t *testing.T) {
	t.Parallel()
	p, greeting, err := Start("talker", "a", "b")
	require.NoError(t, err)
	defer p.Kill()
	require.Equal(t, "hello [a b]", greeting)
	line, err := p.Line()
	require.NoError(t, err)
	require.Equal(t, "bye", line)
	_, err = p.Line()
	require.ErrorIs(t, err, io.EOF)
}

func TestChildIsKilled(t *testing.T) {
	t.Parallel()
	p, _, err := Start("waiter")
	require.NoError(t, err)
	p.Kill()
	p.Kill()
	require.Equal(t, -1, p.cmd.ProcessState.ExitCode(), "ended by itself")
}

// A child does not outlive its parent, whose end closes the pipe.
func TestChildEndsWithItsParent(t *testing.T) {
	t.Parallel()
	p, _, err := Start("waiter")
	require.NoError(t, err)
	require.NoError(t, p.stdin.Close())
	_, err = p.Line()
	require.ErrorIs(t, err, io.EOF)
	p.Kill()
	require.Equal(t, 1, p.cmd.ProcessState.ExitCode())
}

func TestChildThatFails(t *testing.T) {
	t.Parallel()
	_, _, err := Start("failure")
	require.ErrorContains(t, err, "child failure")
}

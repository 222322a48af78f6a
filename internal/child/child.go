// Package child lets a program start itself once more in a role of its own: a test
// needs a process that it can kill, and has no other program at hand.
//
// A package registers what a role does with [Role], in an init function; [Start] then
// starts the present program in that role. The child ends with its parent, however
// that ends.
package child

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// roleVar names, in the environment of a child, what it is.
const roleVar = "NATSRING_CHILD_ROLE"

// Role runs run, and then ends the process, if this process was started for it. Call
// it from an init function. The process ends with status 1 when its parent is gone.
func Role(name string, run func(args []string) error) {
	if os.Getenv(roleVar) != name {
		return
	}
	go func() { // ends the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Process is a child. Its methods are for one goroutine at a time, but for Kill.
type Process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
	once  sync.Once
}

// Start starts the program in a role and returns once that has written its first line
// to standard output, which is greeting. What a role writes to standard error goes to
// that of this process.
func Start(role string, args ...string) (p *Process, greeting string, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, "", err
	}
	p = &Process{cmd: exec.Command(self, args...)}
	p.cmd.Env = append(os.Environ(), roleVar+"="+role)
	p.cmd.Stderr = os.Stderr
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, "", err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, "", err
	}
	p.out = bufio.NewReader(out)
	if greeting, err = p.Line(); err != nil {
		p.Kill()
		return nil, "", fmt.Errorf("child %s: %w", role, err)
	}
	return p, greeting, nil
}

// Line waits for the next line of the child's standard output. The error is io.EOF
// when there will be none.
func (p *Process) Line() (string, error) {
	line, err := p.out.ReadString('\n')
	if err != nil {
		return "", err
	}
	return strings.TrimSuffix(line, "\n"), nil
}

// Kill ends the child as kill -9 does, and waits until it is gone.
func (p *Process) Kill() {
	p.once.Do(func() {
		_ = p.cmd.Process.Kill()
		_ = p.stdin.Close()
		_ = p.cmd.Wait() // the error says that it was killed
	})
}

// Wait waits until the child has ended by itself and returns its exit status.
func (p *Process) Wait() int {
	p.once.Do(func() {
		_ = p.cmd.Wait() // the status is what says how it ended
		_ = p.stdin.Close()
	})
	return p.cmd.ProcessState.ExitCode()
}

// Pid is the process's id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

package testserver

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/natsring/nats.go/internal/child"
)

// processRole is what the program is started as to be a server.
const processRole = "nats-server"

func init() { child.Role(processRole, serveProcess) }

// serveProcess is the whole of a server's process.
func serveProcess(args []string) error {
	opts, err := server.ProcessConfigFile(args[0])
	if err != nil {
		return err
	}
	opts.NoLog, opts.NoSigs = true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		return err
	}
	srv.Start()
	if !srv.ReadyForConnections(defaultStartTimeout) {
		return errors.New("not ready in time")
	}
	fmt.Println("ready")
	srv.WaitForShutdown()
	return nil
}

// Process is a nats-server in a process of its own, on a port of its own, that can
// be killed as nothing in this process can. Its methods are for one goroutine at a
// time.
type Process struct {
	s    *Server // has the ports and the files, and never runs
	proc *child.Process
}

// NewProcess starts a server in a process of its own and returns when clients can
// connect. The text is its configuration; see [Config.Text]. Call Close when done
// with it.
func NewProcess(text string) (*Process, error) {
	s, err := prepare(Config{Text: "debug: false\n" + text}) // with a text there is a file
	if err != nil {
		return nil, err
	}
	p := &Process{s: s}
	if err := p.Start(); err != nil {
		_ = s.Close() // the first error is the one that matters
		return nil, err
	}
	return p, nil
}

// RunProcess is NewProcess for a test. The process is killed when the test ends.
func RunProcess(t TB, text string) *Process {
	t.Helper()
	p, err := NewProcess(text)
	if err != nil {
		t.Fatalf("%v", err)
		return nil
	}
	closeWith(t, p)
	return p
}

// RunProcesses starts a cluster of n servers, each in a process of its own, for a test,
// and kills them when it ends. A server that comes back joins the others by itself.
func RunProcesses(t TB, n int) []*Process {
	t.Helper()
	var routes ports
	defer routes.release() // the servers hold them by then
	addrs := make([]string, n)
	for i := range addrs {
		port := server.RANDOM_PORT
		if err := routes.take(loopback, &port); err != nil {
			t.Fatalf("testserver: %v", err)
			return nil
		}
		addrs[i] = net.JoinHostPort(loopback, strconv.Itoa(port))
	}
	routes.makeWay()
	all := make([]*Process, n)
	for i, addr := range addrs {
		var others []string
		for _, other := range slices.Concat(addrs[:i], addrs[i+1:]) {
			others = append(others, "nats-route://"+other)
		}
		all[i] = RunProcess(t, fmt.Sprintf("server_name: p%d\ncluster { name: %s, listen: %q, routes: [%s] }",
			i, ClusterName, addr, strings.Join(others, ", ")))
	}
	return all
}

// Start starts a killed server again, with the same port, configuration and
// JetStream directory. It returns when clients can connect.
func (p *Process) Start() error {
	if p.proc != nil {
		return ErrRunning
	}
	p.s.ports.makeWay()
	deadline := time.Now().Add(p.s.limit)
	for {
		proc, _, err := child.Start(processRole, p.s.ConfigFile())
		if err == nil {
			p.proc = proc
			return nil
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

// Kill ends the process with SIGKILL. Killing a dead one does nothing.
func (p *Process) Kill() {
	if p.proc != nil {
		p.proc.Kill()
		p.proc = nil
	}
}

// Close kills the server for good and removes its files.
func (p *Process) Close() error {
	p.Kill()
	return p.s.Close()
}

// Addr is "host:port" for client connections, also while it is dead.
func (p *Process) Addr() string { return p.s.Addr() }

// URL is "nats://host:port", also while it is dead.
func (p *Process) URL() string { return p.s.URL() }

// Pid is the id of the process, 0 while there is none.
func (p *Process) Pid() int {
	if p.proc == nil {
		return 0
	}
	return p.proc.Pid()
}

// Package demo is what the examples share: a server to talk to.
//
// [Start] is a server in this process, or the one that the flag -url names.
// [StartUnsteady] is the same with outages. Where a page is about the server's
// configuration, or about several servers, it brings its own, with
// [StartConfigured] and [StartCluster], and there is no flag.
package demo

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/natsring/nats.go/internal/testserver"
)

const (
	// shortStart is how long StartAt waits for its port.
	shortStart = 100 * time.Millisecond
	// leaveTime is how long a cluster may take to forget a server.
	leaveTime = 10 * time.Second
)

// Server is a server to talk to.
type Server struct {
	url string
	own *testserver.Server // nil with -url
}

// Start returns the server of -url or, without the flag, starts one with the given
// options. Call Close when done with it.
func Start(opts ...testserver.Option) (*Server, error) {
	if url := URL(); url != "" {
		return &Server{url: url}, nil
	}
	own, err := testserver.New(testserver.Config{Options: opts})
	if err != nil {
		return nil, err
	}
	s := &Server{url: own.URL(), own: own}
	if ws := own.WebsocketURL(); ws != "" {
		s.url = ws
	}
	return s, nil
}

// URL is what clients connect to: a WebSocket one if the options asked for that.
func (s *Server) URL() string { return s.url }

// Close ends the server, unless it is the user's.
func (s *Server) Close() {
	if s.own != nil {
		_ = s.own.Close() // a page that is over has no use for the error
	}
}

// StartConfigured starts a server with a configuration text, which may be empty,
// and options.
func StartConfigured(text string, opts ...testserver.Option) (*testserver.Server, error) {
	parse()
	return testserver.New(testserver.Config{Text: text, Options: opts})
}

// StartCluster starts n servers that know each other: s0, s1 and so on.
func StartCluster(n int) (*testserver.Cluster, error) {
	parse()
	return testserver.NewCluster(n, testserver.Config{})
}

// Leave stops one server of a cluster, and returns when the others have stopped to
// tell clients of it.
func Leave(c *testserver.Cluster, s *testserver.Server) error {
	s.Stop()
	deadline := time.Now().Add(leaveTime)
	for _, other := range c.Servers {
		for other.Running() {
			vars, err := other.Server().Varz(nil)
			if err != nil {
				return err
			}
			if !slices.Contains(vars.ClientConnectURLs, s.Addr()) {
				break
			}
			if time.Now().After(deadline) {
				return errors.New("the cluster does not forget a server that has stopped")
			}
			time.Sleep(time.Millisecond) // the server tells nobody when it has forgotten
		}
	}
	return nil
}

// StartAt starts a server on a port of 127.0.0.1. The error says so if somebody
// listens there already.
func StartAt(port int) (*testserver.Server, error) {
	parse()
	return testserver.New(testserver.Config{Port: port, StartTimeout: shortStart})
}

// URL is the value of -url; it is empty without. The command line of a test is not
// ours: there it is empty too.
var URL = sync.OnceValue(func() string {
	if flag.Parsed() {
		return ""
	}
	url := flag.String("url", "", "`URL` of a server of yours; without it one runs in this process")
	parse()
	return *url
})

// parse ends the program if the command line has more than there are flags for.
func parse() {
	if flag.Parsed() {
		return
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(flag.CommandLine.Output(), "unexpected argument %q\n", flag.Arg(0))
		flag.Usage()
		os.Exit(2)
	}
}

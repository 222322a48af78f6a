package nats_test

import (
	"log"
	"os"
	"sync"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

// The examples are tests, too: each runs against a real server and prints what stands
// under it. This is where the servers come from.

// shared is the server of all examples that need nothing special of one.
var shared = sync.OnceValue(func() *testserver.Server {
	s := newServer()
	nats.AfterTests(func() { _ = s.Close() })
	return s
})

// serverURL is the URL of a server that is there.
func serverURL() string { return shared().URL() }

// newServer starts a server that an example can stop and start again.
func newServer(opts ...testserver.Option) *testserver.Server {
	return newServerFrom(testserver.Config{Options: opts})
}

func newServerFrom(cfg testserver.Config) *testserver.Server {
	s, err := testserver.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	return s
}

// testCerts are certificates in a directory that the example removes.
type testCerts struct {
	*testserver.Certs
	dir string
}

// newTLSServer starts a server that wants TLS, of a kind: testserver.TLS or MutualTLS.
func newTLSServer(kind func(*testserver.Certs) testserver.Option) (testCerts, *testserver.Server) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	certs, err := testserver.NewCerts(dir)
	if err != nil {
		log.Fatal(err)
	}
	return testCerts{certs, dir}, newServer(kind(certs))
}

// newOperatorServer starts a server that wants a user's credentials, and writes some to
// a file that the example removes.
func newOperatorServer() (file string, s *testserver.Server) {
	operator, err := testserver.NewOperator()
	if err != nil {
		log.Fatal(err)
	}
	text, err := operator.Config()
	if err != nil {
		log.Fatal(err)
	}
	user, err := operator.User(0)
	if err != nil {
		log.Fatal(err)
	}
	f, err := os.CreateTemp("", "user*.creds")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(user.Creds()); err != nil {
		log.Fatal(err)
	}
	return f.Name(), newServerFrom(testserver.Config{Text: text})
}

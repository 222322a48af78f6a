package cli

import (
	"errors"
	"flag"
	"fmt"
	"time"

	nats "github.com/natsring/nats.go"
)

const (
	// A client that has lost its server tries again at once, then with pauses that
	// grow up to backoffMost.
	backoffLeast = 50 * time.Millisecond
	backoffMost  = 2 * time.Second
)

// A Server is where to connect and as whom: the flags that all programs have.
type Server struct {
	// URL of one server or several, with commas between them.
	URL string
	// Name of the connection.
	Name string
	// Optional lets the URL be empty: the program has a server of its own then.
	Optional bool

	creds, nkey   string
	ca, cert, key string
	wait          bool
	patience      time.Duration
}

// Flags defines the flags. URL and Name are the defaults of theirs.
func (s *Server) Flags(fs *flag.FlagSet) {
	fs.StringVar(&s.URL, "server", s.URL, "`URL` of the server, or several with commas between them; nats, tls, ws and wss")
	fs.StringVar(&s.Name, "name", s.Name, "`name` of the connection, for those who look at the server")
	fs.StringVar(&s.creds, "creds", "", "`file` with the user's JWT and seed")
	fs.StringVar(&s.nkey, "nkey", "", "`file` with the user's seed, for a server that knows the public key")
	fs.StringVar(&s.ca, "tls-ca", "", "PEM `file` with who may vouch for the server; asks for TLS")
	fs.StringVar(&s.cert, "tls-cert", "", "PEM `file` with the client's certificate; asks for TLS")
	fs.StringVar(&s.key, "tls-key", "", "PEM `file` with the key of -tls-cert")
	fs.DurationVar(&s.patience, "patience", 5*time.Second, "how `long` a Ctrl-C may wait for the orderly end")
	fs.BoolVar(&s.wait, "wait", false, "wait for the server if it is not there yet")
}

// Check says what is wrong with the flags.
func (s *Server) Check() error {
	switch {
	case s.URL == "" && !s.Optional:
		return errors.New("-server: a URL is missing")
	case (s.cert == "") != (s.key == ""):
		return errors.New("-tls-cert and -tls-key go together")
	case s.patience < 0:
		return fmt.Errorf("-patience %v: must be 0 or more", s.patience)
	case s.creds != "" && s.nkey != "":
		return errors.New("-creds and -nkey: only one of them")
	}
	return nil
}

// Options are those of the flags, for a connection that never gives up.
func (s *Server) Options() ([]nats.Option, error) {
	opts := []nats.Option{
		nats.Name(s.Name),
		nats.MaxReconnects(-1),
		nats.ReconnectBackoff(backoffLeast, backoffMost),
		nats.RetryOnFailedConnect(s.wait),
	}
	if s.creds != "" {
		opts = append(opts, nats.UserCredentials(s.creds))
	}
	if s.nkey != "" {
		nkey, err := nats.NkeyOptionFromSeed(s.nkey)
		if err != nil {
			return nil, err
		}
		opts = append(opts, nkey)
	}
	if s.ca != "" {
		opts = append(opts, nats.RootCAs(s.ca))
	}
	if s.cert != "" {
		opts = append(opts, nats.ClientCert(s.cert, s.key))
	}
	return opts, nil
}

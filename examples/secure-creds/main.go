// Secure-creds connects with a credentials file, as the tool nsc writes them: a token
// that says who the user is and what it may do (a JWT), and the seed of its key. The
// server knows no users at all, only the operator whose signature counts.
//
// Look at UserCredentials: the file is read for each attempt to connect, so a renewed
// one takes effect without a restart. UserCredentialBytes is for contents in memory.
//
// Output:
//
//	connected as a user of account A…
//	with the contents in memory: CONNECTED
//	a user of another operator: nats: Authorization Violation
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
	"github.com/natsring/nats.go/internal/testserver"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	operator, err := testserver.NewOperator()
	if err != nil {
		return err
	}
	configuration, err := operator.Config() // operator: eyJ0…, resolver: MEMORY, and the account
	if err != nil {
		return err
	}
	srv, err := demo.StartConfigured(configuration)
	if err != nil {
		return err
	}
	defer srv.Close()
	user, err := operator.User(time.Hour)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "secure-creds")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "user.creds")
	if err := os.WriteFile(file, []byte(user.Creds()), 0o600); err != nil {
		return err
	}

	nc, err := nats.Connect(srv.URL(), nats.UserCredentials(file))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "connected as a user of account", operator.AccountKey)
	nc.Close()

	nc, err = nats.Connect(srv.URL(), nats.UserCredentialBytes([]byte(user.Creds())))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "with the contents in memory:", nc.Status())
	nc.Close()

	return stranger(w, srv.URL())
}

// stranger tries it with credentials that another operator has made.
func stranger(w io.Writer, url string) error {
	operator, err := testserver.NewOperator()
	if err != nil {
		return err
	}
	user, err := operator.User(0)
	if err != nil {
		return err
	}
	nc, err := nats.Connect(url, nats.UserCredentialBytes([]byte(user.Creds())))
	if err == nil {
		nc.Close()
		return errors.New("the server let a stranger in")
	}
	fmt.Fprintln(w, "a user of another operator:", err)
	return nil
}

// Secure-token connects with a token: one secret for all clients of a server.
//
// Look at TokenHandler: it is asked before each attempt to connect, so that a program
// whose token changes need not be restarted. Errors that were returned can be told apart
// with errors.Is.
//
// Output:
//
//	Token: CONNECTED
//	TokenHandler: CONNECTED
//	in the URL: CONNECTED to nats://xxxxx@127.0.0.1:…
//	without: ErrAuthorization: true
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

const configuration = `authorization { token: "s3cr3t" }`

func run(w io.Writer) error {
	srv, err := demo.StartConfigured(configuration)
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(), nats.Token("s3cr3t"))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "Token:", nc.Status())
	nc.Close()

	nc, err = nats.Connect(srv.URL(), nats.TokenHandler(func() string { return "s3cr3t" }))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "TokenHandler:", nc.Status())
	nc.Close()

	nc, err = nats.Connect("nats://s3cr3t@" + srv.Addr())
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "in the URL:", nc.Status(), "to", nc.ConnectedUrlRedacted())
	nc.Close()

	nc, err = nats.Connect(srv.URL())
	if err == nil {
		nc.Close()
		return errors.New("the server asked for no token")
	}
	fmt.Fprintln(w, "without: ErrAuthorization:", errors.Is(err, nats.ErrAuthorization))
	return nil
}

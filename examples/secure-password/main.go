// Secure-password connects with a user name and a password.
//
// Look at the server's configuration and at the three ways to say who the program is:
// the option UserInfo, a handler that is asked before each attempt (so that a changed
// password needs no restart), and the URL, which ConnectedUrlRedacted shows without it.
//
// Output:
//
//	UserInfo: CONNECTED
//	UserInfoHandler: CONNECTED
//	in the URL: CONNECTED to nats://derek:xxxxx@127.0.0.1:…
//	with a wrong password: nats: Authorization Violation
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

const configuration = `
	authorization {
		user: derek
		password: "a secret"
	}`

func run(w io.Writer) error {
	srv, err := demo.StartConfigured(configuration)
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(), nats.UserInfo("derek", "a secret"))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "UserInfo:", nc.Status())
	nc.Close()

	nc, err = nats.Connect(srv.URL(), nats.UserInfoHandler(func() (user, password string) {
		return "derek", "a secret" // a program would read it from a file
	}))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "UserInfoHandler:", nc.Status())
	nc.Close()

	nc, err = nats.Connect("nats://derek:a%20secret@" + srv.Addr())
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "in the URL:", nc.Status(), "to", nc.ConnectedUrlRedacted())
	nc.Close()

	nc, err = nats.Connect(srv.URL(), nats.UserInfo("derek", "a guess"))
	if err == nil {
		nc.Close()
		return errors.New("the server took a wrong password")
	}
	fmt.Fprintln(w, "with a wrong password:", err)
	return nil
}

// Connect-name gives a connection a name.
//
// Look at nats.Name: the name is what tells one client from another in the server's
// monitoring (/connz) and in its log, so every program should have one. The page asks
// the server what it knows of its clients.
//
// Output:
//
//	the server's clients:
//	  "orders", written in go
//	  "billing", written in go
package main

import (
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

func run(w io.Writer) error {
	srv, err := demo.StartConfigured("")
	if err != nil {
		return err
	}
	defer srv.Close()

	orders, err := nats.Connect(srv.URL(), nats.Name("orders"))
	if err != nil {
		return err
	}
	defer orders.Close()
	billing, err := nats.Connect(srv.URL(), nats.Name("billing"))
	if err != nil {
		return err
	}
	defer billing.Close()

	clients, err := srv.Server().Connz(nil) // what http://server:8222/connz shows
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "the server's clients:")
	for _, c := range clients.Conns {
		fmt.Fprintf(w, "  %q, written in %s\n", c.Name, c.Lang)
	}
	return nil
}

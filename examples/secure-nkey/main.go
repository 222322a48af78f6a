// Secure-nkey connects with a key pair instead of a shared secret: the server knows the
// public key only, and the client proves that it has the other half, the seed.
//
// Look at NkeyOptionFromSeed: it takes the file of the seed, which is read again for
// each signature. Where the seed is not in a file, nats.Nkey takes a function that signs.
//
// Output:
//
//	the server knows U…
//	connected with the seed in a file: CONNECTED
//	connected with a function that signs: CONNECTED
//	with another seed: nats: Authorization Violation
package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	user, err := nkeys.CreateUser() // once, and elsewhere: with the tool nk
	if err != nil {
		return err
	}
	public, err := user.PublicKey()
	if err != nil {
		return err
	}
	srv, err := demo.StartConfigured("authorization { users: [ { nkey: " + public + " } ] }")
	if err != nil {
		return err
	}
	defer srv.Close()
	fmt.Fprintln(w, "the server knows", public)

	nc, err := withSeed(srv.URL(), user)
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "connected with the seed in a file:", nc.Status())
	nc.Close()

	nc, err = nats.Connect(srv.URL(), nats.Nkey(public, user.Sign))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "connected with a function that signs:", nc.Status())
	nc.Close()

	stranger, err := nkeys.CreateUser()
	if err != nil {
		return err
	}
	if nc, err = withSeed(srv.URL(), stranger); err == nil {
		nc.Close()
		return errors.New("the server let a stranger in")
	}
	fmt.Fprintln(w, "with another seed:", err)
	return nil
}

// withSeed writes the seed of a user to a file, and connects with that.
func withSeed(url string, user nkeys.KeyPair) (*nats.Conn, error) {
	dir, err := os.MkdirTemp("", "secure-nkey")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	seed, err := user.Seed()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "user.nk")
	if err := os.WriteFile(file, seed, 0o600); err != nil {
		return nil, err
	}
	option, err := nats.NkeyOptionFromSeed(file)
	if err != nil {
		return nil, err
	}
	return nats.Connect(url, option)
}

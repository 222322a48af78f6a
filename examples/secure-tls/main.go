// Secure-tls connects to a server that has a certificate of the company's own authority,
// and that asks its clients for one too.
//
// Look at RootCAs and ClientCert, which take PEM files. They are read for each attempt
// to connect, so a new certificate takes effect without a restart. No server of such a
// connection is ever talked to without TLS.
//
// Output:
//
//	connected with TLS 1.3 to a server whose certificate says "server"
//	without trust in its authority: refused as unknown: true
//	without a certificate of its own: refused by the server: true
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

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
	dir, err := os.MkdirTemp("", "secure-tls")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	certs, err := testserver.NewCerts(dir) // an authority, and one certificate for each side
	if err != nil {
		return err
	}
	srv, err := demo.StartConfigured("", testserver.MutualTLS(certs))
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL(),
		nats.RootCAs(certs.CAFile),
		nats.ClientCert(certs.ClientCertFile, certs.ClientKeyFile))
	if err != nil {
		return err
	}
	defer nc.Close()
	state, err := nc.TLSConnectionState()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "connected with %s to a server whose certificate says %q\n",
		tls.VersionName(state.Version), state.PeerCertificates[0].Subject.CommonName)

	err = attempt(srv.URL(), nats.ClientCert(certs.ClientCertFile, certs.ClientKeyFile))
	var unknown x509.UnknownAuthorityError
	fmt.Fprintf(w, "without trust in its authority: refused as unknown: %v\n", errors.As(err, &unknown))

	err = attempt(srv.URL(), nats.RootCAs(certs.CAFile))
	fmt.Fprintln(w, "without a certificate of its own: refused by the server:", errors.Is(err, nats.ErrTLS))
	return nil
}

func attempt(url string, options ...nats.Option) error {
	nc, err := nats.Connect(url, options...)
	if err == nil {
		nc.Close()
	}
	return err
}

// Proxy-dialer connects through an HTTP proxy, as the networks of many companies ask
// for. Which proxy that is comes from the environment (HTTPS_PROXY, NO_PROXY), as for
// other programs.
//
// Look at dialer.go, which is made to be copied: a CONNECT request opens a tunnel
// through the proxy, and what comes out is a connection like any other, so TLS and
// WebSocket go through it too. SkipHostLookup leaves the names of servers to the
// proxy, which may be the only one that knows them.
//
// Without -url the page has servers and a proxy of its own (proxy.go), which knows
// two names. With it the environment is used as it is:
//
//	HTTPS_PROXY=http://proxy.example:3128 go run ./examples/proxy-dialer -url nats://nats.example
//
// Output:
//
//	nats://nats.example: connected, received "hello"
//	ws://ws.example: connected, received "hello"
//	the proxy made tunnels to [nats.example:4222 ws.example:80]
//	nats://elsewhere.example: … 403 Forbidden
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
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
	if url := demo.URL(); url != "" {
		return visit(w, url)
	}
	srv, err := demo.StartConfigured("", testserver.Websocket())
	if err != nil {
		return err
	}
	defer srv.Close()
	proxy, err := startProxy(map[string]string{
		"nats.example:4222": srv.Addr(),
		"ws.example:80":     strings.TrimPrefix(srv.WebsocketURL(), "ws://"),
	})
	if err != nil {
		return err
	}
	defer proxy.close()
	if err := useProxy(proxy.url()); err != nil {
		return err
	}

	for _, url := range []string{"nats://nats.example", "ws://ws.example"} {
		if err := visit(w, url); err != nil {
			return err
		}
	}
	fmt.Fprintln(w, "the proxy made tunnels to", proxy.made())
	if err := visit(w, "nats://elsewhere.example"); err != nil {
		fmt.Fprintln(w, "nats://elsewhere.example:", err)
	}
	return nil
}

// visit connects to a server through the proxy and has a message back.
func visit(w io.Writer, url string) error {
	nc, err := nats.Connect(url, nats.SetCustomDialer(&dialer{proxy: http.ProxyFromEnvironment}), nats.SkipHostLookup())
	if err != nil {
		return err
	}
	defer nc.Close()
	sub, err := nc.SubscribeSync("greetings")
	if err != nil {
		return err
	}
	if err := nc.Publish("greetings", []byte("hello")); err != nil {
		return err
	}
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s: connected, received %q\n", url, m.Data)
	return nil
}

// useProxy makes the environment name a proxy for all addresses.
func useProxy(url string) error {
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return os.Setenv("HTTPS_PROXY", url)
}

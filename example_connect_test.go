package nats_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

func ExampleConnect() {
	nc, err := nats.Connect(serverURL())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	fmt.Println(nc.Status())
	// Output: CONNECTED
}

// What a service that is to outlast everything sets: it looks for a server for ever,
// with pauses that grow, and says what happens.
func ExampleConnect_options() {
	nc, err := nats.Connect(serverURL(),
		nats.Name("billing"),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.ReconnectBackoff(100*time.Millisecond, 30*time.Second),
		nats.ReconnectBufSize(32<<20),
		nats.PingInterval(20*time.Second),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil { // nil: the program has closed the connection
				log.Println("lost the server:", err)
			}
		}),
		nats.ReconnectHandler(func(nc *nats.Conn) { log.Println("back on", nc.ConnectedUrlRedacted()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Println(err) }),
		nats.UndeliveredHandler(func(_ *nats.Conn, u nats.Undelivered) { log.Println("not sent:", u.Count, u.Err) }),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	fmt.Println(nc.Opts.Name, nc.IsConnected())
	// Output: billing true
}

// Several servers, tried in a random order unless DontRandomize is set.
func ExampleConnect_servers() {
	nc, err := nats.Connect("nats://127.0.0.1:1,"+serverURL(), nats.DontRandomize())
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	fmt.Println(len(nc.Servers()), "servers, on the second:", nc.ConnectedUrl() == serverURL())
	// Output: 2 servers, on the second: true
}

// Nobody listens there.
func ExampleConnect_errors() {
	_, err := nats.Connect("nats://127.0.0.1:1")
	if errors.Is(err, nats.ErrNoServers) {
		fmt.Println("no server")
	}
	// Output: no server
}

// Options as a value, for instance from a configuration file.
func ExampleOptions_Connect() {
	opts := nats.GetDefaultOptions()
	opts.Url = serverURL()
	opts.Name = "reports"
	opts.MaxReconnect = -1

	nc, err := opts.Connect()
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	fmt.Println(nc.Opts.Name)
	// Output: reports
}

// The program starts before the server does: what it publishes waits.
func ExampleRetryOnFailedConnect() {
	server := newServer()
	defer server.Close()
	server.Stop()

	connected := make(chan struct{})
	nc, err := nats.Connect(server.URL(),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond),
		nats.ConnectHandler(func(*nats.Conn) { close(connected) }))
	if err != nil {
		log.Fatal(err) // never for a server that is not there
	}
	defer nc.Close()
	if err := nc.Publish("greeting", []byte("early")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(nc.Status(), nc.BufferStats().Msgs)

	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	<-connected
	fmt.Println(nc.Status(), nc.BufferStats().Msgs)

	// Output:
	// RECONNECTING 1
	// CONNECTED 0
}

// A server whose certificate is signed by an authority of one's own. TLS that was
// asked for is never done without.
func ExampleRootCAs() {
	certs, server := newTLSServer(testserver.TLS)
	defer os.RemoveAll(certs.dir)
	defer server.Close()

	nc, err := nats.Connect(server.URL(), nats.RootCAs(certs.CAFile))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	state, err := nc.TLSConnectionState()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified:", len(state.VerifiedChains) > 0)
	// Output: verified: true
}

// The client has a certificate, too. Both files are read for each attempt to connect,
// so a new certificate needs no restart.
func ExampleClientCert() {
	certs, server := newTLSServer(testserver.MutualTLS)
	defer os.RemoveAll(certs.dir)
	defer server.Close()

	_, err := nats.Connect(server.URL(), nats.RootCAs(certs.CAFile))
	fmt.Println("without:", err == nil)

	nc, err := nats.Connect(server.URL(),
		nats.RootCAs(certs.CAFile), nats.ClientCert(certs.ClientCertFile, certs.ClientKeyFile))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()
	fmt.Println("with:", nc.IsConnected())

	// Output:
	// without: false
	// with: true
}

// A credentials file, as the tool nsc writes it. It is read for each attempt to
// connect.
func ExampleUserCredentials() {
	file, server := newOperatorServer()
	defer os.Remove(file)
	defer server.Close()

	nc, err := nats.Connect(server.URL(), nats.UserCredentials(file))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	_, err = nats.Connect(server.URL())
	fmt.Println(nc.Status(), "and without:", errors.Is(err, nats.ErrAuthorization))
	// Output: CONNECTED and without: true
}

// A WebSocket server: the URL is all that changes.
func ExampleCompression() {
	server := newServer(testserver.WebsocketCompression())
	defer server.Close()

	nc, err := nats.Connect(server.WebsocketURL(), nats.Compression(true))
	if err != nil {
		log.Fatal(err)
	}
	defer nc.Close()

	sub, err := nc.SubscribeSync("news")
	if err != nil {
		log.Fatal(err)
	}
	if err := nc.Publish("news", []byte("over ws")); err != nil {
		log.Fatal(err)
	}
	m, err := sub.NextMsg(5 * time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(m.Data))
	// Output: over ws
}

// Changes of the state arrive on a channel.
func ExampleConn_StatusChanged() {
	server := newServer()
	defer server.Close()

	nc, err := nats.Connect(server.URL(),
		nats.MaxReconnects(-1), nats.ReconnectWait(10*time.Millisecond))
	if err != nil {
		log.Fatal(err)
	}
	changes := nc.StatusChanged(nats.RECONNECTING, nats.CONNECTED, nats.CLOSED)

	server.Stop()
	fmt.Println(<-changes)
	if err := server.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-changes)
	nc.Close()
	fmt.Println(<-changes)

	// Output:
	// RECONNECTING
	// CONNECTED
	// CLOSED
}

// Custom-dialer makes a connection the advanced way: with a dialer of the program's own,
// and without the need for a server at the start.
//
// Look at DialContext: it may go through a proxy or a tunnel or, as here, say what
// happens. The library calls it for the first connection and for each later one. With
// RetryOnFailedConnect, Connect returns although there is no server, and what is
// published meanwhile is kept.
//
// Output:
//
//	no server yet: RECONNECTING
//	dialled 127.0.0.1:…
//	received "hello"
//	asked for a new connection
//	dialled 127.0.0.1:…
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// talker is a net.Dialer that says where it has got through.
type talker struct {
	net.Dialer
	w io.Writer
}

// Dial is what the library asks for. It calls DialContext where there is one, so
// that Close can end an attempt.
func (d *talker) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

func (d *talker) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err == nil {
		fmt.Fprintln(d.w, "dialled", address)
	}
	return conn, err
}

func run(w io.Writer) error {
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()
	srv.Down()

	dialer := &talker{w: w, Dialer: net.Dialer{Timeout: 5 * time.Second, KeepAlive: time.Minute}}
	nc, err := nats.Connect(srv.URL(), nats.SetCustomDialer(dialer),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintln(w, "no server yet:", nc.Status())
	sub, err := nc.SubscribeSync("greetings")
	if err != nil {
		return err
	}
	if err := nc.Publish("greetings", []byte("hello")); err != nil {
		return err
	}

	if err := srv.Up(); err != nil {
		return err
	}
	m, err := sub.NextMsg(10 * time.Second)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "received %q\n", m.Data)

	fmt.Fprintln(w, "asked for a new connection")
	if err := nc.ForceReconnect(); err != nil {
		return err
	}
	return nc.Flush()
}

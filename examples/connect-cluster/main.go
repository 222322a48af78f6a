// Connect-cluster connects to a cluster of three servers of which the program knows two.
//
// Look at the list in the URL, and at what becomes of it: the first server tells of the
// third, and when that first one stops the connection goes on with another. Without
// DontRandomize the servers are tried in random order, which spreads the clients.
//
// Output:
//
//	connected to s0
//	2 servers were given, 1 was discovered
//	s0 has stopped
//	connected to s1
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
	cluster, err := demo.StartCluster(3)
	if err != nil {
		return err
	}
	defer cluster.Close()
	urls := cluster.URLs()

	nc, err := nats.Connect(urls[0]+","+urls[1], nats.DontRandomize())
	if err != nil {
		return err
	}
	defer nc.Close()
	fmt.Fprintln(w, "connected to", nc.ConnectedServerName())
	discovered := len(nc.DiscoveredServers())
	fmt.Fprintf(w, "%d servers were given, %d was discovered\n", len(nc.Servers())-discovered, discovered)

	lost := nc.StatusChanged(nats.RECONNECTING)
	cluster.Servers[0].Stop()
	<-lost
	fmt.Fprintln(w, "s0 has stopped")
	if err := nc.Flush(); err != nil { // waits for the next server
		return err
	}
	fmt.Fprintln(w, "connected to", nc.ConnectedServerName())
	return nil
}

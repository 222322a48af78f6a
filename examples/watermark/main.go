// Watermark tells a program when its reconnect buffer fills up, while there is still room,
// and when it has emptied again.
//
// Look at the two marks: with 60 % of the buffer full the program learns of it and
// sends only what matters; below 20 % it is told that all is well. Between them nothing is told, so
// that a buffer at the edge does not make the program change its mind all the time.
//
// Output:
//
//	outage
//	published detail 1
//	published detail 2
//	published detail 3
//	above the mark: only totals from now on
//	published total 4
//	published total 5
//	the server is back
//	below the mark: details again
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"sync/atomic"
	"time"

	"github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/demo"
)

func main() {
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(w io.Writer) error {
	srv, err := demo.StartUnsteady()
	if err != nil {
		return err
	}
	defer srv.Close()

	var short atomic.Bool
	crossed := make(chan bool, 10)
	nc, err := nats.Connect(srv.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectBufMsgs(5),
		nats.ReconnectBufWatermark(0.6, 0.2, func(_ *nats.Conn, above bool) {
			if above {
				fmt.Fprintln(w, "above the mark: only totals from now on")
			} else {
				fmt.Fprintln(w, "below the mark: details again")
			}
			short.Store(above)
			crossed <- above
		}))
	if err != nil {
		return err
	}
	defer nc.Close()
	srv.Down(nc)
	fmt.Fprintln(w, "outage")

	for i := range 5 {
		text := fmt.Sprintf("detail %d", i+1)
		if short.Load() {
			text = fmt.Sprintf("total %d", i+1)
		}
		fmt.Fprintln(w, "published", text)
		if err := nc.Publish("figures", []byte(text)); err != nil {
			return err
		}
		if i == 2 { // 3 of 5: the handler is called beside the program
			<-crossed
		}
	}

	fmt.Fprintln(w, "the server is back")
	if err := srv.Up(); err != nil {
		return err
	}
	<-crossed
	return nil
}

// Headers sends a message with headers, as HTTP has them: keys with one value or more,
// beside the data.
//
// Look at the keys: other than in HTTP they are used exactly as given, capitals and all.
// Replies can have headers too.
//
// Output:
//
//	received "42.50" with Currency: EUR, 2 tags: [fresh checked]
//	key "currency": ""
//	the reply has Status-Code: 200
package main

import (
	"fmt"
	"io"
	"log"
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

func run(w io.Writer) error {
	srv, err := demo.Start()
	if err != nil {
		return err
	}
	defer srv.Close()

	nc, err := nats.Connect(srv.URL())
	if err != nil {
		return err
	}
	defer nc.Close()

	if _, err := nc.Subscribe("prices", func(m *nats.Msg) {
		fmt.Fprintf(w, "received %q with Currency: %s, %d tags: %v\n",
			m.Data, m.Header.Get("Currency"), len(m.Header.Values("Tag")), m.Header.Values("Tag"))
		fmt.Fprintf(w, "key %q: %q\n", "currency", m.Header.Get("currency"))
		reply := nats.NewMsg("") // RespondMsg sets the subject
		reply.Header.Set("Status-Code", "200")
		if err := m.RespondMsg(reply); err != nil {
			log.Print(err)
		}
	}); err != nil {
		return err
	}

	m := nats.NewMsg("prices")
	m.Data = []byte("42.50")
	m.Header.Set("Currency", "EUR")
	m.Header.Add("Tag", "fresh")
	m.Header.Add("Tag", "checked")
	reply, err := nc.RequestMsg(m, 5*time.Second) // PublishMsg, where no reply is wanted
	if err != nil {
		return err
	}
	fmt.Fprintln(w, "the reply has Status-Code:", reply.Header.Get("Status-Code"))
	return nil
}

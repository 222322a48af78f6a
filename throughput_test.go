package nats

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/child"
)

var throughputFor = flag.Duration("throughput", 50*time.Millisecond, "how long TestThroughputOfModes publishes in each mode and round")

func init() { child.Role("sink", serveSink) }

// serveSink is a server that throws every publish away and answers PINGs, in a process of
// its own so that its work does not count as the client's.
func serveSink([]string) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	for {
		conn, err := ln.Accept()
		if err != nil {
			return err
		}
		go drainInto(conn) // ends with the connection
	}
}

func drainInto(conn net.Conn) {
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "INFO %s\r\n", plainInfo)
	in := bufio.NewReaderSize(conn, 1<<20)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		switch line[0] {
		case 'P', 'H':
			if bytes.HasPrefix(line, []byte("PING")) {
				_, err = conn.Write([]byte("PONG\r\n"))
				break
			}
			if line[1] == 'O' {
				break
			}
			n := 0
			for _, c := range line[bytes.LastIndexByte(line, ' ')+1 : len(line)-2] {
				n = 10*n + int(c-'0')
			}
			_, err = in.Discard(n + len(crlf))
		}
		if err != nil && err != io.EOF {
			return
		}
	}
}

// What the modes cost a publisher of 128 bytes: the modes take turns, so what else
// the machine does meets all of them. Each is measured to the end of a flush.
func TestThroughputOfModes(t *testing.T) { // alone: it needs the whole machine
	if raceEnabled {
		t.Skip("the race detector is what would be measured")
	}
	p, addr, err := child.Start("sink")
	require.NoError(t, err)
	t.Cleanup(p.Kill)
	modes := []struct {
		name string
		opts []Option
		rate []float64 // messages a second, by round
	}{{"default", nil, nil}, {"AtLeastOnce", []Option{AtLeastOnce()}, nil},
		{"MsgIDHeader", []Option{MsgIDHeader()}, nil}, {"both", []Option{AtLeastOnce(), MsgIDHeader()}, nil}}
	for range 5 {
		for i := range modes {
			m := &modes[i]
			m.rate = append(m.rate, publishFor(t, addr, *throughputFor, m.opts...))
		}
	}
	median := func(i int) float64 {
		slices.Sort(modes[i].rate)
		return modes[i].rate[len(modes[i].rate)/2]
	}
	for i, m := range modes {
		t.Logf("%-12s %10.0f msgs/s (%.0f to %.0f), %.2f of the default's", m.name, median(i), m.rate[0], m.rate[len(m.rate)-1], median(i)/median(0))
	}
	// The goal is 0.8; this is for a machine that does other things too.
	require.Greater(t, median(1), median(0)*0.5, "AtLeastOnce costs too much")
}

// publishFor publishes for some time and returns the rate.
func publishFor(t *testing.T, addr string, d time.Duration, opts ...Option) float64 {
	nc, err := Connect("nats://"+addr, opts...)
	require.NoError(t, err)
	defer nc.Close()
	data := make([]byte, 128)
	n := 0
	start := time.Now()
	for ; n%1000 != 0 || time.Since(start) < d; n++ {
		if err := nc.Publish("foo", data); err != nil {
			require.NoError(t, err)
		}
	}
	require.NoError(t, nc.Flush())
	return float64(n) / time.Since(start).Seconds()
}

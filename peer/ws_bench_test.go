package peer

import (
	"bufio"
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	theirs "github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	ours "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/testserver"
)

// webClient is what the benchmarks need of a client.
type webClient struct {
	publish   func(subject string, data []byte) error
	flush     func() error
	subscribe func(subject string, each func()) error
}

var webClients = []struct {
	name    string
	connect func(b *testing.B, url string, compress bool) webClient
}{
	{"ours", func(b *testing.B, url string, compress bool) webClient {
		nc, err := ours.Connect(url, ours.Compression(compress))
		require.NoError(b, err)
		b.Cleanup(nc.Close)
		return webClient{nc.Publish, func() error { return nc.FlushTimeout(time.Minute) }, func(subject string, each func()) error {
			sub, err := nc.Subscribe(subject, func(*ours.Msg) { each() })
			require.NoError(b, sub.SetPendingLimits(-1, -1))
			return err
		}}
	}},
	{"theirs", func(b *testing.B, url string, compress bool) webClient {
		nc, err := theirs.Connect(url, theirs.Compression(compress))
		require.NoError(b, err)
		b.Cleanup(nc.Close)
		return webClient{nc.Publish, func() error { return nc.FlushTimeout(time.Minute) }, func(subject string, each func()) error {
			sub, err := nc.Subscribe(subject, func(*theirs.Msg) { each() })
			require.NoError(b, sub.SetPendingLimits(-1, -1))
			return err
		}}
	}},
}

// ways are what the clients talk to: a server, which takes the most of the time
// itself, and a peer that costs next to nothing.
var ways = []struct {
	name string
	url  func(b *testing.B, size int, count *atomic.Int64) string
}{
	{"server", func(b *testing.B, _ int, _ *atomic.Int64) string {
		return testserver.Run(b, testserver.WebsocketCompression()).WebsocketURL()
	}},
	{"wire", func(b *testing.B, size int, count *atomic.Int64) string { return barePeer(b, size, count) }},
}

func BenchmarkWebSocketPublish(b *testing.B) {
	for _, way := range ways {
		for _, size := range []int{16, 128, 1024, 16 << 10} {
			for _, c := range webClients {
				b.Run(fmt.Sprintf("%s/%d/%s", way.name, size, c.name), func(b *testing.B) {
					nc := c.connect(b, way.url(b, size, new(atomic.Int64)), false)
					data := make([]byte, size)
					b.SetBytes(int64(size))
					b.ReportAllocs()
					for range b.N { // not b.Loop: the flush counts too
						if err := nc.publish("foo", data); err != nil {
							b.Fatal(err)
						}
					}
					require.NoError(b, nc.flush())
				})
			}
		}
	}
}

func BenchmarkWebSocketSubscribe(b *testing.B) {
	for _, way := range ways {
		for _, size := range []int{16, 128, 1024, 16 << 10} {
			for _, c := range webClients {
				b.Run(fmt.Sprintf("%s/%d/%s", way.name, size, c.name), func(b *testing.B) {
					var want atomic.Int64
					url := way.url(b, size, &want)
					nc := c.connect(b, url, false)
					var seen atomic.Int64
					all := make(chan struct{})
					n := int64(b.N)
					require.NoError(b, nc.subscribe("foo", func() {
						if seen.Add(1) == n {
							close(all)
						}
					}))
					require.NoError(b, nc.flush())
					b.SetBytes(int64(size))
					b.ReportAllocs()
					b.ResetTimer()
					want.Store(n)
					if way.name == "server" {
						from := webClients[0].connect(b, url, false)
						data := make([]byte, size)
						window := max(1, int64(8<<20/size)) // more, and the server drops the subscriber
						for i := range n {
							for i-seen.Load() > window {
								time.Sleep(50 * time.Microsecond)
							}
							_ = from.publish("foo", data)
						}
						require.NoError(b, from.flush())
					}
					<-all
				})
			}
		}
	}
}

// barePeer is a WebSocket server that discards what comes, answers the PINGs of a
// flush, and sends as many messages as count says once it says so, to the first
// subscription.
func barePeer(b *testing.B, size int, count *atomic.Int64) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	var wg sync.WaitGroup
	wg.Go(func() { // ends with the listener and the connection
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		servePeer(conn, size, count)
	})
	b.Cleanup(func() { ln.Close(); wg.Wait() })
	return "ws://" + ln.Addr().String()
}

func servePeer(conn net.Conn, size int, count *atomic.Int64) {
	in := bufio.NewReaderSize(conn, 256<<10)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	_, _ = conn.Write(webMessage(`INFO {"server_id":"S","version":"2.10.0","proto":1,"headers":true,"max_payload":1048576}` + "\r\n"))
	ready, gone := make(chan struct{}), make(chan struct{})
	go func() { // ends when the client has hung up
		defer close(gone)
		pings, tail := 0, []byte(nil)
		for {
			head, payload, key, ok := webFrame(in)
			if !ok || head&0x0f == 8 {
				return
			}
			// Only small frames and the ends of large ones are unmasked: a PING of a flush is the last.
			skip := max(0, payload-len("\r\nPING\r\n")-256)
			if _, err := in.Discard(skip); err != nil {
				return
			}
			tail = append(tail[:0], make([]byte, payload-skip)...)
			if _, err := io.ReadFull(in, tail); err != nil {
				return
			}
			for i := range tail {
				tail[i] ^= key[(skip+i)%4]
			}
			if bytes.HasSuffix(tail, []byte("PING\r\n")) {
				_, _ = conn.Write(webMessage("PONG\r\n"))
				if pings++; pings == 2 { // after CONNECT, and after SUB
					close(ready)
				}
			}
		}
	}()
	select {
	case <-ready:
	case <-gone:
		return
	}
	for count.Load() == 0 {
		select {
		case <-gone:
			return
		case <-time.After(time.Millisecond):
		}
	}
	line := fmt.Sprintf("MSG foo 1 %d\r\n%s\r\n", size, strings.Repeat("x", size))
	perFrame := max(1, 64000/len(line))
	full := webMessage(strings.Repeat(line, perFrame))
	left := int(count.Load())
	for ; left >= perFrame; left -= perFrame {
		if _, err := conn.Write(full); err != nil {
			return
		}
	}
	_, _ = conn.Write(webMessage(strings.Repeat(line, left)))
	<-gone
}

// webMessage is a message of a server.
func webMessage(s string) []byte {
	head := []byte{0x82, 126}
	if len(s) > 0xffff {
		head[1] = 127
		return append(binary.BigEndian.AppendUint64(head, uint64(len(s))), s...)
	}
	return append(binary.BigEndian.AppendUint16(head, uint16(len(s))), s...)
}

// webFrame reads the head of a client's frame.
func webFrame(in *bufio.Reader) (first byte, payload int, key [4]byte, ok bool) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:2]); err != nil {
		return 0, 0, key, false
	}
	first, payload = head[0], int(head[1]&0x7f)
	switch payload {
	case 126:
		if _, err := io.ReadFull(in, head[:2]); err != nil {
			return 0, 0, key, false
		}
		payload = int(binary.BigEndian.Uint16(head[:]))
	case 127:
		if _, err := io.ReadFull(in, head[:8]); err != nil {
			return 0, 0, key, false
		}
		payload = int(binary.BigEndian.Uint64(head[:]))
	}
	_, err := io.ReadFull(in, key[:])
	return first, payload, key, err == nil
}

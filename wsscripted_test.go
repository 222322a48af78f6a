package nats

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// webURL is a scripted server's URL with the scheme of WebSocket.
func (s *scriptedServer) webURL() string { return strings.Replace(s.url(), "nats:", "ws:", 1) }

const switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"

// acceptKey is the answer to a client's key (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// request reads the request for an upgrade.
func (p *peerConn) request() (*http.Request, bool) {
	r, err := http.ReadRequest(p.in)
	return r, err == nil
}

// switchTo answers it; more are header lines.
func (p *peerConn) switchTo(r *http.Request, more string) bool {
	return p.say("%sSec-WebSocket-Accept: %s\r\n%s\r\n", switching, acceptKey(r.Header.Get("Sec-WebSocket-Key")), more)
}

// Operations of WebSocket frames, with the bit of the last one.
const (
	opText, opBinary, opMore            = 0x81, 0x82, 0x80
	opClose, opPing, opPongFrame        = 0x88, 0x89, 0x8a
	opBegin, opPackedBegin, opPackedAll = 0x02, 0x42, 0xc2
)

// send sends a frame.
func (p *peerConn) send(op byte, payload string) bool {
	head := []byte{op, byte(len(payload))}
	switch {
	case len(payload) > 0xffff:
		head[1] = 127
		head = binary.BigEndian.AppendUint64(head, uint64(len(payload)))
	case len(payload) > 125:
		head[1] = 126
		head = binary.BigEndian.AppendUint16(head, uint16(len(payload)))
	}
	_, err := p.TCPConn.Write(append(head, payload...))
	return err == nil
}

// webFrame is a frame of the client, unmasked.
type webFrame struct {
	op   byte // with the bits before it
	data string
}

// receive reads a frame. One that is not masked is none.
func (p *peerConn) receive() (webFrame, bool) {
	var head [14]byte
	if _, err := io.ReadFull(p.in, head[:2]); err != nil || head[1]&0x80 == 0 {
		return webFrame{}, false
	}
	n := uint64(head[1] & 0x7f)
	more := map[uint64]int{126: 2, 127: 8}[n]
	if _, err := io.ReadFull(p.in, head[2:2+more+4]); err != nil {
		return webFrame{}, false
	}
	switch more {
	case 2:
		n = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		n = binary.BigEndian.Uint64(head[2:])
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(p.in, data); err != nil {
		return webFrame{}, false
	}
	for i := range data {
		data[i] ^= head[2+more+i%4]
	}
	return webFrame{head[0], string(data)}, true
}

// welcomeWeb does the server's side of upgrade and handshake. It returns the request.
func (p *peerConn) welcomeWeb() (*http.Request, bool) {
	r, ok := p.request()
	if !ok || !p.switchTo(r, "") || !p.send(opBinary, fmt.Sprintf("INFO %s\r\n", plainInfo)) {
		return r, false
	}
	f, ok := p.receive()
	if !ok || !strings.HasPrefix(f.data, "CONNECT ") {
		return r, false
	}
	return r, p.send(opBinary, "PONG\r\n")
}

// serveWeb answers PINGs of NATS and gives every frame to see until the connection ends.
func (p *peerConn) serveWeb(see func(webFrame)) {
	for {
		f, ok := p.receive()
		if !ok {
			return
		}
		if see != nil {
			see(f)
		}
		for range strings.Count(f.data, "PING\r\n") {
			p.send(opBinary, "PONG\r\n")
		}
	}
}

// scriptedWeb is a scripted server whose script begins behind the handshake.
func scriptedWeb(t testing.TB, script func(*peerConn)) *scriptedServer {
	return scripted(t, func(p *peerConn) {
		if _, ok := p.welcomeWeb(); ok {
			script(p)
		}
	})
}

// webPair is both ends of a connection by WebSocket.
func webPair(t testing.TB, opts ...Option) (*Conn, *peerConn) {
	t.Helper()
	ch := make(chan *peerConn, 10)
	s := scriptedWeb(t, func(p *peerConn) {
		ch <- p
		<-t.Context().Done()
	})
	nc := connectTo(t, s.webURL(), append([]Option{quiet()}, opts...)...)
	p := got(t, ch, "connection")
	require.Zero(t, p.n)
	return nc, p
}

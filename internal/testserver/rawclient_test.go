package testserver

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

// patience bounds every wait in these tests.
const patience = 30 * time.Second

const tick = 5 * time.Millisecond

// rawClient speaks the client protocol by hand.
type rawClient struct {
	t    *testing.T
	conn net.Conn
	r    *bufio.Reader
	info server.Info // of the greeting
}

// dialRaw connects and reads the greeting.
func dialRaw(t *testing.T, addr string) *rawClient {
	t.Helper()
	conn, err := net.DialTimeout("tcp", addr, patience)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	c := &rawClient{t: t, conn: conn, r: bufio.NewReader(conn)}
	line := c.line()
	body, ok := strings.CutPrefix(line, "INFO ")
	require.True(t, ok, "greeting %q", line)
	require.NoError(t, json.Unmarshal([]byte(body), &c.info))
	return c
}

// connectRaw connects and waits for the server to take the CONNECT.
func connectRaw(t *testing.T, addr string) *rawClient {
	t.Helper()
	c := dialRaw(t, addr)
	c.handshake("")
	return c
}

// handshake sends the CONNECT, with more fields if there are any, and waits
// until nothing more is to come: the server sends an INFO behind its answer.
func (c *rawClient) handshake(more string) {
	c.t.Helper()
	c.send(`CONNECT {"verbose":false,"protocol":1,"headers":true` + more + "}\r\n")
	c.sync()
	c.sync()
}

// sync waits until the server has processed what was sent.
func (c *rawClient) sync() {
	c.t.Helper()
	c.send("PING\r\n")
	c.expect("PONG")
}

func (c *rawClient) send(s string) {
	c.t.Helper()
	_, err := c.conn.Write([]byte(s))
	require.NoError(c.t, err)
}

func (c *rawClient) line() string {
	c.t.Helper()
	line, err := c.r.ReadString('\n')
	require.NoError(c.t, err)
	return strings.TrimRight(line, "\r\n")
}

// expect reads up to a line that starts with want and returns it. Lines that
// a server may send at any time are skipped.
func (c *rawClient) expect(want string) string {
	c.t.Helper()
	for {
		line := c.line()
		switch {
		case strings.HasPrefix(line, want):
			return line
		case strings.HasPrefix(line, "INFO "):
		case line == "PING":
			c.send("PONG\r\n")
		default:
			require.Failf(c.t, "unexpected line", "got %q, want %q", line, want)
		}
	}
}

// request publishes body on subject with a reply inbox and returns the payload
// of the answer. It can be called once a client.
func (c *rawClient) request(subject, body string) string {
	c.t.Helper()
	c.send(fmt.Sprintf("SUB reply 1\r\nPUB %s reply %d\r\n%s\r\n", subject, len(body), body))
	fields := strings.Fields(c.expect("MSG reply 1 "))
	size, err := strconv.Atoi(fields[len(fields)-1])
	require.NoError(c.t, err)
	payload := c.line()
	require.Len(c.t, payload, size)
	return payload
}

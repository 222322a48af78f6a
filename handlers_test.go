package nats

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
)

// A getter returns what an option or a setter has set last.
func TestHandlersCanBeRead(t *testing.T) {
	t.Parallel()
	calls := make(chan string, 10)
	note := func(name string) ConnHandler { return func(*Conn) { calls <- name } }
	noteErr := func(name string) ConnErrHandler { return func(*Conn, error) { calls <- name } }
	_, nc := connect(t)
	require.NotNil(t, nc.ErrorHandler(), "there is one by default")
	require.Nil(t, nc.ClosedHandler())
	require.Nil(t, nc.ReconnectHandler())
	require.Nil(t, nc.DiscoveredServersHandler())
	require.Nil(t, nc.DisconnectErrHandler())
	nc.SetErrorHandler(func(*Conn, *Subscription, error) { calls <- "error" })
	nc.SetClosedHandler(note("closed"))
	nc.SetReconnectHandler(note("reconnected"))
	nc.SetDiscoveredServersHandler(note("discovered"))
	nc.SetDisconnectErrHandler(noteErr("disconnected"))
	nc.ErrorHandler()(nil, nil, nil)
	nc.ClosedHandler()(nil)
	nc.ReconnectHandler()(nil)
	nc.DiscoveredServersHandler()(nil)
	nc.DisconnectErrHandler()(nil, nil)
	for _, want := range []string{"error", "closed", "reconnected", "discovered", "disconnected"} {
		require.Equal(t, want, got(t, calls, "call"))
	}
	nc.SetErrorHandler(nil)
	require.Nil(t, nc.ErrorHandler())
	nc.SetClosedHandler(nil)
	nc.SetDisconnectErrHandler(nil)
}

// A server in lame duck mode is an event; the connection stays until the server goes.
func TestLameDuckMode(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	duck, onDuck := connEvents()
	lost, onLost := lossEvents()
	nc := connectTo(t, s.URL(), append(fast(), onLost, LameDuckModeHandler(onDuck))...)
	done := make(chan struct{})
	go func() { // ends with the server's lame duck mode
		s.LameDuck()
		close(done)
	}()
	require.Same(t, nc, got(t, duck, "lame duck event"))
	got(t, lost, "the server's end")
	got(t, done, "the server's end")
}

// The event comes for each INFO that says so, behind that of new servers, but not in
// the first connect.
func TestLameDuckEvents(t *testing.T) {
	t.Parallel()
	peers := make(chan *peerConn, 10)
	s := scripted(t, func(p *peerConn) {
		p.say("INFO %s\r\n", `{"server_id":"S","max_payload":1,"proto":1,"ldm":true}`)
		p.line()
		p.line()
		p.say("PONG\r\n")
		peers <- p
		p.serve(nil)
	})
	events := make(chan string, 10)
	nc := connectTo(t, s.url(),
		LameDuckModeHandler(func(*Conn) { events <- "duck" }),
		DiscoveredServersHandler(func(*Conn) { events <- "discovered" }))
	p := got(t, peers, "session")
	p.say("INFO %s\r\n", `{"server_id":"S","connect_urls":["127.0.0.1:1"],"ldm":true}`)
	p.say("INFO %s\r\n", `{"server_id":"S","connect_urls":["127.0.0.1:1"]}`)
	p.say("INFO %s\r\n", `{"server_id":"S","ldm":true}`)
	for _, want := range []string{"discovered", "duck", "duck"} {
		require.Equal(t, want, got(t, events, "event"))
	}
	require.True(t, nc.IsConnected())
	require.Empty(t, events)
}

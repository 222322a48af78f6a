package nats

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// dialLog is a CustomDialer that notes what it is asked for and goes where it is
// told; nowhere: every dial fails.
type dialLog struct {
	to string

	mu    sync.Mutex
	asked []string
}

func (d *dialLog) Dial(network, addr string) (net.Conn, error) {
	d.mu.Lock()
	d.asked = append(d.asked, network+" "+addr)
	d.mu.Unlock()
	if d.to == "" {
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.EHOSTUNREACH}
	}
	return net.DialTimeout(network, d.to, patience)
}

func (d *dialLog) seen() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.asked)
}

// welcoming is a scripted server that lets everybody in.
func welcoming(t testing.TB) *scriptedServer {
	return scripted(t, func(p *peerConn) {
		if _, ok := p.welcome(); ok {
			p.serve(nil)
		}
	})
}

func TestCustomDialer(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	d := &dialLog{to: s.ln.Addr().String()}
	nc := connectTo(t, "nats://10.1.2.3:77", SetCustomDialer(d),
		Dialer(&net.Dialer{Control: func(string, string, syscall.RawConn) error { return errors.New("not this one") }}))
	require.Equal(t, []string{"tcp 10.1.2.3:77"}, d.seen(), "it wins over Dialer")
	require.Equal(t, "nats://10.1.2.3:77", nc.ConnectedUrl())
}

// ctxDialer has the optional method, which is then the one that is used.
type ctxDialer struct {
	dialLog
	began chan struct{}
}

func (d *ctxDialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	d.began <- struct{}{}
	<-ctx.Done()
	return nil, ctx.Err()
}

// Close ends a dial that is under way.
func TestCustomDialerWithContext(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	nc := connectTo(t, s.url(), fast()...)
	d := &ctxDialer{began: make(chan struct{}, 10)}
	nc.mu.Lock()
	nc.Opts.CustomDialer = d
	nc.mu.Unlock()
	s.stop()
	got(t, d.began, "dial")
	require.Equal(t, RECONNECTING, nc.Status())
	nc.Close()
	got(t, nc.done, "end of the dial")
	require.Empty(t, d.seen())
}

func TestSkipHostLookup(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	d := &dialLog{to: s.ln.Addr().String()}
	connectTo(t, "nats://no.such.host.example:77", SetCustomDialer(d), SkipHostLookup())
	require.Equal(t, []string{"tcp no.such.host.example:77"}, d.seen())
}

// nameServer makes net.DefaultResolver answer every question with the given
// addresses, or with "no such name", until the test ends. Tests that use it
// cannot be parallel.
func nameServer(t *testing.T, addrs ...string) {
	t.Helper()
	old := net.DefaultResolver
	var wg sync.WaitGroup
	t.Cleanup(func() {
		net.DefaultResolver = old
		wg.Wait()
	})
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		client, server := net.Pipe()
		wg.Go(func() { // ends when the resolver closes its side
			defer server.Close()
			for answerQuestion(server, addrs) == nil {
			}
		})
		return client, nil
	}}
}

// answerQuestion answers one DNS question over a stream (RFC 1035, section 4).
func answerQuestion(rw io.ReadWriter, addrs []string) error {
	var size [2]byte
	if _, err := io.ReadFull(rw, size[:]); err != nil {
		return err
	}
	q := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(rw, q); err != nil {
		return err
	}
	end := 12
	for q[end] != 0 {
		end += int(q[end]) + 1
	}
	kind := binary.BigEndian.Uint16(q[end+1:])
	question := q[12 : end+5]
	var answers []byte
	n := 0
	for _, a := range addrs {
		if ip := net.ParseIP(a).To4(); kind == 1 && ip != nil {
			answers = append(answers, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			answers = append(answers, ip...)
			n++
		}
	}
	flags := byte(0x80) // no error
	if len(addrs) == 0 {
		flags = 0x83 // no such name
	}
	reply := append([]byte{q[0], q[1], 0x81, flags, 0, 1, 0, byte(n), 0, 0, 0, 0}, question...)
	reply = append(reply, answers...)
	_, err := rw.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(reply))), reply...))
	return err
}

// Compatibility 2.13: each address is tried once, until one answers.
func TestDialTriesEveryAddress(t *testing.T) {
	nameServer(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	d := &dialLog{}
	_, err := Connect("nats://joe:S3CRET@several.natsring.example:77", SetCustomDialer(d), DontRandomize())
	require.ErrorIs(t, err, syscall.EHOSTUNREACH)
	require.ErrorContains(t, err, "dialling nats://several.natsring.example:77")
	require.NotContains(t, err.Error(), "S3CRET")
	require.Equal(t, []string{"tcp 10.0.0.1:77", "tcp 10.0.0.2:77", "tcp 10.0.0.3:77"}, d.seen())

	s := welcoming(t)
	d = &dialLog{to: s.ln.Addr().String()}
	nc := connectTo(t, "several.natsring.example:77", SetCustomDialer(d))
	require.Len(t, d.seen(), 1, "the first one answered")
	require.Equal(t, "nats://several.natsring.example:77", nc.ConnectedUrl())
}

func TestDialShufflesAddresses(t *testing.T) {
	nameServer(t, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	first := map[string]bool{}
	for range 100 {
		d := &dialLog{}
		_, err := dial(t.Context(), &Options{CustomDialer: d, Timeout: patience}, "several.natsring.example", "77")
		require.Error(t, err)
		require.Len(t, d.seen(), 3)
		first[d.seen()[0]] = true
	}
	require.Len(t, first, 3)
}

// If there is no such name the dialer says so.
func TestDialUnknownHost(t *testing.T) {
	nameServer(t)
	d := &dialLog{}
	_, err := dial(t.Context(), &Options{CustomDialer: d, Timeout: patience}, "no.natsring.example", "77")
	require.ErrorIs(t, err, syscall.EHOSTUNREACH)
	require.Equal(t, []string{"tcp no.natsring.example:77"}, d.seen())

	_, err = Connect("nats://no.natsring.example:77", Dialer(&net.Dialer{Resolver: net.DefaultResolver}))
	var dns *net.DNSError
	require.True(t, errors.As(err, &dns), "%v", err)
	require.True(t, dns.IsNotFound)
	require.ErrorContains(t, err, "no such host")
	require.ErrorContains(t, err, "dialling nats://no.natsring.example:77")
}

// Compatibility 2.13: the dialer is copied, with its time shared by the addresses.
func TestDialerIsCopied(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	used := make(chan string, 10)
	mine := &net.Dialer{Timeout: 9 * time.Second, Control: func(network, addr string, _ syscall.RawConn) error {
		used <- network + " " + addr
		return nil
	}}
	connectTo(t, s.url(), Dialer(mine))
	require.Equal(t, "tcp4 "+s.ln.Addr().String(), got(t, used, "use of the dialer"))
	require.Equal(t, 9*time.Second, mine.Timeout)
}

// An address that takes no connection has its share of the time, not all of it.
func TestDialTimeIsShared(t *testing.T) {
	t.Parallel()
	var left time.Duration
	mine := &net.Dialer{
		Timeout: 30 * time.Second,
		ControlContext: func(ctx context.Context, _, _ string, _ syscall.RawConn) error {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return errors.New("far enough")
		},
	}
	_, err := dialFunc(&Options{Dialer: mine}, 3)(t.Context(), "127.0.0.1:1")
	require.ErrorContains(t, err, "far enough")
	require.LessOrEqual(t, left, 10*time.Second)
	require.Positive(t, left)
	require.Equal(t, 30*time.Second, mine.Timeout)
}

func TestNegativeTimeout(t *testing.T) {
	t.Parallel()
	s := welcoming(t)
	_, err := Connect(s.url(), Timeout(-1))
	require.ErrorIs(t, err, ErrBadTimeout)
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		dialer *net.Dialer
		text   string
	}{
		"no time":  {&net.Dialer{Timeout: 1}, "i/o timeout"},
		"no route": {&net.Dialer{Control: func(string, string, syscall.RawConn) error { return syscall.EHOSTUNREACH }}, "no route to host"},
	} {
		s := welcoming(t)
		_, err := Connect(strings.Replace(s.url(), "//", "//joe:S3CRET@", 1), Dialer(c.dialer))
		require.ErrorContains(t, err, c.text, name)
		require.ErrorContains(t, err, "dialling "+s.url(), name)
		require.NotContains(t, err.Error(), "S3CRET", name)
		var op *net.OpError
		require.True(t, errors.As(err, &op), name)
	}
}

// failingDialer is a CustomDialer whose dials all fail in the same way.
type failingDialer struct{ err error }

func (d failingDialer) Dial(string, string) (net.Conn, error) { return nil, d.err }

// Compatibility 9.15: a name is looked up again for each attempt.
func TestNamesAreResolvedForEachAttempt(t *testing.T) {
	d := &dialLog{}
	o := &Options{CustomDialer: d, Timeout: patience}
	for _, addr := range []string{"10.0.0.1", "10.0.0.2"} {
		nameServer(t, addr)
		_, err := dial(t.Context(), o, "moving.natsring.example", "77")
		require.Error(t, err)
	}
	require.Equal(t, []string{"tcp 10.0.0.1:77", "tcp 10.0.0.2:77"}, d.seen())
}

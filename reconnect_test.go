package nats

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
	"github.com/natsring/nats.go/internal/testserver"
)

// numbered makes payloads that begin with their number.
func numbered(n, size int) []byte {
	return append(fmt.Appendf(nil, "%06d ", n), strings.Repeat("x", size-7)...)
}

func numberOf(t testing.TB, data string) (n int) {
	_, err := fmt.Sscanf(data, "%06d ", &n)
	require.NoError(t, err)
	return n
}

// The new server cuts the connection after 300 kB, in the middle of the replay
// of 5,000 buffered messages of 1 kB. After the next reconnect everything that
// the kernel had not taken arrives, in order, and nothing arrives twice.
func TestReplayThatIsCutHalfWayLosesNothingUnsent(t *testing.T) {
	t.Parallel()
	const messages, cutAfter = 5000, 300_000
	var down atomic.Bool
	perConn := make([]frameLog, 10)
	cuts := make(chan struct{}, 1)
	s := scripted(t, func(p *peerConn) {
		if p.n > 0 && down.Load() {
			return
		}
		_ = p.SetReadBuffer(32 << 10) // the same on this side
		if _, ok := p.welcome(); !ok {
			return
		}
		log := &perConn[min(p.n, 9)]
		if len(cuts) == cap(cuts) || p.n == 0 {
			p.serve(log.add)
			return
		}
		read := 0
		for read < cutAfter {
			f, ok := p.frame()
			if !ok {
				return
			}
			log.add(f)
			read += len(f.line) + len(f.data) + 4
		}
		cuts <- struct{}{}
		p.cut()
	})
	// The client's socket takes little, so that the cut finds the replay under way.
	dialer := &net.Dialer{Timeout: patience, Control: smallSendBuffer}
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	taken := &takenDialer{dialer: dialer}
	nc := connectTo(t, s.url(), append(fast(), onLost, quiet(), ReconnectHandler(onBack), SetCustomDialer(taken))...)
	down.Store(true)
	s.mu.Lock()
	s.conns[0].cut()
	s.mu.Unlock()
	got(t, lost, "loss")
	for i := range messages {
		require.NoError(t, nc.Publish("foo", numbered(i, 1000)))
	}
	down.Store(false)
	got(t, back, "reconnect")
	require.Empty(t, lost, "a cut in the replay is still the same outage")
	require.NoError(t, nc.FlushTimeout(patience))

	next, inDoubt := 0, 0
	for i := range perConn {
		for _, data := range perConn[i].publishes() {
			n := numberOf(t, data)
			require.GreaterOrEqual(t, n, next, "out of order or twice")
			inDoubt += n - next
			next = n + 1
		}
	}
	require.Equal(t, messages, next, "the last message is missing")
	// What is missing was in the hands of the kernel when the server cut.
	t.Logf("%d of %d messages were with the kernel when the connection was cut, and never read", inDoubt, messages)
	require.LessOrEqual(t, inDoubt, taken.wholeFrames(1000+len("PUB foo 1000\r\n\r\n"))-(messages-inDoubt))
	require.Less(t, inDoubt, 500, "the sockets are small, so the kernels cannot have had more")
}

// takenDialer counts the bytes that the kernel took on each connection.
type takenDialer struct {
	dialer *net.Dialer
	conns  []*takenConn
}

type takenConn struct {
	net.Conn
	taken atomic.Int64
}

func (d *takenDialer) Dial(network, addr string) (net.Conn, error) {
	conn, err := d.dialer.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	c := &takenConn{Conn: conn}
	d.conns = append(d.conns, c) // dials are made one after the other
	return c, nil
}

func (c *takenConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.taken.Add(int64(n))
	return n, err
}

// wholeFrames is at most how many frames of a size all kernels together took.
func (d *takenDialer) wholeFrames(size int) int {
	total := 0
	for _, c := range d.conns {
		total += int(c.taken.Load()) / size
	}
	return total
}

// During a reconnect whose dial takes 1.5 s nothing else waits for it.
func TestNothingWaitsForASlowDial(t *testing.T) {
	t.Parallel()
	d := &slowDialer{}
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	s := testserver.Run(t)
	nc := connectTo(t, s.URL(), append(fast(), onLost, ReconnectHandler(onBack), SetCustomDialer(d))...)
	d.set(1500 * time.Millisecond)
	s.Kill()
	require.NoError(t, s.Start())
	got(t, lost, "loss")
	soon(t, func() bool { return d.count() >= 2 }, "no dial")
	var slowest time.Duration
	calls := 0
	for nc.Status() == RECONNECTING && len(back) == 0 {
		start := time.Now()
		require.NoError(t, nc.Publish("foo", []byte("x")))
		_, _, _ = nc.Status(), nc.Stats(), nc.LastError()
		_, _ = nc.ConnectedUrl(), nc.Servers()
		_, err := nc.Buffered()
		require.NoError(t, err)
		slowest = max(slowest, time.Since(start))
		calls++
		time.Sleep(time.Millisecond) // a pace, not a wait
	}
	got(t, back, "reconnect")
	t.Logf("%d rounds during the dial, the slowest took %v", calls, slowest)
	require.Greater(t, calls, 50)
	require.Less(t, slowest, 750*time.Millisecond, "a call waited for the dial")
	require.NoError(t, nc.FlushTimeout(patience))
}

// A server stops reading while 30 MB are buffered: Publish goes on as long as
// there is room, the stall ends the session after FlusherTimeout, and nothing
// that the kernel had not taken is gone.
func TestServerThatStopsReadingLosesNothingUnsent(t *testing.T) {
	t.Parallel()
	const size = 10_000
	const messages = 30_000_000 / size
	s := testserver.Run(t)
	proxy := faultproxy.Run(t, s.Addr())
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	failed, onErr := errEvents()
	nc := connectTo(t, proxy.URL(), append(fast(), onLost, onErr, ReconnectHandler(onBack),
		ReconnectBufSize(64<<20), FlusherTimeout(500*time.Millisecond))...)
	taken := nc.out.taken()
	sub, err := connectTo(t, s.URL()).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())
	require.NoError(t, sub.SetPendingLimits(-1, -1))

	proxy.Live().StopReading(faultproxy.Up)
	var slowest time.Duration
	for i := range messages {
		start := time.Now()
		require.NoError(t, nc.Publish("foo", numbered(i, size)))
		slowest = max(slowest, time.Since(start))
	}
	t.Logf("the slowest of %d publishes took %v", messages, slowest)
	require.Less(t, slowest, 400*time.Millisecond, "a publish waited for the stalled socket")
	cause := got(t, lost, "loss")
	require.ErrorContains(t, cause, "i/o timeout")
	require.ErrorContains(t, got(t, failed, "report of the failed write"), "i/o timeout")
	inKernel := int(nc.out.taken() - taken)
	buffered, err := nc.Buffered()
	require.NoError(t, err)
	t.Logf("the kernel took %d bytes, %d were still here after the write timeout", inKernel, buffered)
	got(t, back, "reconnect")
	require.NoError(t, nc.FlushTimeout(patience))

	frame := size + len(fmt.Sprintf("PUB foo %d\r\n\r\n", size))
	next, missing := 0, 0
	for next < messages {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err, "after message %d", next-1)
		n := numberOf(t, string(m.Data[:7]))
		require.GreaterOrEqual(t, n, next, "out of order or twice")
		missing += n - next
		next = n + 1
	}
	require.LessOrEqual(t, missing, inKernel/frame, "more is missing than the kernel had taken")
	_, _, err = sub.Pending()
	require.NoError(t, err)
}

// The connection is cut at every byte of a publish: the frame that was torn goes
// out whole on the next connection, and nothing goes out twice.
func TestFrameCutAtEveryByte(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	sub, err := connectTo(t, s.URL()).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())
	frame := "PUB foo 7\r\n000000 \r\n"
	for k := range len(frame) {
		proxy := faultproxy.Run(t, s.Addr())
		back, onBack := connEvents()
		nc := connectTo(t, proxy.URL(), append(fast(), quiet(), ReconnectHandler(onBack))...)
		proxy.Live().CutFrame(faultproxy.Up, faultproxy.FrameCut{Byte: k})
		require.NoError(t, nc.Publish("foo", numbered(k, 7)))
		got(t, back, "reconnect")
		require.NoError(t, nc.Publish("foo", numbered(1000+k, 7)))
		require.NoError(t, nc.FlushTimeout(patience))
		// The kernel had taken the first one whole, so only the second is certain.
		m, err := sub.NextMsg(patience)
		require.NoError(t, err)
		require.Equal(t, 1000+k, numberOf(t, string(m.Data)))
		nc.Close()
		proxy.Close()
	}
	_, err = sub.NextMsg(10 * time.Millisecond)
	require.ErrorIs(t, err, ErrTimeout, "something arrived twice")
}

// A frame of which the kernel took only a part is sent again from its first
// byte: here the socket itself takes k bytes and fails.
func TestTornFrameIsSentAgainWhole(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	sub, err := connectTo(t, s.URL()).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.conn.Flush())
	frame := len("PUB foo 7\r\n000000 \r\n")
	for k := range 2 * frame {
		d := &tearingDialer{}
		back, onBack := connEvents()
		nc := connectTo(t, s.URL(), append(fast(), quiet(), ReconnectHandler(onBack), SetCustomDialer(d))...)
		require.NoError(t, nc.Flush())
		d.last.Load().tearAfter(k)
		require.NoError(t, nc.Publish("foo", numbered(1, 7)))
		require.NoError(t, nc.Publish("foo", numbered(2, 7)))
		got(t, back, "reconnect")
		require.NoError(t, nc.FlushTimeout(patience))
		for want := 1; want <= 2; want++ {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err, "cut at %d: message %d", k, want)
			require.Equal(t, want, numberOf(t, string(m.Data)), "cut at %d", k)
		}
		nc.Close()
	}
	_, err = sub.NextMsg(10 * time.Millisecond)
	require.ErrorIs(t, err, ErrTimeout, "something arrived twice")
}

// tearingDialer makes connections that can be told to fail after k bytes.
type tearingDialer struct{ last atomic.Pointer[tearingConn] }

type tearingConn struct {
	net.Conn
	left atomic.Int64 // bytes still taken; negative: any number
}

func (d *tearingDialer) Dial(network, addr string) (net.Conn, error) {
	conn, err := net.DialTimeout(network, addr, patience)
	if err != nil {
		return nil, err
	}
	c := &tearingConn{Conn: conn}
	c.left.Store(-1)
	d.last.Store(c)
	return c, nil
}

func (c *tearingConn) tearAfter(n int) { c.left.Store(int64(n)) }

// Write delivers what it takes: the peer gets it before it sees the end.
func (c *tearingConn) Write(b []byte) (int, error) {
	left := c.left.Load()
	if left < 0 {
		return c.Conn.Write(b)
	}
	if int64(len(b)) <= left {
		c.left.Add(-int64(len(b)))
		return c.Conn.Write(b)
	}
	n, _ := c.Conn.Write(b[:left])
	c.left.Store(0)
	return n, io.ErrClosedPipe
}

// Publishes before, during and after an outage keep their order, and the
// subscriptions are there before what was buffered.
func TestOrderOverAnOutage(t *testing.T) {
	t.Parallel()
	var log frameLog
	var open atomic.Bool
	open.Store(true)
	s := scripted(t, func(p *peerConn) {
		if !open.Load() {
			return
		}
		if _, ok := p.welcome(); ok {
			p.serve(log.add)
		}
	})
	lost, onLost := lossEvents()
	back, onBack := connEvents()
	nc := connectTo(t, s.url(), append(fast(), onLost, ReconnectHandler(onBack))...)
	_, err := nc.SubscribeSync("a")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", []byte("1")))
	require.NoError(t, nc.Flush())
	open.Store(false)
	s.mu.Lock()
	s.conns[0].cut()
	s.mu.Unlock()
	got(t, lost, "loss")
	_, err = nc.SubscribeSync("b")
	require.NoError(t, err)
	gone, err := nc.SubscribeSync("c")
	require.NoError(t, err)
	require.NoError(t, gone.Unsubscribe())
	require.NoError(t, nc.Publish("foo", []byte("2")))
	require.NoError(t, nc.PublishMsg(&Msg{Subject: "foo", Reply: "r", Header: Header{"k": {"v"}}, Data: []byte("3")}))
	open.Store(true)
	got(t, back, "reconnect")
	require.NoError(t, nc.Publish("foo", []byte("4")))
	require.NoError(t, nc.FlushTimeout(patience))
	lines := log.lines()
	require.Equal(t, []string{"SUB a  1", "PUB foo 1", "PING"}, lines[:3])
	require.ElementsMatch(t, []string{"SUB a  1", "SUB b  2"}, lines[3:5])
	require.Equal(t, []string{"PUB foo 1", "HPUB foo r 18 19", "PUB foo 1", "PING"}, lines[5:])
	require.Equal(t, "NATS/1.0\r\nk: v\r\n\r\n3", log.publishes()[2])
}

func TestBufferOffRefusesAtOnce(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	s, nc := connect(t, append(fast(), onLost, ReconnectBufSize(-1))...)
	require.NoError(t, nc.Publish("foo", nil))
	require.NoError(t, nc.Flush())
	s.Kill()
	got(t, lost, "loss")
	require.ErrorIs(t, nc.Publish("foo", nil), ErrReconnectBufExceeded)
	n, err := nc.Buffered()
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestRetryOnFailedConnect(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	s.Stop()
	connected, onConnect := connEvents()
	failures := make(chan error, 100)
	nc := connectTo(t, s.URL(), append(fast(), RetryOnFailedConnect(true), ConnectHandler(onConnect),
		ReconnectHandler(func(*Conn) { t.Error("the first connection is no reconnect") }),
		DisconnectErrHandler(func(_ *Conn, err error) {
			if err != nil {
				t.Errorf("nothing was lost yet: %v", err)
			}
		}),
		ReconnectErrHandler(func(_ *Conn, err error) {
			select {
			case failures <- err:
			default:
			}
		}))...)
	require.Equal(t, RECONNECTING, nc.Status())
	require.ErrorIs(t, got(t, failures, "first error"), ErrNoServers)
	sub, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, nc.Publish("foo", []byte("early")))
	require.NoError(t, s.Start())
	got(t, connected, "first connection")
	m, err := sub.NextMsg(patience)
	require.NoError(t, err)
	require.Equal(t, "early", string(m.Data))
}

func TestServersExhausted(t *testing.T) {
	t.Parallel()
	closed, onClosed := connEvents()
	s, nc := connect(t, append(fast(), MaxReconnects(2), ClosedHandler(onClosed))...)
	s.Kill()
	got(t, closed, "close")
	require.Equal(t, CLOSED, nc.Status())
	require.ErrorIs(t, nc.LastError(), ErrNoServers)
	require.ErrorIs(t, nc.Publish("foo", nil), ErrConnectionClosed)
}

func TestNoReconnect(t *testing.T) {
	t.Parallel()
	lost, onLost := lossEvents()
	closed, onClosed := connEvents()
	s, nc := connect(t, NoReconnect(), onLost, ClosedHandler(onClosed))
	s.Kill()
	require.NoError(t, got(t, lost, "loss"), "the cause is in LastError")
	got(t, closed, "close")
	require.Error(t, nc.LastError())
	require.True(t, nc.IsClosed())
}

// Many losses in a row while publishing: every message arrives once, in order,
// or was with the kernel at a cut. The sum of those is bounded by what it took.
func TestManyCutsUnderLoad(t *testing.T) {
	t.Parallel()
	s := testserver.Run(t)
	proxy := faultproxy.Run(t, s.Addr())
	sub, err := connectTo(t, s.URL()).SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, sub.SetPendingLimits(-1, -1))
	require.NoError(t, sub.conn.Flush())
	back, onBack := connEvents()
	nc := connectTo(t, proxy.URL(), append(fast(), quiet(), ReconnectHandler(onBack))...)
	n := 0
	for range 20 {
		for range 500 {
			require.NoError(t, nc.Publish("foo", numbered(n, 100)))
			n++
		}
		proxy.Live().Cut(faultproxy.RSTClient)
		for range 500 {
			require.NoError(t, nc.Publish("foo", numbered(n, 100)))
			n++
		}
		got(t, back, "reconnect")
	}
	require.NoError(t, nc.FlushTimeout(patience))
	require.NoError(t, sub.conn.Flush())
	next := 0
	for next < n {
		m, err := sub.NextMsg(patience)
		require.NoError(t, err, "after %d of %d", next, n)
		i := numberOf(t, string(m.Data))
		require.GreaterOrEqual(t, i, next, "out of order or twice")
		next = i + 1
	}
}

package faultproxy

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fill writes until the sender is stopped and returns how many bytes went.
func fill(t *testing.T, c interface {
	Write([]byte) (int, error)
	SetWriteDeadline(time.Time) error
}) int64 {
	t.Helper()
	b := pattern(100_000)
	for sent := int64(0); ; {
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
		n, err := c.Write(b)
		sent += int64(n)
		if err != nil {
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NoError(t, c.SetWriteDeadline(time.Now().Add(patience)))
			return sent
		}
		require.Less(t, sent, int64(64<<20), "the sender is never stopped")
	}
}

func TestStopReading(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t, SocketBuffers(32<<10))
		r.pass(t, dir, pattern(100))
		from, to := r.ends(dir)
		r.p.Live().StopReading(dir)
		sent := fill(t, from)
		require.Positive(t, sent)
		require.Equal(t, Traffic{Read: 100, Forwarded: 100}, traffic(r.conn, dir))
		r.pass(t, Both^dir, []byte("the other direction goes on"))

		r.p.Live().Resume(dir)
		got := readN(t, to, int(sent))
		for i := 0; i < len(got); i += 100_000 {
			end := min(i+100_000, len(got))
			requireSame(t, pattern(100_000)[:end-i], got[i:end])
		}
		r.pass(t, dir, pattern(100))
	})
}

func TestStopReadingInFullFlow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := pattern(4 << 20)
	wrote := writeAside(r.client, data)
	read := make(chan []byte, 1)
	failed := make(chan error, 1)
	// Ends when all has come; the connection has a deadline.
	go func() {
		b := make([]byte, len(data))
		for n := 0; n < len(b); {
			k, err := r.server.Read(b[n:])
			if n += k; err != nil {
				failed <- err
				return
			}
		}
		read <- b
	}()
	for i := range int64(10) {
		require.NoError(t, r.p.WaitUp(testCtx(t), i*300_000))
		r.p.Live().StopReading(Up)
		before := r.conn.Stats().Up.Read
		r.p.Live().StopForwarding(Up, Hold)
		r.p.Live().Delay(Down, time.Duration(i))
		require.Equal(t, before, r.conn.Stats().Up.Read)
		r.p.Live().Resume(Up)
	}
	select {
	case b := <-read:
		requireSame(t, data, b)
	case err := <-failed:
		require.NoError(t, err, "at %+v", r.conn.Stats())
	}
	require.NoError(t, <-wrote)
}

func TestHold(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		r.pass(t, dir, pattern(100))
		from, to := r.ends(dir)
		r.p.Live().StopForwarding(dir, Hold)
		data := pattern(300_000)
		write(t, from, data)
		require.NoError(t, from.CloseWrite())
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Held() == 300_000 })
		require.EqualValues(t, 100, traffic(r.conn, dir).Forwarded)
		require.NoError(t, to.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err := to.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "neither a byte nor the FIN")
		require.NoError(t, to.SetReadDeadline(time.Now().Add(patience)))
		r.pass(t, Both^dir, []byte("the other direction goes on"))

		r.p.Live().Resume(dir)
		got, how := readToEnd(t, to)
		require.Equal(t, sawEOF, how)
		requireSame(t, data, got)
	})
}

func TestHoldLimit(t *testing.T) {
	t.Parallel()
	const limit = 100_000
	r := newRig(t, HoldLimit(limit), SocketBuffers(32<<10))
	r.p.Live().StopForwarding(Up, Hold)
	sent := fill(t, r.client)
	require.Greater(t, sent, int64(limit))
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Held() == limit })
	sent += fill(t, r.client)
	require.Equal(t, Traffic{Read: limit}, r.conn.Stats().Up)
	r.p.Live().Resume(Up)
	readN(t, r.server, int(sent))
	r.pass(t, Up, []byte("hello"))
}

func TestDrop(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		r.pass(t, dir, []byte("before"))
		from, to := r.ends(dir)
		r.p.Live().StopForwarding(dir, Hold)
		write(t, from, pattern(1000))
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Held() == 1000 })
		r.p.Live().StopForwarding(dir, Drop)
		write(t, from, pattern(1_500_000))
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Dropped == 1_501_000 })
		r.p.Live().Resume(dir)
		r.pass(t, dir, []byte("behind"))
		require.Equal(t, Traffic{Read: 1_501_012, Forwarded: 12, Dropped: 1_501_000}, traffic(r.conn, dir))

		r.p.Live().StopForwarding(dir, Drop)
		require.NoError(t, from.CloseWrite())
		require.NoError(t, to.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err := to.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, "the FIN is kept")
		require.NoError(t, to.SetReadDeadline(time.Now().Add(patience)))
		r.p.Live().Resume(dir)
		_, how := readToEnd(t, to)
		require.Equal(t, sawEOF, how)
	})
}

// Drop swallows frames; a cut counts only those that are forwarded.
func TestCutFrameAfterDrop(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Live().CutFrame(Up, FrameCut{Nth: 2, Byte: 1})
	r.p.Live().StopForwarding(Up, Drop)
	write(t, r.client, []byte(pub2+pub2+pub2))
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Dropped == int64(3*len(pub2)) })
	r.p.Live().Resume(Up)
	write(t, r.client, []byte(pub1+pub2))
	got, how := readToEnd(t, r.server)
	require.Equal(t, sawEOF, how)
	require.Equal(t, pub1+"P", string(got))
}

func TestDelay(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		const d = 150 * time.Millisecond
		r := newRig(t)
		r.p.Live().Delay(dir, d)
		from, to := r.ends(dir)
		data := pattern(500_000)
		start := time.Now()
		last := start
		for i := 0; i < len(data); i += 10_000 {
			last = time.Now()
			write(t, from, data[i:i+10_000])
		}
		first := readN(t, to, 1)
		require.GreaterOrEqual(t, time.Since(start), d)
		rest := readN(t, to, len(data)-1)
		require.GreaterOrEqual(t, time.Since(last), d)
		requireSame(t, data, append(first, rest...))

		start = time.Now()
		require.NoError(t, from.CloseWrite())
		_, how := readToEnd(t, to)
		require.GreaterOrEqual(t, time.Since(start), d, "the FIN is late too")
		require.Equal(t, sawEOF, how)
	})
}

func TestDelayDoesNotStopReading(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Live().Delay(Up, time.Hour)
	data := pattern(1 << 20)
	write(t, r.client, data)
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Held() == 1<<20 })
	require.Zero(t, r.conn.Stats().Up.Forwarded)
	r.p.Live().Delay(Up, 0)
	requireSame(t, data, readN(t, r.server, len(data)))
}

func TestThrottle(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		const rate, n = 500_000, 100_000
		r := newRig(t)
		r.p.Live().Throttle(dir, rate)
		from, to := r.ends(dir)
		data := pattern(n)
		start := time.Now()
		write(t, from, data)
		requireSame(t, data, readN(t, to, n))
		// The last piece does not wait for its own time.
		require.GreaterOrEqual(t, time.Since(start), (n-rate/50)*time.Second/rate)

		r.p.Live().Throttle(dir, 1)
		data = pattern(relayBuffer + n)
		write(t, from, data)
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Forwarded > n && tr.Held() == relayBuffer })
		r.p.Live().Clear()
		requireSame(t, data, readN(t, to, len(data)))
	})
}

// Faults for later connections are in force from their first byte.
func TestLaterStalls(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Later().StopForwarding(Both, Hold)
	r.pass(t, Up, []byte("not this one"))
	r.connect(t)
	write(t, r.client, []byte("up"))
	write(t, r.server, []byte("down"))
	waitTraffic(t, r.conn, Up, func(tr Traffic) bool { return tr.Held() == 2 })
	waitTraffic(t, r.conn, Down, func(tr Traffic) bool { return tr.Held() == 4 })
	held := *r
	r.p.Later().Resume(Both)
	r.connect(t)
	r.pass(t, Up, []byte("nor this one"))
	require.EqualValues(t, 2, held.conn.Stats().Up.Held())
	r.p.Live().Resume(Both)
	require.Equal(t, "up", string(readN(t, held.server, 2)))
	require.Equal(t, "down", string(readN(t, held.client, 4)))
}

func TestNextComesOnTopOfLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Next().CutAfter(Up, 2, RSTClient)
	r.p.Next().StopForwarding(Down, Hold)
	r.p.Later().StopForwarding(Down, Drop)
	r.connect(t)
	write(t, r.server, []byte("held"))
	waitTraffic(t, r.conn, Down, func(tr Traffic) bool { return tr.Held() == 4 })
	write(t, r.client, []byte("abc"))
	got, _ := readToEnd(t, r.server)
	require.Equal(t, "ab", string(got))

	r.connect(t)
	write(t, r.server, []byte("gone"))
	waitTraffic(t, r.conn, Down, func(tr Traffic) bool { return tr.Dropped == 4 })
	r.pass(t, Up, []byte("abc"))

	r.p.Next().Cut(RST)
	r.p.Later().Clear()
	r.connect(t)
	r.pass(t, Both^Up, []byte("all forgotten"))
}

func TestHalfClose(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		from, to := r.ends(dir)
		r.p.Live().StopForwarding(dir, Hold)
		write(t, from, []byte("read before"))
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Held() == 11 })
		r.p.Live().HalfClose(dir)
		write(t, from, pattern(1000))
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Dropped == 1000 })
		r.p.Live().Resume(dir)
		got, how := readToEnd(t, to)
		require.Equal(t, sawEOF, how)
		require.Equal(t, "read before", string(got))

		write(t, from, pattern(1_500_000))
		waitTraffic(t, r.conn, dir, func(tr Traffic) bool { return tr.Dropped == 1_501_000 })
		r.pass(t, Both^dir, []byte("the other direction goes on"))
		r.p.Live().Clear()
		require.NoError(t, to.CloseWrite())
		_, how = readToEnd(t, from)
		require.Equal(t, sawEOF, how)
		waitDone(t, r.conn)
	})
}

// Changes from many goroutines at once, in full flow, lose and double nothing.
func TestConcurrentChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := pattern(2 << 20)
	wrote := writeAside(r.client, data)
	stop := make(chan struct{})
	ended := make(chan struct{})
	const workers = 4
	for i := range workers {
		// Ends with stop.
		go func() {
			defer func() { ended <- struct{}{} }()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				f := r.p.All()
				switch (n + i) % 5 {
				case 0:
					f.StopReading(Up)
				case 1:
					f.StopForwarding(Up, Hold)
				case 2:
					f.Delay(Both, time.Duration(n%3)*time.Millisecond)
				case 3:
					f.Throttle(Up, int64(n%2)*100_000_000)
				}
				f.CutFrame(Up, FrameCut{Ops: []string{"NEVER"}})
				f.Resume(Both)
				_ = r.p.Stats()
			}
		}()
	}
	require.NoError(t, r.p.WaitUp(testCtx(t), 200_000))
	close(stop)
	for range workers {
		<-ended
	}
	r.p.All().Clear()
	requireSame(t, data, readN(t, r.server, len(data)))
	require.NoError(t, <-wrote)
}

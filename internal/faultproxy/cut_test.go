package faultproxy

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

// hows is what each side sees of a cut.
var hows = map[string]struct {
	how            How
	client, server outcome
}{
	"RSTClient": {RSTClient, sawReset, sawEOF},
	"RSTServer": {RSTServer, sawEOF, sawReset},
	"RST":       {RST, sawReset, sawReset},
	"FIN":       {FIN, sawEOF, sawEOF},
}

func TestCut(t *testing.T) {
	t.Parallel()
	for name, want := range hows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.pass(t, Up, []byte("hello"))
			r.p.Live().Cut(want.how)
			require.True(t, r.conn.Stats().Ended, "Cut returns when it has happened")
			_, how := readToEnd(t, r.client)
			require.Equal(t, want.client, how)
			_, how = readToEnd(t, r.server)
			require.Equal(t, want.server, how)
			// The proxy itself goes on.
			r.connect(t)
			r.pass(t, Up, []byte("again"))
		})
	}
}

func TestCutLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Later().Cut(FIN)
	for range 3 {
		require.Equal(t, sawEOF, dialToEnd(t, r.p.Addr()))
	}
	r.pass(t, Up, []byte("the old one is untouched"))
	r.p.Later().Clear()
	for range 3 {
		r.srv.accept(t)
	}
	r.connect(t)
	r.pass(t, Up, []byte("hello"))
}

func TestCutNext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Next().Cut(RST)
	require.Equal(t, sawReset, dialToEnd(t, r.p.Addr()))
	r.srv.accept(t)
	r.connect(t)
	r.pass(t, Up, []byte("only the next one"))
}

func TestCutAll(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.All().Cut(RST)
	_, how := readToEnd(t, r.client)
	require.Equal(t, sawReset, how)
	require.Equal(t, sawReset, dialToEnd(t, r.p.Addr()))
}

// sure is the way to cut a direction that lets its receiver read everything.
func sure(dir Direction) How {
	if dir == Down {
		return RSTServer
	}
	return RSTClient
}

func TestCutAfterLive(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		for _, n := range []int{0, 1, 999, 100_000} {
			t.Run(fmt.Sprint(n), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.pass(t, dir, pattern(77))
				from, to := r.ends(dir)
				r.p.Live().CutAfter(dir, int64(n), sure(dir))
				data := pattern(200_000)
				wrote := writeAside(from, data)
				got, how := readToEnd(t, to)
				require.Equal(t, sawEOF, how)
				requireSame(t, data[:n], got)
				<-wrote
				waitDone(t, r.conn)
				require.EqualValues(t, 77+n, traffic(r.conn, dir).Forwarded)
			})
		}
	})
}

func TestCutAfterResetsTheSender(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		from, _ := r.ends(dir)
		r.conn.Faults().CutAfter(dir, 5, sure(dir))
		write(t, from, []byte("hello, world"))
		_, how := readToEnd(t, from)
		require.Equal(t, sawReset, how)
	})
}

func TestCutAfterNext(t *testing.T) {
	directions(t, func(t *testing.T, dir Direction) {
		r := newRig(t)
		r.p.Next().CutAfter(dir, 12_345, sure(dir))
		r.pass(t, dir, pattern(20_000))
		r.connect(t)
		from, to := r.ends(dir)
		wrote := writeAside(from, pattern(20_000))
		got, how := readToEnd(t, to)
		require.Equal(t, sawEOF, how)
		requireSame(t, pattern(20_000)[:12_345], got)
		<-wrote
		r.connect(t)
		r.pass(t, dir, pattern(20_000))
	})
}

func TestCutAfterLaterIsForEach(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.All().CutAfter(Up, 3, RSTClient)
	for i := range 3 {
		if i > 0 {
			r.connect(t)
		}
		write(t, r.client, []byte("abcdef"))
		got, how := readToEnd(t, r.server)
		require.Equal(t, sawEOF, how)
		require.Equal(t, "abc", string(got))
	}
}

// A server that is slow to read, and whose own bytes have not been read, gets
// all that was forwarded before the cut, also what is still in the proxy's own
// send buffer.
func TestCutAfterDeliversToASlowServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.server.SetReadBuffer(32<<10))
	r.p.Live().StopReading(Down)
	write(t, r.server, pattern(50_000))
	const n = 400_000
	r.p.Live().CutAfter(Up, n, RSTClient)
	data := pattern(600_000)
	wrote := writeAside(r.client, data)
	waitDone(t, r.conn)
	<-wrote
	write(t, r.server, pattern(50_000))
	got, how := readToEnd(t, r.server)
	require.Equal(t, sawEOF, how)
	requireSame(t, data[:n], got)
}

// The count holds too when the cut is armed while bytes are being forwarded.
func TestCutAfterInFullFlow(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := pattern(8 << 20)
	wrote := writeAside(r.client, data)
	type result struct {
		b   []byte
		err error
	}
	read := make(chan result, 1)
	// Ends with the connection.
	go func() {
		b, err := io.ReadAll(r.server)
		read <- result{b, err}
	}()
	require.NoError(t, r.p.WaitUp(testCtx(t), 300_000))
	r.p.Live().StopForwarding(Up, Hold)
	before := r.conn.Stats().Up.Forwarded
	r.p.Live().CutAfter(Up, 100_001, RSTClient)
	require.Equal(t, before, r.conn.Stats().Up.Forwarded)
	r.p.Live().Resume(Up)
	waitDone(t, r.conn)
	<-wrote
	got := <-read
	require.NoError(t, got.err)
	requireSame(t, data[:before+100_001], got.b)
	up := r.conn.Stats().Up
	require.EqualValues(t, before+100_001, up.Forwarded)
	require.Zero(t, up.Held())
}

func TestCutAfterCanBeReplacedAndCleared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.p.Live().CutAfter(Up, 10, RSTClient)
	r.pass(t, Up, []byte("12345"))
	r.p.Live().CutAfter(Up, 10, RSTClient)
	r.pass(t, Up, []byte("123456789"))
	r.p.Live().Clear()
	r.pass(t, Up, []byte("1234567890"))
	r.p.Live().CutAfter(Up, 2, RSTClient)
	write(t, r.client, []byte("123"))
	got, how := readToEnd(t, r.server)
	require.Equal(t, sawEOF, how)
	require.Equal(t, "12", string(got))
}

func TestCutAfterHows(t *testing.T) {
	t.Parallel()
	for name, want := range hows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.p.Live().CutAfter(Up, 4, want.how)
			write(t, r.client, []byte("abcdef"))
			_, how := readToEnd(t, r.client)
			require.Equal(t, want.client, how)
			got, how := readToEnd(t, r.server)
			require.Equal(t, want.server, how)
			require.LessOrEqual(t, len(got), 4)
			if how == sawEOF {
				require.Equal(t, "abcd", string(got))
			}
		})
	}
}

func TestWrongArgumentsPanic(t *testing.T) {
	t.Parallel()
	p := Run(t, "127.0.0.1:1")
	for name, f := range map[string]func(Faults){
		"direction": func(f Faults) { f.Resume(0) },
		"unknown":   func(f Faults) { f.Resume(4) },
		"bytes":     func(f Faults) { f.CutAfter(Up, -1, RST) },
		"delay":     func(f Faults) { f.Delay(Up, -1) },
		"rate":      func(f Faults) { f.Throttle(Up, -1) },
		"frame":     func(f Faults) { f.CutFrame(Up, FrameCut{Nth: -1}) },
		"prefix":    func(f Faults) { f.CutFrame(Up, FrameCut{Prefix: string(make([]byte, maxArg+1))}) },
	} {
		require.Panics(t, func() { f(p.All()) }, name)
	}
}

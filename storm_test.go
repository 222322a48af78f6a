package nats

import (
	"bufio"
	"encoding/json"
	"flag"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	stormClients = flag.Int("storm", 200, "clients of TestStorm")
	stormOut     = flag.String("storm.out", "", "file for the figures of TestStorm, as JSON")
)

// The model of a storm. The server's capacity goes with the number of clients, so
// that few show the same picture as many.
const (
	stormDown    = 10 * time.Second       // how long the server is away
	stormTimeout = DefaultTimeout         // of a client's attempt
	stormLimit   = time.Minute            // then who is not back is given up
	stormBin     = 100 * time.Millisecond // of the histogram
)

// stormServers are the times that a server needs for a handshake with every client.
var stormServers = []time.Duration{5 * time.Second, 15 * time.Second}

// storm is what came of one setting.
type storm struct {
	Name     string
	Attempts []int   // per bin, from the server's death on
	Refused  int     // attempts while the server was away
	Late     int     // attempts that the client had given up when their turn came
	Back     int     // clients that are back within the limit
	AllBack  float64 // seconds from the server's return to the last of them
	Peak     int     // most attempts in a bin once the server was back
}

// storms is an element of the file of the figures: all settings with one server.
type storms struct {
	Clients                   int
	Down, Timeout, Limit, Bin float64 // seconds
	HandshakesSecond          float64
	Runs                      []storm
}

// stormSettings are compared.
var stormSettings = []struct {
	name string
	opts []Option
}{
	{"fixed wait of 2 s", []Option{ReconnectJitter(0, 0)}},
	{"2 s and jitter of 100 ms (default)", nil},
	{"2 s and jitter of 5 s", []Option{ReconnectJitter(5*time.Second, 5*time.Second)}},
	{"backoff of 1 s to 10 s", []Option{ReconnectBackoff(time.Second, 10*time.Second)}},
	{"backoff of 1 s to 30 s", []Option{ReconnectBackoff(time.Second, 30*time.Second)}},
}

// Whole connections, in virtual time, lose one server at once and want it back. It
// takes them one by one; who waits too long gives up, and its handshake is work for
// nothing.
func TestStorm(t *testing.T) {
	var all []storms
	for _, serves := range stormServers {
		one := storms{Clients: *stormClients, Down: stormDown.Seconds(), Timeout: stormTimeout.Seconds(), Limit: stormLimit.Seconds(),
			Bin: stormBin.Seconds(), HandshakesSecond: float64(*stormClients) / serves.Seconds()}
		for _, s := range stormSettings {
			virtually(t, func(t *testing.T) { one.Runs = append(one.Runs, runStorm(t, serves, s.name, s.opts)) })
			got := one.Runs[len(one.Runs)-1]
			t.Logf("all served in %v, %s: refused %d, at most %d in %v, late %d, %d back after %.1f s", serves, s.name,
				got.Refused, got.Peak, stormBin, got.Late, got.Back, got.AllBack)
		}
		all = append(all, one)
	}
	checkStorms(t, all)
	if *stormOut != "" {
		text, err := json.Marshal(all)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(*stormOut, append(text, '\n'), 0o644))
	}
}

// checkStorms holds what docs/SCALE.md concludes.
func checkStorms(t *testing.T, all []storms) {
	t.Helper()
	fast, slow, n := all[0].Runs, all[1].Runs, *stormClients
	for _, s := range fast {
		require.Equal(t, n, s.Back, s.Name)
	}
	fixed, classic, backoff := fast[0], fast[1], fast[3]
	require.Equal(t, n, fixed.Peak, "without jitter all come in one bin")
	require.Greater(t, classic.Peak, n/4, "100 ms of jitter do not spread")
	require.Less(t, backoff.Peak, n/10)
	require.Less(t, backoff.Late, fixed.Late/2)
	for _, s := range slow[:2] {
		require.Less(t, s.Back, n/2, "%s: the server works for those that have gone", s.Name)
	}
	require.Equal(t, n, slow[4].Back, slow[4].Name)
}

// runStorm lets the clients of one setting lose their server.
func runStorm(t *testing.T, serves time.Duration, name string, opts []Option) storm {
	t.Helper()
	n := &stormNet{up: true}
	t.Cleanup(n.serving.Wait) // in a bubble no time passes when the test is over
	back := make(chan time.Time, *stormClients)
	opts = append([]Option{SetCustomDialer(n), MaxReconnects(-1), PingInterval(0), Timeout(stormTimeout), quiet(),
		ReconnectHandler(func(*Conn) { back <- time.Now() })}, opts...)
	for range *stormClients {
		nc, err := Connect("10.0.0.0", opts...)
		require.NoError(t, err)
		t.Cleanup(nc.Close)
	}
	n.die()
	time.Sleep(stormDown) // virtual
	returned := n.rise(serves / time.Duration(*stormClients))
	last, count := comeBack(back)
	n.mu.Lock()
	defer n.mu.Unlock()
	after := int(returned.Sub(n.died) / stormBin)
	return storm{Name: name, Attempts: n.attempts, Refused: n.refused, Late: n.late, Back: count,
		AllBack: last.Sub(returned).Seconds(), Peak: slices.Max(n.attempts[after:])}
}

// comeBack waits for all clients, or the limit, and returns when the last of count
// came.
func comeBack(back <-chan time.Time) (last time.Time, count int) {
	limit := time.After(stormLimit)
	for count < *stormClients {
		select {
		case last = <-back:
			count++
		case <-limit:
			return last, count
		}
	}
	return last, count
}

// stormNet is a CustomDialer with one server, which does one handshake after the
// other.
type stormNet struct {
	serving sync.WaitGroup

	mu       sync.Mutex
	up       bool
	died     time.Time
	cost     time.Duration // of a handshake
	busy     time.Time     // until when the server is
	live     []net.Conn
	attempts []int
	refused  int
	late     int
}

// die ends every connection, 10 µs after the other as a dying process would.
func (n *stormNet) die() {
	n.mu.Lock()
	live := n.live
	n.up, n.live, n.died = false, nil, time.Now()
	n.mu.Unlock()
	for _, conn := range live {
		conn.Close()
		time.Sleep(10 * time.Microsecond)
	}
}

func (n *stormNet) rise(cost time.Duration) time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.up, n.cost, n.busy = true, cost, time.Now()
	return n.busy
}

func (n *stormNet) Dial(network, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.died.IsZero() {
		bin := int(time.Since(n.died) / stormBin)
		n.attempts = append(n.attempts, make([]int, max(0, bin+1-len(n.attempts)))...)
		n.attempts[bin]++
	}
	if !n.up {
		n.refused++
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	if now := time.Now(); n.busy.Before(now) {
		n.busy = now
	}
	n.busy = n.busy.Add(n.cost)
	n.live = append(n.live, server)
	turn := n.busy
	n.serving.Go(func() { n.serve(server, turn) }) // ends when either side closes the connection
	return client, nil
}

// serve shakes hands when the connection's turn has come.
func (n *stormNet) serve(conn net.Conn, turn time.Time) {
	defer conn.Close()
	time.Sleep(time.Until(turn))
	p := &memPeer{Conn: conn, in: bufio.NewReader(conn)}
	if p.welcome() {
		p.answer()
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.late++
}

package nats

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

// TestMain fails the package if a goroutine outlives the tests.
func TestMain(m *testing.M) { leaktest.VerifyTestMain(allTests{m}) }

// allTests are the tests with what comes behind the last of them.
type allTests struct{ m *testing.M }

func (a allTests) Run() int {
	code := a.m.Run()
	for _, f := range afterTests {
		f()
	}
	return code
}

var afterTests []func()

// AfterTests makes f be called behind the last test: examples have no cleanup of their
// own.
func AfterTests(f func()) { afterTests = append(afterTests, f) }

// patience is how long a test waits for what must happen. It is long because a
// loaded machine is slow, and costs nothing where all is well.
const patience = 20 * time.Second

// soon waits for a condition.
func soon(t testing.TB, cond func() bool, what string, args ...any) {
	t.Helper()
	require.Eventuallyf(t, cond, patience, 2*time.Millisecond, what, args...)
}

// got waits for a value.
func got[T any](t testing.TB, ch <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came: "+what)
		panic("unreachable")
	}
}

// fast are options for tests of outages: no pauses worth mentioning.
func fast() []Option {
	return []Option{ReconnectWait(10 * time.Millisecond), ReconnectJitter(0, 0), MaxReconnects(-1)}
}

// connectTo connects to a real or scripted server and closes the connection
// when the test ends.
func connectTo(t testing.TB, url string, opts ...Option) *Conn {
	t.Helper()
	nc, err := Connect(url, append([]Option{Timeout(patience)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(nc.Close)
	return nc
}

// connect starts a server and connects to it.
func connect(t testing.TB, opts ...Option) (*testserver.Server, *Conn) {
	t.Helper()
	s := testserver.Run(t)
	return s, connectTo(t, s.URL(), opts...)
}

// lossEvents returns an option whose channel gets the cause of each loss.
func lossEvents() (chan error, Option) {
	ch := make(chan error, 100)
	return ch, DisconnectErrHandler(func(_ *Conn, err error) { ch <- err })
}

// connEvents returns a channel and a handler that sends to it.
func connEvents() (chan *Conn, ConnHandler) {
	ch := make(chan *Conn, 100)
	return ch, func(nc *Conn) { ch <- nc }
}

// errEvents returns an option whose channel gets the ErrorHandler's errors.
func errEvents() (chan error, Option) {
	ch := make(chan error, 1000)
	return ch, ErrorHandler(func(_ *Conn, _ *Subscription, err error) {
		select {
		case ch <- err:
		default:
		}
	})
}

// slowDialer is a CustomDialer whose dials can be held up.
type slowDialer struct {
	mu    sync.Mutex
	delay time.Duration
	dials int
}

func (d *slowDialer) Dial(network, addr string) (net.Conn, error) {
	d.mu.Lock()
	delay := d.delay
	d.dials++
	d.mu.Unlock()
	time.Sleep(delay) // the fault itself, not a way to wait for something
	return net.DialTimeout(network, addr, patience)
}

func (d *slowDialer) set(delay time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delay = delay
}

func (d *slowDialer) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.dials
}

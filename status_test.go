package nats

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var allStatuses = []Status{DISCONNECTED, CONNECTED, CLOSED, RECONNECTING, CONNECTING, DRAINING_SUBS, DRAINING_PUBS}

// Compatibility 5.1.
func TestStatusNames(t *testing.T) {
	t.Parallel()
	names := []string{"DISCONNECTED", "CONNECTED", "CLOSED", "RECONNECTING", "CONNECTING", "DRAINING_SUBS", "DRAINING_PUBS"}
	for i, s := range allStatuses {
		require.EqualValues(t, i, s)
		require.Equal(t, names[i], s.String())
	}
	for _, s := range []Status{-1, 7, 1000} {
		require.Equal(t, "unknown status", s.String())
	}
}

// Every pair of statuses: what section 5 of the compatibility list asks for is
// possible, and CLOSED is the end.
func TestStatusMoves(t *testing.T) {
	t.Parallel()
	type move struct{ from, to Status }
	needed := []move{
		{DISCONNECTED, CONNECTING}, {CONNECTING, CONNECTED}, {CONNECTING, DISCONNECTED}, // 5.2
		{DISCONNECTED, RECONNECTING}, {CONNECTED, RECONNECTING}, {RECONNECTING, CONNECTING}, // 5.3
		{CONNECTING, RECONNECTING}, {CONNECTED, DISCONNECTED}, {DISCONNECTED, CLOSED}, // 5.4
		{CONNECTED, DRAINING_SUBS}, {DRAINING_SUBS, DRAINING_PUBS}, {DRAINING_PUBS, CLOSED}, // 5.5
		{DRAINING_SUBS, DISCONNECTED}, {DRAINING_PUBS, DISCONNECTED},
	}
	for _, from := range allStatuses {
		for _, to := range allStatuses {
			m := statusMachine{now: from}
			ok := m.move(to)
			if ok {
				require.Equal(t, to, m.now)
			} else {
				require.Equal(t, from, m.now)
			}
			switch {
			case slices.Contains(needed, move{from, to}):
				require.Truef(t, ok, "%v to %v", from, to)
			case from == CLOSED, from == to:
				require.Falsef(t, ok, "%v to %v", from, to)
			case to == CLOSED:
				require.Truef(t, ok, "%v to %v", from, to)
			case to == CONNECTED:
				require.Falsef(t, ok, "%v to %v: a session comes from a handshake", from, to)
			}
		}
	}
}

// Compatibility 5.7: an attempt to connect again is part of the outage.
func TestStatusVisible(t *testing.T) {
	t.Parallel()
	var m statusMachine
	require.Equal(t, DISCONNECTED, m.visible())
	steps := []struct{ to, seen Status }{
		{CONNECTING, CONNECTING}, {DISCONNECTED, DISCONNECTED}, {CONNECTING, CONNECTING}, {CONNECTED, CONNECTED},
		{RECONNECTING, RECONNECTING}, {CONNECTING, RECONNECTING}, {RECONNECTING, RECONNECTING},
		{CONNECTING, RECONNECTING}, {CONNECTED, CONNECTED}, {DISCONNECTED, DISCONNECTED}, {CLOSED, CLOSED},
	}
	for i, s := range steps {
		require.True(t, m.move(s.to), "step %d", i)
		require.Equal(t, s.seen, m.visible(), "step %d", i)
	}
}

// listened takes what a status channel holds.
func listened(ch chan Status) (got []Status) {
	for {
		select {
		case s, ok := <-ch:
			if !ok {
				return append(got, -1)
			}
			got = append(got, s)
		default:
			return got
		}
	}
}

// Compatibility 5.14.
func TestStatusListeners(t *testing.T) {
	t.Parallel()
	m := statusMachine{now: CONNECTED}
	usual := m.listen(nil)
	require.Equal(t, 10, cap(usual))
	all := m.listen(allStatuses)
	closing := m.listen([]Status{CLOSED})
	require.Empty(t, listened(all), "no value to begin with")
	for _, to := range []Status{DRAINING_SUBS, DRAINING_PUBS, DISCONNECTED, RECONNECTING, CONNECTING, CONNECTED, CLOSED} {
		require.True(t, m.move(to))
	}
	require.False(t, m.move(CONNECTING))
	require.Equal(t, []Status{DISCONNECTED, RECONNECTING, CONNECTED, CLOSED}, listened(usual))
	require.Equal(t, []Status{DRAINING_SUBS, DRAINING_PUBS, DISCONNECTED, RECONNECTING, CONNECTING, CONNECTED, CLOSED}, listened(all))
	require.Equal(t, []Status{CLOSED}, listened(closing))
}

// Compatibility 5.14 and 17.1: what finds the channel full is dropped, and the
// listener stays.
func TestStatusListenerFull(t *testing.T) {
	t.Parallel()
	m := statusMachine{now: CONNECTED}
	ch := m.listen([]Status{RECONNECTING, CONNECTED})
	for range 20 {
		require.True(t, m.move(RECONNECTING))
		require.True(t, m.move(CONNECTING))
		require.True(t, m.move(CONNECTED))
	}
	got := listened(ch)
	require.Len(t, got, 10)
	for i, s := range got {
		require.Equal(t, []Status{RECONNECTING, CONNECTED}[i%2], s, "the oldest ones stay, in order")
	}
	m.move(RECONNECTING)
	require.Equal(t, []Status{RECONNECTING}, listened(ch))
}

// Compatibility 5.14 to 5.16 and 17.1.
func TestStatusListenerRemoved(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		flapping(m, "10.0.0.0:4222")
		nc := inMemory(t, m, "10.0.0.0")
		closedByUser, unread, other := nc.StatusChanged(), nc.StatusChanged(), nc.StatusChanged()
		theirs := make(chan Status, 1)

		close(closedByUser)
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			p.welcome()
			p.answer()
		})
		cutSession(nc)
		time.Sleep(time.Minute)
		require.Equal(t, CONNECTED, nc.Status(), "a closed channel does no harm")
		nc.RemoveStatusListener(closedByUser)

		require.Len(t, unread, 2)
		nc.RemoveStatusListener(unread)
		require.Equal(t, []Status{RECONNECTING, CONNECTED, -1}, listened(unread), "closed, with its values")
		nc.RemoveStatusListener(unread)
		nc.RemoveStatusListener(theirs)
		theirs <- CLOSED // still open
		nc.RemoveStatusListener(nil)

		require.Equal(t, []Status{RECONNECTING, CONNECTED}, listened(other))
		nc.Close()
		require.Equal(t, []Status{CLOSED}, listened(other), "the others go on, and stay open behind the end")
		nc.RemoveStatusListener(other)
		require.Equal(t, []Status{-1}, listened(other))
		require.Empty(t, nc.state.listeners)
	})
}

// cutSession ends the connection's session as a broken socket does.
func cutSession(nc *Conn) {
	nc.mu.Lock()
	s := nc.session
	nc.mu.Unlock()
	s.conn.Close()
}

// statusStory connects to s0 with a listener for everything, lets f do something
// and returns the changes.
func statusStory(t *testing.T, opts []Option, f func(m *memNet, nc *Conn, cut chan struct{})) []Status {
	t.Helper()
	m := newMemNet()
	cut := flapping(m, "10.0.0.0:4222")
	nc := inMemory(t, m, "10.0.0.0", append([]Option{ReconnectWait(time.Second)}, opts...)...)
	ch := nc.StatusChanged(allStatuses...)
	f(m, nc, cut)
	synctest.Wait()
	return listened(ch)
}

// Compatibility 5.3 to 5.5 on a whole connection.
func TestStatusSequences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		opts []Option
		f    func(m *memNet, nc *Conn, cut chan struct{})
		want []Status
	}{
		"close": {nil, func(_ *memNet, nc *Conn, _ chan struct{}) { nc.Close() }, []Status{CLOSED}},
		"loss": {nil, func(m *memNet, nc *Conn, cut chan struct{}) {
			flapping(m, "10.0.0.0:4222")
			close(cut)
			time.Sleep(time.Minute)
		}, []Status{RECONNECTING, CONNECTING, CONNECTED}},
		"loss and a refused dial": {nil, func(m *memNet, nc *Conn, cut chan struct{}) {
			m.listen("10.0.0.0:4222", nil)
			close(cut)
			time.Sleep(1500 * time.Millisecond)
			flapping(m, "10.0.0.0:4222")
			time.Sleep(time.Minute)
		}, []Status{RECONNECTING, CONNECTING, CONNECTED}},
		"loss and a bad handshake": {nil, func(m *memNet, nc *Conn, cut chan struct{}) {
			m.listen("10.0.0.0:4222", says("HELLO\r\n"))
			close(cut)
			time.Sleep(1500 * time.Millisecond)
			flapping(m, "10.0.0.0:4222")
			time.Sleep(time.Minute)
		}, []Status{RECONNECTING, CONNECTING, RECONNECTING, CONNECTING, CONNECTED}},
		"loss for good": {[]Option{MaxReconnects(2)}, func(m *memNet, nc *Conn, cut chan struct{}) {
			m.listen("10.0.0.0:4222", nil)
			close(cut)
			<-nc.done
		}, []Status{RECONNECTING, CLOSED}},
		"loss without reconnect": {[]Option{NoReconnect()}, func(_ *memNet, nc *Conn, cut chan struct{}) {
			close(cut)
			<-nc.done
		}, []Status{DISCONNECTED, CLOSED}},
		"close in an outage": {nil, func(m *memNet, nc *Conn, cut chan struct{}) {
			m.listen("10.0.0.0:4222", nil)
			close(cut)
			synctest.Wait()
			nc.Close()
		}, []Status{RECONNECTING, CLOSED}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				require.Equal(t, c.want, statusStory(t, c.opts, c.f))
			})
		})
	}
}

// Compatibility 5.7: in a handshake of a reconnect the status is RECONNECTING,
// and asking for it waits for nothing.
func TestStatusDuringHandshake(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		cut := flapping(m, "10.0.0.0:4222")
		nc := inMemory(t, m, "10.0.0.0", ReconnectWait(0))
		require.True(t, nc.IsConnected())
		reached := make(chan struct{})
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			reached <- struct{}{}
			p.deaf()
		})
		close(cut)
		<-reached
		before := time.Now()
		require.Equal(t, RECONNECTING, nc.Status())
		require.True(t, nc.IsReconnecting())
		require.False(t, nc.IsConnected())
		require.False(t, nc.IsClosed())
		require.EqualValues(t, 1, nc.Stats().Reconnects)
		require.Empty(t, nc.ConnectedUrl())
		require.NoError(t, nc.Publish("foo", nil))
		nc.Close()
		require.True(t, nc.IsClosed())
		require.False(t, nc.IsReconnecting())
		require.Zero(t, time.Since(before))
	})
}

package nats

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// informer is a server that lets everybody in and says the INFOs it is given. It
// loses its clients when the channel is closed.
func informer(m *memNet, addr string) chan<- string {
	infos := make(chan string)
	m.listen(addr, func(p *memPeer) {
		if !p.welcome() {
			return
		}
		gone := make(chan struct{})
		go func() { // ends with the connection
			p.answer()
			close(gone)
		}()
		for {
			select {
			case info, ok := <-infos:
				if !ok || !p.say("INFO "+info+"\r\n") {
					return
				}
			case <-gone:
				return
			}
		}
	})
	return infos
}

// urlsInfo is an INFO that tells of servers.
func urlsInfo(urls ...string) string {
	return `{"server_id":"S","proto":1,"headers":true,"max_payload":1048576,"connect_urls":["` +
		strings.Join(urls, `","`) + `"]}`
}

// Compatibility 2.16 to 2.18 on a live connection.
func TestDiscoveryEvents(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		infos := informer(m, "10.0.0.0:4222")
		s := newStory()
		nc := inMemory(t, m, "nats://joe:S3CRET@10.0.0.0/x", s.option)
		require.Empty(t, nc.DiscoveredServers())
		require.NotNil(t, nc.DiscoveredServers())
		tell := func(urls ...string) (events []string) {
			infos <- urlsInfo(urls...)
			synctest.Wait()
			return s.soFar()
		}
		require.Equal(t, []string{"connected", "discovered"}, tell("10.0.0.0:4222", "10.0.0.1:4222", "b:5"))
		require.Equal(t, []string{"nats://10.0.0.0:4222", "nats://10.0.0.1:4222", "nats://b:5"}, nc.Servers())
		require.Equal(t, []string{"nats://10.0.0.1:4222", "nats://b:5"}, nc.DiscoveredServers())
		require.Empty(t, tell("b:5", "10.0.0.1:4222"), "nothing new")
		infos <- `{"server_id":"S","max_payload":1048576}`
		synctest.Wait()
		require.Len(t, nc.Servers(), 3, "an INFO without addresses removes none")
		require.Empty(t, tell("b:5"))
		require.Equal(t, []string{"nats://10.0.0.0:4222", "nats://b:5"}, nc.Servers())
		require.Empty(t, tell("b:5", "10.0.0.1:4222"), "it only came back")
		require.Equal(t, []string{"nats://b:5", "nats://10.0.0.1:4222"}, nc.DiscoveredServers())
		require.Equal(t, []string{"discovered"}, tell("b:5", "c:6"))
		for _, name := range append(nc.Servers(), nc.DiscoveredServers()...) {
			require.NotContains(t, name, "S3CRET")
			require.NotContains(t, name, "joe")
		}
	})
}

func TestDiscoveryIgnored(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		infos := informer(m, "10.0.0.0:4222")
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, IgnoreDiscoveredServers())
		infos <- urlsInfo("10.0.0.1:4222")
		infos <- `{"server_id":"T","max_payload":7,"connect_urls":["b:5"]}`
		synctest.Wait()
		require.EqualValues(t, 7, nc.MaxPayload(), "the rest of the INFO counts")
		require.Equal(t, []string{"nats://10.0.0.0:4222"}, nc.Servers())
		require.Equal(t, []string{"connected"}, s.soFar())
	})
}

// A server that was told of is used when the first one is lost, with the
// credentials of the one that told, and is not forgotten while it is current.
func TestDiscoveryReconnect(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		infos := informer(m, "10.0.0.0:4222")
		lines := make(chan string, 10)
		m.listen("10.0.0.1:4222", func(p *memPeer) {
			line, _ := p.shake(urlsInfo("10.0.0.2:4222"))
			lines <- line
			p.say("PONG\r\n")
			p.answer()
		})
		s := newStory()
		nc := inMemory(t, m, "nats://joe:S3CRET@10.0.0.0", s.option, UserInfo("other", "one"))
		infos <- urlsInfo("10.0.0.1:4222")
		synctest.Wait()
		m.restart()
		close(infos)
		require.Contains(t, <-lines, `"user":"joe","pass":"S3CRET"`)
		synctest.Wait()
		require.Equal(t, "10.0.0.1@0s", m.log())
		require.Equal(t, "nats://joe:S3CRET@10.0.0.1:4222", nc.ConnectedUrl())
		require.Equal(t, "nats://joe:xxxxx@10.0.0.1:4222", nc.ConnectedUrlRedacted())
		require.Equal(t, []string{"connected", "discovered", "disconnected: EOF", "discovered", "reconnected"}, s.soFar())
		require.ElementsMatch(t, []string{"nats://10.0.0.1:4222", "nats://10.0.0.0:4222", "nats://10.0.0.2:4222"}, nc.Servers())
		require.Equal(t, "nats://10.0.0.1:4222", nc.Servers()[0])
	})
}

// Compatibility 9.12 and 2.17: they have their own counters, which an INFO does
// not touch.
func TestDiscoveryCounters(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		infos := informer(m, "10.0.0.0:4222")
		closed, onClosed := connEvents()
		_, quiet := errEvents()
		nc := inMemory(t, m, "10.0.0.0", MaxReconnects(2), ReconnectWait(time.Second), ClosedHandler(onClosed), quiet)
		infos <- urlsInfo("10.0.0.1:4222")
		synctest.Wait()
		m.restart()
		// It tells of both once more before it goes.
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			m.listen("10.0.0.0:4222", nil)
			p.shake(urlsInfo("10.0.0.0:4222", "10.0.0.1:4222"))
		})
		close(infos)
		<-closed
		require.Equal(t, "10.0.0.1@0s 10.0.0.0@1s 10.0.0.1@1s 10.0.0.0@2s", m.log())
		require.Equal(t, ErrNoServers, nc.LastError())
	})
}

package nats

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Servers of these tests: what each address does with its first connection.
var firstConnectPeers = map[string]func(*memPeer){
	"refused": nil,
	"auth":    func(p *memPeer) { p.shake(plainInfo); p.say(saysViolation) },
	"limit":   func(p *memPeer) { p.shake(plainInfo); p.say("-ERR 'maximum connections exceeded'\r\n") },
	"eof":     func(*memPeer) {},
	"good":    func(p *memPeer) { p.welcome(); p.answer() },
}

// firstConnect connects to servers of the given kinds, tried in this order.
func firstConnect(t *testing.T, kinds string, opts ...Option) (*Conn, *memNet, error) {
	t.Helper()
	m := newMemNet()
	var url []string
	for i, kind := range strings.Fields(kinds) {
		addr := fmt.Sprintf("10.0.0.%d", i)
		peer, ok := firstConnectPeers[kind]
		require.True(t, ok, kind)
		m.listen(addr+":4222", peer)
		url = append(url, addr)
	}
	nc, err := Connect(strings.Join(url, ","), append([]Option{SetCustomDialer(m), DontRandomize()}, opts...)...)
	if err == nil {
		t.Cleanup(nc.Close)
	}
	return nc, m, err
}

// Compatibility 2.12: the error is the last server's, but a refused dial counts
// as none.
func TestFirstConnectErrors(t *testing.T) {
	t.Parallel()
	for kinds, c := range map[string]struct {
		same error // compared with ==
		is   error
		text string
	}{
		"refused":         {same: ErrNoServers},
		"refused refused": {same: ErrNoServers},
		"auth refused":    {same: ErrNoServers},
		"eof refused":     {same: ErrNoServers},
		"auth":            {is: ErrAuthorization, text: "nats: Authorization Violation"},
		"refused auth":    {is: ErrAuthorization, text: "nats: Authorization Violation"},
		"eof auth":        {is: ErrAuthorization, text: "nats: Authorization Violation"},
		"limit":           {text: "nats: maximum connections exceeded"},
		"eof":             {is: io.EOF, text: "nats: waiting for INFO from nats://10.0.0.0:4222: EOF"},
		"auth eof":        {is: io.EOF, text: "nats: waiting for INFO from nats://10.0.0.1:4222: EOF"},
	} {
		virtually(t, func(t *testing.T) {
			s := newStory()
			nc, m, err := firstConnect(t, kinds, s.option)
			require.Nil(t, nc, kinds)
			if c.same != nil {
				assert.True(t, err == c.same, "%s: %v", kinds, err)
			}
			if c.is != nil {
				assert.ErrorIs(t, err, c.is, kinds)
			}
			if c.text != "" {
				assert.EqualError(t, err, c.text, kinds)
			}
			assert.Len(t, m.dials, len(strings.Fields(kinds)), "%s: each once", kinds)
			assert.Zero(t, time.Since(m.start), "%s: no waits", kinds)
			assert.Empty(t, s.soFar(), "%s: no callbacks", kinds)
		})
	}
}

func TestFirstConnectFindsTheGoodOne(t *testing.T) {
	t.Parallel()
	for _, kinds := range []string{"good", "refused good", "auth eof limit refused good", "refused good auth"} {
		virtually(t, func(t *testing.T) {
			s := newStory()
			nc, m, err := firstConnect(t, kinds, s.option)
			require.NoError(t, err, kinds)
			n := 0
			for _, kind := range strings.Fields(kinds) {
				if n++; kind == "good" {
					break
				}
			}
			require.Len(t, m.dials, n, kinds)
			require.Equal(t, fmt.Sprintf("nats://10.0.0.%d:4222", n-1), nc.ConnectedUrl())
			synctest.Wait()
			require.Equal(t, []string{"connected"}, s.soFar())
		})
	}
}

// Without NoRandomize the order is any, but each server is tried.
func TestFirstConnectTriesAll(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for range 20 {
			_, m, err := firstConnect(t, "refused refused refused refused", func(o *Options) error {
				o.NoRandomize = false
				return nil
			})
			require.True(t, err == ErrNoServers)
			require.ElementsMatch(t, []string{"10.0.0.0:4222@0s", "10.0.0.1:4222@0s", "10.0.0.2:4222@0s", "10.0.0.3:4222@0s"}, m.dials)
		}
	})
}

// telling is a server that refuses everybody but tells of others.
func telling(urls ...string) func(*memPeer) {
	info := `{"proto":1,"connect_urls":["` + strings.Join(urls, `","`) + `"]}`
	return func(p *memPeer) {
		p.shake(info)
		p.say(saysViolation)
	}
}

// Compatibility 2.11: what a server tells before it refuses is tried too.
func TestFirstConnectGrowingPool(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		m.listen("10.0.0.0:4222", telling("10.0.0.1:4222", "10.0.0.2:4222"))
		m.listen("10.0.0.2:4222", firstConnectPeers["good"])
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option)
		require.Equal(t, "nats://10.0.0.2:4222", nc.ConnectedUrl())
		require.Equal(t, "10.0.0.0@0s 10.0.0.1@0s 10.0.0.2@0s", m.log())
		synctest.Wait()
		require.Equal(t, []string{"connected"}, s.soFar(), "no event for servers found meanwhile")
	})
}

// Servers that tell of ever other ones must not lead a client in circles or make
// it crash.
func TestFirstConnectChangingPool(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		m.listen("10.0.0.0:4222", telling("10.0.0.1:4222", "10.0.0.2:4222", "10.0.0.3:4222", "10.0.0.4:4222"))
		m.listen("10.0.0.1:4222", telling("10.0.0.0:4222"))
		_, err := Connect("10.0.0.0", SetCustomDialer(m), DontRandomize())
		require.ErrorIs(t, err, ErrAuthorization)
		require.Equal(t, "10.0.0.0@0s 10.0.0.1@0s", m.log(), "the others are not there any more")
	})
}

// Servers that each tell of one that nobody knew do not keep Connect for ever.
func TestFirstConnectEndlessPool(t *testing.T) {
	t.Parallel()
	const many = 3000
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		for i := range many {
			tell := telling(fmt.Sprintf("h%d.example:1", i+1))
			m.listen(fmt.Sprintf("h%d.example:1", i), func(p *memPeer) {
				time.Sleep(time.Second)
				tell(p)
			})
		}
		_, err := Connect("h0.example:1", SetCustomDialer(m), SkipHostLookup())
		require.Error(t, err)
		require.Less(t, len(m.dials), many)
	})
}

// Compatibility 2.11: each server of the list is tried once, also when the pool
// is shuffled meanwhile because servers tell of new ones.
func TestFirstConnectShuffledPool(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for range 60 {
			m := newMemNet()
			m.listen("10.0.0.0:4222", telling("10.0.1.0:4222"))
			m.listen("10.0.0.1:4222", telling("10.0.1.1:4222"))
			m.listen("10.0.0.2:4222", telling("10.0.1.2:4222"))
			m.listen("10.0.0.3:4222", firstConnectPeers["good"])
			nc, err := Connect("10.0.0.0,10.0.0.1,10.0.0.2,10.0.0.3", SetCustomDialer(m))
			require.NoError(t, err, "after %s", m.log())
			nc.Close()
		}
	})
}

// Compatibility 5.9: a failed Connect leaves nothing behind.
func TestFirstConnectLeavesNothing(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) { // fails if a goroutine is left
		m := newMemNet()
		m.listen("10.0.0.0:4222", (*memPeer).deaf)
		s := newStory()
		nc, err := Connect("10.0.0.0", SetCustomDialer(m), s.option)
		require.Error(t, err)
		require.Nil(t, nc)
		require.Equal(t, DefaultTimeout, time.Since(m.start))
		require.Empty(t, s.soFar())
	})
}

// An error of dialling names the server and can be looked into.
func TestFirstConnectDialError(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	_, err := Connect("nats://joe:S3CRET@10.0.0.0,nats://joe:S3CRET@10.0.0.1", DontRandomize(),
		SetCustomDialer(failingDialer{boom}))
	require.ErrorIs(t, err, boom)
	require.EqualError(t, err, "nats: dialling nats://10.0.0.1:4222: boom")
}

// Close during a retried first connect ends it, whatever it is doing.
func TestFirstConnectRetriedAndClosed(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		var reached atomic.Int32
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			reached.Add(1)
			p.deaf()
		})
		s := newStory()
		nc := inMemory(t, m, "10.0.0.0", s.option, RetryOnFailedConnect(true), ReconnectWait(time.Second))
		time.Sleep(DefaultReconnectWait)
		require.EqualValues(t, 2, reached.Load())
		require.Equal(t, RECONNECTING, nc.Status(), "though a handshake is under way")
		before := time.Now()
		nc.Close()
		<-nc.done
		require.Zero(t, time.Since(before))
	})
}

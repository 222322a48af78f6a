package nats

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A message on which connections break again and again is given up and reported;
// all others get through. One that only a bad link has cut a few times is sent.
func TestMessageThatBreaksConnections(t *testing.T) {
	t.Parallel()
	const welcomed = 1
	big := strings.Repeat("x", 16<<20) // more than the kernel takes unread
	hangUp := func(p *peerConn) { _ = p.CloseWrite(); p.await() }
	violation := func(p *peerConn) { p.say("-ERR 'Maximum Payload Violation'\r\n"); hangUp(p) }
	for _, tc := range []struct {
		name   string
		end    func(*peerConn)
		times  int // then the server takes it
		poison bool
	}{
		{"server hangs up twice", hangUp, 2, true},
		{"server hangs up once", hangUp, 1, false},
		{"payload violation twice", violation, 2, true},
		{"payload violation once", violation, 1, false},
		{"link breaks 6 times", (*peerConn).cut, 6, true},
		{"link breaks 4 times", (*peerConn).cut, 4, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var seen frameLog
			gone := make(chan struct{})
			s := scripted(t, func(p *peerConn) {
				if !p.say("INFO %s\r\n", strings.Replace(plainInfo, "1048576", "67108864", 1)) {
					return
				}
				p.line()
				p.line()
				p.say("PONG\r\n")
				switch {
				case p.n == 0:
					<-gone
				case p.n < welcomed+tc.times:
					for {
						line, ok := p.line()
						if strings.HasPrefix(line, "PUB big") || !ok {
							break
						}
						if strings.HasPrefix(line, "PUB small") {
							data, _ := p.line()
							seen.add(wireFrame{op: "PUB", line: line, data: data})
						}
					}
					tc.end(p)
				default:
					p.serve(seen.add)
				}
			})
			lost, onLost := lossEvents()
			undelivered, onUndelivered := undeliveredEvents()
			_, silent := errEvents()
			nc := connectTo(t, s.url(), append(fast(), onLost, onUndelivered, silent, ReconnectBufSize(64<<20))...)
			close(gone)
			got(t, lost, "loss")
			want := []string{"1", "2"}
			require.NoError(t, nc.Publish("small", []byte("1")))
			require.NoError(t, nc.Publish("big", []byte(big)))
			require.NoError(t, nc.Publish("small", []byte("2")))
			if tc.poison {
				u := got(t, undelivered, "report")
				require.ErrorIs(t, u.Err, ErrPoison)
				require.Equal(t, big, string(u.Msg.Data))
			} else {
				want = []string{"1", big, "2"}
			}
			soon(t, func() bool { return len(seen.publishes()) >= len(want) }, "not all came")
			require.Empty(t, undelivered)
			require.Equal(t, fmt.Sprint(want), fmt.Sprint(seen.publishes()))
			require.EqualValues(t, btou(tc.poison), nc.BufferStats().Undelivered)
		})
	}
}

func btou(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

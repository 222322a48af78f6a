package testserver

import (
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

const createStream = "$JS.API.STREAM.CREATE.S"

func TestJetStreamSurvivesRestart(t *testing.T) {
	t.Parallel()
	for name, restart := range map[string]func(*Server) error{
		"restart": (*Server).Restart,
		"kill": func(s *Server) error {
			s.Kill()
			return s.Start()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := Run(t, JetStream())
			require.True(t, connectRaw(t, s.Addr()).info.JetStream)
			reply := connectRaw(t, s.Addr()).request(createStream, `{"name":"S","subjects":["s.>"],"storage":"file"}`)
			require.NotContains(t, reply, "error")
			for range 3 {
				reply = connectRaw(t, s.Addr()).request("s.a", "hello")
				require.Contains(t, reply, `"stream":"S"`)
			}
			require.NoError(t, restart(s))
			info, err := s.Server().Jsz(&server.JSzOptions{Streams: true})
			require.NoError(t, err)
			require.Equal(t, 1, info.Streams)
			require.EqualValues(t, 3, info.Messages)
		})
	}
}

func TestJetStreamServersDoNotShareData(t *testing.T) {
	t.Parallel()
	a, b := Run(t, JetStream()), Run(t, JetStream())
	require.NotEqual(t, a.Server().StoreDir(), b.Server().StoreDir())
}

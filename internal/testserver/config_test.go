package testserver

import (
	"os"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/stretchr/testify/require"
)

func TestConfigText(t *testing.T) {
	t.Parallel()
	s := RunConfig(t, `
		server_name: fromtext
		authorization { user: me, password: secret }
	`)
	c := dialRaw(t, s.Addr())
	require.Equal(t, "fromtext", c.info.Name)
	require.Equal(t, "127.0.0.1", c.info.Host)
	require.True(t, c.info.AuthRequired)
	c.handshake(`,"user":"me","pass":"secret"`)

	c = dialRaw(t, s.Addr())
	c.send(`CONNECT {"user":"me","pass":"wrong"}` + "\r\nPING\r\n")
	c.expect("-ERR 'Authorization Violation'")

	require.NoError(t, s.Restart())
	require.Equal(t, "fromtext", dialRaw(t, s.Addr()).info.Name)
}

func TestConfigTextNamesThePort(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"any port": "port: -1",
		"listen":   "listen: 127.0.0.1:-1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := RunConfig(t, text)
			require.Positive(t, s.Port())
			addr := s.Addr()
			require.NoError(t, s.Restart())
			require.Equal(t, addr, s.Addr())
			require.Equal(t, s.Port(), connectRaw(t, addr).info.Port)
			require.NoError(t, s.Server().Reload())
		})
	}
	t.Run("this port", func(t *testing.T) {
		t.Parallel()
		other := Run(t)
		other.Stop() // its port is held, but free to those who ask for it
		addr := other.Addr()
		s := RunConfig(t, "listen: "+addr)
		require.Equal(t, addr, s.Addr())
		connectRaw(t, addr)
	})
}

func TestOptionsComeAfterTheText(t *testing.T) {
	t.Parallel()
	s := RunConfig(t, "server_name: a\nmax_payload: 1000", func(o *server.Options) {
		require.Equal(t, "a", o.ServerName)
		o.ServerName = "b"
	})
	info := dialRaw(t, s.Addr()).info
	require.Equal(t, "b", info.Name)
	require.EqualValues(t, 1000, info.MaxPayload)
}

func TestConfigReload(t *testing.T) {
	t.Parallel()
	s := RunConfig(t, "max_payload: 1000\njetstream: enabled")
	text, err := os.ReadFile(s.ConfigFile())
	require.NoError(t, err)
	changed := strings.Replace(string(text), "1000", "2000", 1)
	require.NoError(t, os.WriteFile(s.ConfigFile(), []byte(changed), 0o600))
	require.NoError(t, s.Server().Reload())
	info := connectRaw(t, s.Addr()).info
	require.EqualValues(t, 2000, info.MaxPayload)
	require.True(t, info.JetStream)
}

func TestConfigErrors(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Text: "port: ["})
	require.ErrorContains(t, err, "configuration")
	_, err = New(Config{Text: "no_such_setting: 1"})
	require.ErrorContains(t, err, "no_such_setting")
}

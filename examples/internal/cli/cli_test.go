package cli_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/examples/internal/cli"
	"github.com/natsring/nats.go/examples/internal/clitest"
	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// visitor is a program that connects, says so and waits.
func visitor() cli.Program {
	s := &cli.Server{URL: nats.DefaultURL, Name: "visitor"}
	return cli.Program{
		Name: "visitor", Args: "[flags]", About: "Waits.",
		Flags: s.Flags,
		Check: func(args []string) error { return errors.Join(cli.NoArgs(args), s.Check()) },
		Run: func(ctx context.Context, std cli.Std) error {
			nc, err := s.Connect(std.Err)
			if err != nil {
				return err
			}
			defer nc.Close()
			if err := nc.Flush(); err == nil {
				_, _ = io.WriteString(std.Out, "here\n")
			}
			if err := nc.Wait(ctx); err != nil {
				return err
			}
			return nc.Finish(ctx)
		},
	}
}

func TestProgramStatus(t *testing.T) {
	t.Parallel()
	failing := visitor()
	failing.Run = func(context.Context, cli.Std) error { return errors.New("it rains") }
	status, r := clitest.Run(t, failing, "")
	assert.Equal(t, 1, status)
	assert.Equal(t, "visitor: it rains\n", r.Err.String())

	clitest.Refuses(t, visitor, []clitest.BadUse{
		{Says: `unexpected argument "x"`, Args: []string{"x"}},
		{Says: "not defined: -nothing", Args: []string{"-nothing"}},
		{Says: "-server: a URL is missing", Args: []string{"-server", ""}},
		{Says: "-tls-cert and -tls-key go together", Args: []string{"-tls-cert", "a"}},
		{Says: "-patience -1s", Args: []string{"-patience", "-1s"}},
		{Says: "-creds and -nkey", Args: []string{"-creds", "a", "-nkey", "b"}},
	})
}

func TestLosesAndFindsTheServer(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	r := clitest.Start(t, visitor(), "", "-server", srv.URL())
	r.Prints("here")
	srv.Stop()
	r.Says("lost the server: ")
	require.NoError(t, srv.Start())
	r.Says("found the server: " + srv.URL() + ", after ")
	r.Interrupt()
	assert.Zero(t, r.Status(), r.Err.String())
	assert.Equal(t, 2, strings.Count(r.Err.String(), "\n"), "nothing more is said: %s", &r.Err)
}

func TestNoServer(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	srv.Stop()
	status, r := clitest.Run(t, visitor(), "", "-server", srv.URL())
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), nats.ErrNoServers.Error())

	r = clitest.Start(t, visitor(), "", "-server", srv.URL(), "-wait")
	r.Says("no server yet, waiting for one")
	require.NoError(t, srv.Start())
	r.Says("connected to " + srv.URL())
	r.Prints("here")
}

func TestNameIsSeenAtTheServer(t *testing.T) {
	t.Parallel()
	srv := testserver.Run(t)
	r := clitest.Start(t, visitor(), "", "-server", srv.URL(), "-name", "me & you")
	r.Prints("here")
	conns, err := srv.Server().Connz(nil)
	require.NoError(t, err)
	require.Len(t, conns.Conns, 1)
	assert.Equal(t, "me & you", conns.Conns[0].Name)
}

func TestTLSFlags(t *testing.T) {
	t.Parallel()
	certs := testserver.RunCerts(t)
	srv := testserver.Run(t, testserver.MutualTLS(certs))
	status, r := clitest.Run(t, visitor(), "", "-server", srv.URL(), "-tls-ca", certs.CAFile)
	assert.Equal(t, 1, status, "the server wants a certificate: %s", &r.Err)
	r = clitest.Start(t, visitor(), "", "-server", srv.URL(), "-tls-ca", certs.CAFile,
		"-tls-cert", certs.ClientCertFile, "-tls-key", certs.ClientKeyFile)
	r.Prints("here")
}

func TestCredsFlag(t *testing.T) {
	t.Parallel()
	operator := testserver.RunOperator(t)
	text, err := operator.Config()
	require.NoError(t, err)
	srv := testserver.RunConfig(t, text)
	user, err := operator.User(time.Hour)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "user.creds")
	require.NoError(t, os.WriteFile(file, []byte(user.Creds()), 0o600))
	status, _ := clitest.Run(t, visitor(), "", "-server", srv.URL())
	assert.Equal(t, 1, status)
	r := clitest.Start(t, visitor(), "", "-server", srv.URL(), "-creds", file)
	r.Prints("here")
}

func TestNkeyFlag(t *testing.T) {
	t.Parallel()
	pair, err := nkeys.CreateUser()
	require.NoError(t, err)
	public, err := pair.PublicKey()
	require.NoError(t, err)
	seed, err := pair.Seed()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "user.nk")
	require.NoError(t, os.WriteFile(file, seed, 0o600))
	srv := testserver.RunConfig(t, "authorization: { users: [ { nkey: "+public+" } ] }")
	status, _ := clitest.Run(t, visitor(), "", "-server", srv.URL())
	assert.Equal(t, 1, status)
	r := clitest.Start(t, visitor(), "", "-server", srv.URL(), "-nkey", file)
	r.Prints("here")
	status, r = clitest.Run(t, visitor(), "", "-server", srv.URL(), "-nkey", file+".gone")
	assert.Equal(t, 1, status)
	assert.Contains(t, r.Err.String(), "user.nk.gone")
}

// A server that turns the client away for good ends a program that waits.
func TestConnectionThatIsClosedForGood(t *testing.T) {
	t.Parallel()
	srv := testserver.RunConfig(t, "authorization: { user: a, password: b }")
	url := strings.Replace(srv.URL(), "nats://", "nats://a:b@", 1)
	r := clitest.Start(t, visitor(), "", "-server", url)
	r.Prints("here")
	file := srv.ConfigFile()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, bytes.ReplaceAll(text, []byte("password: b"), []byte("password: c")), 0o600))
	require.NoError(t, srv.Server().Reload())
	assert.Equal(t, 1, r.Status())
	assert.Contains(t, r.Err.String(), "visitor: the connection was closed: ")
}

func TestHeaderFlag(t *testing.T) {
	t.Parallel()
	h := make(nats.Header)
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	cli.Header(fs, h)
	require.NoError(t, fs.Parse([]string{"-header", "a:1", "-header", "B: 2:3 ", "-header", "a:4", "-header", "empty:"}))
	assert.Equal(t, nats.Header{"a": {"1", "4"}, "B": {"2:3"}, "empty": {""}}, h)
	assert.Error(t, fs.Parse([]string{"-header", "none"}))
	assert.Error(t, fs.Parse([]string{"-header", " :1"}))
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	data, err := cli.Payload("text", strings.NewReader("input"))
	require.NoError(t, err)
	assert.Equal(t, "text", string(data))
	data, err = cli.Payload("-", strings.NewReader("in\nput\n"))
	require.NoError(t, err)
	assert.Equal(t, "in\nput\n", string(data))
	_, err = cli.Payload("-", failing{})
	require.ErrorIs(t, err, errBroken)
}

func TestPrinter(t *testing.T) {
	t.Parallel()
	m := &nats.Msg{Subject: "s", Reply: "r", Data: []byte("two\nlines"), Header: nats.Header{"B": {"2", "\x1b[1m"}, "A": {"1"}}}
	var out bytes.Buffer
	full := 0
	p := cli.Printer{Out: &out, Most: 2, Full: func() { full++ }}
	assert.True(t, p.Print(m))
	assert.Zero(t, full)
	assert.True(t, p.Print(&nats.Msg{Subject: "t", Data: []byte("\x1b[2J\xff")}))
	assert.Equal(t, 1, full)
	assert.False(t, p.Print(m))
	assert.Equal(t, "#1 s, reply to r\n  A: 1\n  B: 2\n  B: \"\\x1b[1m\"\ntwo\nlines\n#2 t\n\"\\x1b[2J\\xff\"\n", out.String())

	out.Reset()
	raw := cli.Printer{Out: &out, Raw: true}
	raw.Print(&nats.Msg{Subject: "t", Data: []byte("\x1b\xff"), Header: m.Header})
	assert.Equal(t, "\x1b\xff\n", out.String())

	full = 0
	broken := cli.Printer{Out: failing{}, Full: func() { full++ }}
	broken.Print(m)
	assert.False(t, broken.Print(m))
	assert.Equal(t, 1, full)
	require.ErrorIs(t, broken.Err(), errBroken)
}

var errBroken = errors.New("broken")

type failing struct{}

func (failing) Read([]byte) (int, error)  { return 0, errBroken }
func (failing) Write([]byte) (int, error) { return 0, errBroken }

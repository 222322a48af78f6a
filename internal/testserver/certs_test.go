package testserver

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// secure does the client's side of the TLS upgrade.
func (c *rawClient) secure(conf *tls.Config) error {
	conn := tls.Client(c.conn, conf)
	if err := conn.Handshake(); err != nil {
		return err
	}
	c.conn = conn
	c.r.Reset(conn)
	return nil
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certs := RunCerts(t)
	s := Run(t, TLS(certs))
	for _, name := range []string{"127.0.0.1", "localhost", "::1"} {
		c := dialRaw(t, s.Addr())
		require.True(t, c.info.TLSRequired)
		conf := certs.ClientConfig()
		conf.ServerName = name
		require.NoError(t, c.secure(conf), name)
		c.handshake("")
	}
	require.NoError(t, s.Restart())

	stranger := &tls.Config{ServerName: "127.0.0.1", RootCAs: x509.NewCertPool()}
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, dialRaw(t, s.Addr()).secure(stranger), &unknown)
	elsewhere := certs.ClientConfig()
	elsewhere.ServerName = "example.com"
	var mismatch x509.HostnameError
	require.ErrorAs(t, dialRaw(t, s.Addr()).secure(elsewhere), &mismatch)
}

func TestKillWithTLS(t *testing.T) {
	t.Parallel()
	certs := RunCerts(t)
	s := Run(t, TLS(certs))
	c := dialRaw(t, s.Addr())
	conf := certs.ClientConfig()
	conf.ServerName = "localhost"
	require.NoError(t, c.secure(conf))
	c.handshake("")
	raw := c.conn.(*tls.Conn).NetConn()
	s.Kill()
	// Not even TLS's own farewell may come.
	n, err := raw.Read(make([]byte, 1))
	require.Zero(t, n)
	require.True(t, err == io.EOF || isReset(err), "%v", err)
}

func TestMutualTLS(t *testing.T) {
	t.Parallel()
	certs := RunCerts(t)
	s := Run(t, MutualTLS(certs))
	conf := certs.ClientConfig()
	conf.ServerName = "localhost"

	c := dialRaw(t, s.Addr())
	require.True(t, c.info.TLSVerify)
	err := c.secure(conf)
	if err == nil { // TLS 1.3: the refusal comes with the first read
		_, err = c.conn.Read(make([]byte, 1))
	}
	require.Error(t, err)

	conf.Certificates = append(conf.Certificates, certs.Client)
	c = dialRaw(t, s.Addr())
	require.NoError(t, c.secure(conf))
	c.handshake("")
}

func TestCertFiles(t *testing.T) {
	t.Parallel()
	certs := RunCerts(t)
	server, err := tls.LoadX509KeyPair(certs.ServerCertFile, certs.ServerKeyFile)
	require.NoError(t, err)
	require.Equal(t, certs.Server.Certificate, server.Certificate)
	client, err := tls.LoadX509KeyPair(certs.ClientCertFile, certs.ClientKeyFile)
	require.NoError(t, err)
	require.Equal(t, certs.Client.Certificate, client.Certificate)
	require.Equal(t, "client", client.Leaf.Subject.CommonName)
	ca, err := os.ReadFile(certs.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	require.True(t, pool.Equal(certs.Pool))
	_, err = NewCerts("/no/such/directory")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A server from a configuration text can use the files.
func TestTLSFromConfigText(t *testing.T) {
	t.Parallel()
	certs := RunCerts(t)
	s := RunConfig(t, "tls { cert_file: '"+certs.ServerCertFile+"', key_file: '"+certs.ServerKeyFile+"' }")
	c := dialRaw(t, s.Addr())
	conf := certs.ClientConfig()
	conf.ServerName = "127.0.0.1"
	require.NoError(t, c.secure(conf))
	c.handshake("")
}

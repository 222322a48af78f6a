package testserver

import (
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server takes what the operator makes: its own JWT, the account, a user.
func TestOperator(t *testing.T) {
	t.Parallel()
	op := RunOperator(t)
	text, err := op.Config()
	require.NoError(t, err)
	s := RunConfig(t, text)
	acc, err := s.Server().LookupAccount(op.AccountKey)
	require.NoError(t, err)
	require.Equal(t, op.AccountKey, acc.Name)

	u, err := op.User(time.Hour)
	require.NoError(t, err)
	require.Contains(t, u.Creds(), u.JWT)
	require.Contains(t, u.Creds(), u.Seed)
	again, err := u.Renew(2 * time.Hour)
	require.NoError(t, err)
	require.NotEqual(t, u.JWT, again)
	require.False(t, acc.IsExpired())
	op.Revoke(u.Key)
	revoking, err := op.Config()
	require.NoError(t, err)
	require.NotEqual(t, text, revoking)
}

func TestCertsIssue(t *testing.T) {
	t.Parallel()
	c := RunCerts(t)
	file := filepath.Join(t.TempDir(), "cert.pem")
	cert, err := c.Issue(CertSpec{Name: "n", Hosts: []string{"example.com", "10.0.0.1"}, CertFile: file})
	require.NoError(t, err)
	require.FileExists(t, file)
	_, err = cert.Leaf.Verify(x509.VerifyOptions{Roots: c.Pool, DNSName: "example.com"})
	require.NoError(t, err)
	require.NoError(t, cert.Leaf.VerifyHostname("10.0.0.1"))
	old, err := c.Issue(CertSpec{Name: "old", Email: "a@example.com", NotAfter: time.Now().Add(-time.Minute)})
	require.NoError(t, err)
	_, err = old.Leaf.Verify(x509.VerifyOptions{Roots: c.Pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	require.ErrorContains(t, err, "expired")
}

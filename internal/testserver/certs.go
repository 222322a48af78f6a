package testserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Certs is a certificate authority made for one test, with a certificate for
// servers at 127.0.0.1, ::1 and localhost and one for clients. All are valid
// for a day.
type Certs struct {
	Pool   *x509.CertPool  // the authority
	Server tls.Certificate // for the server
	Client tls.Certificate // for clients; its common name is "client"

	// The same as PEM files.
	CAFile         string
	ServerCertFile string
	ServerKeyFile  string
	ClientCertFile string
	ClientKeyFile  string

	ca *issuer
}

// CertSpec says what a certificate is to be; see [Certs.Issue].
type CertSpec struct {
	Name     string    // the common name
	Hosts    []string  // names and IP addresses of a server; none: for a client
	Email    string    // of a client
	NotAfter time.Time // zero: in a day
	CertFile string    // PEM file to write; may exist
	KeyFile  string    // the same for the key
}

// NewCerts makes an authority and its certificates and writes them to PEM
// files in dir, which must exist.
func NewCerts(dir string) (*Certs, error) {
	ca, err := newIssuer()
	if err != nil {
		return nil, fmt.Errorf("testserver: certificates: %w", err)
	}
	c := &Certs{
		ca:             ca,
		Pool:           x509.NewCertPool(),
		CAFile:         filepath.Join(dir, "ca.pem"),
		ServerCertFile: filepath.Join(dir, "server-cert.pem"),
		ServerKeyFile:  filepath.Join(dir, "server-key.pem"),
		ClientCertFile: filepath.Join(dir, "client-cert.pem"),
		ClientKeyFile:  filepath.Join(dir, "client-key.pem"),
	}
	c.Pool.AddCert(ca.cert)
	if err := os.WriteFile(c.CAFile, pemBlock("CERTIFICATE", ca.cert.Raw), 0o600); err != nil {
		return nil, fmt.Errorf("testserver: certificates: %w", err)
	}
	c.Server, err = ca.issue(CertSpec{Name: "server", Hosts: []string{"localhost", loopback, "::1"},
		CertFile: c.ServerCertFile, KeyFile: c.ServerKeyFile})
	if err != nil {
		return nil, fmt.Errorf("testserver: server certificate: %w", err)
	}
	c.Client, err = ca.issue(CertSpec{Name: "client", CertFile: c.ClientCertFile, KeyFile: c.ClientKeyFile})
	if err != nil {
		return nil, fmt.Errorf("testserver: client certificate: %w", err)
	}
	return c, nil
}

// RunCerts makes certificates for a test, in a directory that goes with it.
func RunCerts(t TB) *Certs {
	t.Helper()
	c, err := NewCerts(t.TempDir())
	if err != nil {
		t.Fatalf("%v", err)
	}
	return c
}

// Issue makes one more certificate of the authority. It must not be called by
// several goroutines at once.
func (c *Certs) Issue(spec CertSpec) (tls.Certificate, error) {
	cert, err := c.ca.issue(spec)
	if err != nil {
		return cert, fmt.Errorf("testserver: certificate %q: %w", spec.Name, err)
	}
	return cert, nil
}

// ServerConfig is a server's configuration that asks for no client
// certificate. Each call makes a new one, as for the other two.
func (c *Certs) ServerConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{c.Server}}
}

// MutualConfig is ServerConfig that requires a client certificate from the
// same authority.
func (c *Certs) MutualConfig() *tls.Config {
	conf := c.ServerConfig()
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	conf.ClientCAs = c.Pool
	return conf
}

// ClientConfig is a client's configuration that trusts the authority and
// presents no certificate. A client that should present one adds c.Client to
// its Certificates.
func (c *Certs) ClientConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Pool}
}

// issuer signs certificates.
type issuer struct {
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
	serial int64 // of the last certificate
}

func newIssuer() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &issuer{key: key}
	tmpl := ca.template("test authority")
	tmpl.IsCA = true
	tmpl.BasicConstraintsValid = true
	tmpl.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		return nil, err
	}
	ca.cert, err = x509.ParseCertificate(der)
	return ca, err
}

func (ca *issuer) template(name string) *x509.Certificate {
	ca.serial++
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(ca.serial),
		Subject:      pkix.Name{CommonName: name, Organization: []string{"testserver"}},
		NotBefore:    now.Add(-time.Hour), // clocks differ
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// issue makes a certificate and its key, and writes them to the files that are named.
func (ca *issuer) issue(spec CertSpec) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	tmpl := ca.template(spec.Name)
	tmpl.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for _, h := range spec.Hosts {
		tmpl.ExtKeyUsage[0] = x509.ExtKeyUsageServerAuth
		if ip := net.ParseIP(h); ip != nil {
			tmpl.IPAddresses = append(tmpl.IPAddresses, ip)
		} else {
			tmpl.DNSNames = append(tmpl.DNSNames, h)
		}
	}
	if spec.Email != "" {
		tmpl.EmailAddresses = []string{spec.Email}
	}
	if !spec.NotAfter.IsZero() {
		tmpl.NotBefore, tmpl.NotAfter = spec.NotAfter.Add(-24*time.Hour), spec.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, ca.cert, key.Public(), ca.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return tls.Certificate{}, err
	}
	certPEM, keyPEM := pemBlock("CERTIFICATE", der), pemBlock("PRIVATE KEY", pkcs8)
	for file, text := range map[string][]byte{spec.CertFile: certPEM, spec.KeyFile: keyPEM} {
		if file == "" {
			continue
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return tls.Certificate{}, err
		}
	}
	return tls.X509KeyPair(certPEM, keyPEM)
}

func pemBlock(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

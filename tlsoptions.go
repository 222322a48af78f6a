package nats

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// TLSCertHandler returns the client's certificate for a connection attempt.
type TLSCertHandler func() (tls.Certificate, error)

// RootCAsHandler returns the authorities to trust for a connection attempt.
type RootCAsHandler func() (*x509.CertPool, error)

// Secure insists on TLS: a server without it is refused ([ErrSecureConnWanted])
// before it learns anything. Without a configuration the server's certificate is
// checked against the system's authorities and the host of its URL. Versions
// before TLS 1.2 are never used.
//
// The configuration is copied when the connection is made. More than one is
// [ErrMultipleTLSConfigs].
func Secure(config ...*tls.Config) Option {
	return func(o *Options) error {
		o.Secure = true
		switch len(config) {
		case 0:
		case 1:
			o.TLSConfig = config[0]
		default:
			return ErrMultipleTLSConfigs
		}
		return nil
	}
}

// TLSHandshakeFirst begins with the TLS handshake, so that not even the server's
// INFO goes in clear. The server must be configured for that. Implies Secure.
func TLSHandshakeFirst() Option {
	return set(func(o *Options) { o.TLSHandshakeFirst, o.Secure = true, true })
}

// ClientTLSConfig asks cert for the client's certificate and rootCAs for the
// authorities to trust, each time a connection is attempted; what they return
// replaces those of Secure's configuration. One of them may be nil, not both
// ([ErrClientCertOrRootCAsRequired]). Each is also called once at once, and its error
// is Connect's. Implies Secure.
func ClientTLSConfig(cert TLSCertHandler, rootCAs RootCAsHandler) Option {
	return func(o *Options) error {
		if cert == nil && rootCAs == nil {
			return ErrClientCertOrRootCAsRequired
		}
		if cert != nil {
			if _, err := cert(); err != nil {
				return err
			}
			o.TLSCertCB = cert
		}
		if rootCAs != nil {
			if _, err := rootCAs(); err != nil {
				return err
			}
			o.RootCAsCB = rootCAs
		}
		o.askTLS()
		return nil
	}
}

// RootCAs trusts the authorities in the given PEM files instead of the system's.
// The files are read again for each attempt to connect. Implies Secure.
func RootCAs(file ...string) Option {
	return ClientTLSConfig(nil, func() (*x509.CertPool, error) {
		pool := x509.NewCertPool()
		for _, f := range file {
			pem, err := os.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("nats: error loading or parsing rootCA file: %w", err)
			}
			if !pool.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("nats: failed to parse root certificate from %q", f)
			}
		}
		return pool, nil
	})
}

// ClientCert presents the certificate in a pair of PEM files. They are read again
// for each attempt to connect, so that a new certificate takes effect with the
// next. Implies Secure.
func ClientCert(certFile, keyFile string) Option {
	return ClientTLSConfig(func() (tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(certFile, keyFile)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("nats: error loading client certificate: %w", err)
		}
		return cert, nil
	}, nil)
}

package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	// proxyTimeout bounds the way to the proxy, and through it, together.
	proxyTimeout = 10 * time.Second
	// maxAnswer bounds, in bytes, what a proxy may answer.
	maxAnswer = 64 << 10
)

// dialer is a nats.CustomDialer that goes through an HTTP proxy.
type dialer struct {
	net.Dialer
	// proxy says which proxy to use for a request; nil: none. A NATS connection is
	// treated like one for https: it is a tunnel either way.
	proxy func(*http.Request) (*url.URL, error)
}

// Dial is DialContext that nothing ends.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address, through a proxy if there is one for it.
func (d *dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	proxy, err := d.proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: address}})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, proxyTimeout)
	defer cancel()
	if proxy == nil {
		return d.Dialer.DialContext(ctx, network, address)
	}
	if proxy.Scheme != "http" {
		return nil, fmt.Errorf("proxy %s: only http proxies are known here", proxy.Redacted())
	}
	host := proxy.Host
	if proxy.Port() == "" {
		host = net.JoinHostPort(proxy.Hostname(), "80")
	}
	conn, err := d.Dialer.DialContext(ctx, network, host)
	if err != nil {
		return nil, fmt.Errorf("proxy: %w", err)
	}
	if err := tunnel(ctx, conn, proxy.User, address); err != nil {
		_ = conn.Close() // the first error is the one that matters
		return nil, fmt.Errorf("proxy %s: %w", proxy.Redacted(), err)
	}
	return conn, nil
}

// tunnel asks the proxy at the other end of conn to pass everything on to address.
func tunnel(ctx context.Context, conn net.Conn, user *url.Userinfo, address string) error {
	// Reading and writing end with the context.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	ask := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		credentials := base64.StdEncoding.EncodeToString([]byte(user.Username() + ":" + password))
		ask.Header.Set("Proxy-Authorization", "Basic "+credentials)
	}
	if err := ask.Write(conn); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(byteByByte{conn}, maxAnswer)), ask)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("no tunnel to %s: %s", address, answer.Status)
	case !stop(): // the deadline is in force, or about to be
		return ctx.Err()
	}
	return nil
}

// byteByByte reads so that nothing behind the proxy's answer is taken: a NATS server
// speaks first, and what it says belongs to whoever gets the connection.
type byteByByte struct{ io.Reader }

func (r byteByByte) Read(p []byte) (int, error) {
	return r.Reader.Read(p[:min(1, len(p))])
}

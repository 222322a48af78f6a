package nats

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"
)

// dial makes the socket to a server. A host name is looked up, and its addresses
// are tried in turn; if the look-up fails the name is left to the dialer, whose
// error then says why. No lock is held.
func dial(ctx context.Context, o *Options, host, port string) (net.Conn, error) {
	if o.Timeout < 0 {
		return nil, ErrBadTimeout
	}
	if o.InProcessServer != nil {
		return dialInProcess(o.InProcessServer)
	}
	addrs := lookup(ctx, o, host)
	one := dialFunc(o, len(addrs))
	var errs []error
	for _, a := range addrs {
		conn, err := one(ctx, net.JoinHostPort(a, port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, fmt.Errorf("no address of %s answered: %w", host, errors.Join(errs...))
}

// lookup returns the addresses to try for a host: at least one.
func lookup(ctx context.Context, o *Options, host string) []string {
	if o.SkipHostLookup || net.ParseIP(host) != nil {
		return []string{host}
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	addrs, err := net.DefaultResolver.LookupHost(ctx, host)
	if err != nil || len(addrs) == 0 {
		return []string{host}
	}
	if !o.NoRandomize {
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
	}
	return addrs
}

// dialFunc picks the dialer; its time is shared by the addresses to try.
func dialFunc(o *Options, addrs int) func(context.Context, string) (net.Conn, error) {
	if o.CustomDialer != nil {
		return func(ctx context.Context, addr string) (net.Conn, error) {
			if d, ok := o.CustomDialer.(contextDialer); ok {
				return d.DialContext(ctx, "tcp", addr)
			}
			return o.CustomDialer.Dial("tcp", addr)
		}
	}
	d := *o.Dialer
	d.Timeout /= time.Duration(addrs)
	if o.AllowMultipathTCP != nil {
		d.SetMultipathTCP(*o.AllowMultipathTCP)
	}
	return func(ctx context.Context, addr string) (net.Conn, error) {
		return d.DialContext(ctx, "tcp", addr)
	}
}

package nats

import (
	"fmt"
	"net/url"
	"strings"
)

// redacted is a URL as text without its secret: the password, or a user alone,
// which is a token.
func redacted(u *url.URL) string {
	if _, ok := u.User.Password(); ok || u.User == nil {
		return u.Redacted()
	}
	clean := *u
	clean.User = url.User(hidden)
	return clean.String()
}

// redactedText is redacted for what may be no URL at all.
func redactedText(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return s
	}
	scheme, _, ok := strings.Cut(s, "://")
	if !ok || strings.ContainsAny(scheme, "@:") {
		return hidden + s[at:]
	}
	return scheme + "://" + hidden + s[at:]
}

// String names servers and the kinds of credentials, without any secret. It keeps
// options that are printed by mistake from showing theirs.
func (o Options) String() string {
	var urls, auth []string
	for _, s := range append([]string{o.Url}, o.Servers...) {
		if s != "" {
			urls = append(urls, redactedText(s))
		}
	}
	for _, kind := range []struct {
		name string
		set  bool
	}{
		{"user", o.User != "" || o.Password != "" || o.UserInfo != nil},
		{"token", o.Token != "" || o.TokenHandler != nil},
		{"nkey", o.Nkey != ""},
		{"jwt", o.UserJWT != nil},
		{"certificate", o.TLSCertCB != nil || o.TLSConfig != nil && len(o.TLSConfig.Certificates) > 0},
	} {
		if kind.set {
			auth = append(auth, kind.name)
		}
	}
	return fmt.Sprintf("nats.Options{Name: %q, Servers: %v, Secure: %t, auth: %v}", o.Name, urls, o.Secure, auth)
}

// GoString is String.
func (o Options) GoString() string { return o.String() }

// String is the connection's name, status and server, for people.
func (nc *Conn) String() string {
	if nc == nil {
		return "nats.Conn(nil)"
	}
	return strings.TrimSpace(fmt.Sprintf("nats.Conn %q %v %s", nc.Opts.Name, nc.Status(), nc.ConnectedUrlRedacted()))
}

// GoString is String.
func (nc *Conn) GoString() string { return nc.String() }

package nats

import (
	"encoding/json"
	"net/url"
	"strings"
)

// credentials are what a CONNECT line authenticates with.
type credentials struct {
	user, password, token string
}

// credentialsFor gathers them for one attempt. What stands in the server's URL
// wins over the options; a token handler is asked each time.
func credentialsFor(o *Options, u *url.URL) (credentials, error) {
	c := credentials{user: o.User, password: o.Password, token: o.Token}
	if u.User != nil {
		c = credentials{}
		if password, ok := u.User.Password(); ok {
			c.user, c.password = u.User.Username(), password
		} else {
			c.token = u.User.Username()
		}
	}
	if o.TokenHandler != nil {
		if c.token != "" {
			return credentials{}, ErrTokenAlreadySet
		}
		c.token = o.TokenHandler()
	}
	return c, nil
}

// shortSecret is the length up to which a secret is left in a text: it is more
// likely to be a part of an ordinary word.
const shortSecret = 4

// hide takes the credentials out of a text that the server sent: one that does
// not understand CONNECT may send all of it back. Texts that mean something to
// this library are left alone, for a password may be a word of them.
func (c *credentials) hide(text string) string {
	if i := strings.Index(text, "CONNECT {"); i >= 0 {
		text = text[:i] + "CONNECT …"
	}
	if kind, _ := classify(text); kind != errFatal {
		return text
	}
	for _, secret := range []string{c.password, c.token} {
		if len(secret) <= shortSecret {
			continue
		}
		text = strings.ReplaceAll(text, secret, "xxxxx")
		if quoted, err := json.Marshal(secret); err == nil {
			text = strings.ReplaceAll(text, string(quoted[1:len(quoted)-1]), "xxxxx")
		}
	}
	return text
}

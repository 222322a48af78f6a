package nats

import "net/url"

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

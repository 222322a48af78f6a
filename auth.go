package nats

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
)

// credentials are what a CONNECT line authenticates with.
type credentials struct {
	user, password, token string
	jwt, nkey, sig        string
}

// checkKeys refuses what cannot be meant, before any network.
func (o *Options) checkKeys() error {
	switch {
	case o.UserJWT != nil && o.Nkey != "":
		return ErrNkeyAndUser
	case o.Nkey != "" && o.SignatureCB == nil:
		return ErrNkeyButNoSigCB
	}
	return nil
}

// credentialsFor gathers them for one attempt. What stands in the server's URL
// wins over the options, but for JWT and token handler. Handlers are asked each
// time; nonce is what the server wants signed.
func credentialsFor(o *Options, u *url.URL, nonce string) (c credentials, err error) {
	if u.User != nil {
		c = urlCredentials(u)
	} else if c, err = optionCredentials(o); err != nil {
		return credentials{}, err
	}
	if o.TokenHandler != nil {
		if c.token != "" {
			return credentials{}, ErrTokenAlreadySet
		}
		c.token = o.TokenHandler()
	}
	if o.UserJWT != nil {
		if c.jwt, err = o.UserJWT(); err != nil {
			return credentials{}, err
		}
	}
	if err := c.sign(o.SignatureCB, nonce); err != nil {
		return credentials{}, err
	}
	return c, nil
}

func urlCredentials(u *url.URL) credentials {
	if password, ok := u.User.Password(); ok {
		return credentials{user: u.User.Username(), password: password}
	}
	return credentials{token: u.User.Username()}
}

func optionCredentials(o *Options) (credentials, error) {
	c := credentials{user: o.User, password: o.Password, token: o.Token, nkey: o.Nkey}
	if o.UserInfo == nil {
		return c, nil
	}
	if o.User != "" || o.Password != "" {
		return credentials{}, ErrUserInfoAlreadySet
	}
	c.user, c.password = o.UserInfo()
	return c, nil
}

// sign proves that the seed of the JWT or the key is there.
func (c *credentials) sign(sign SignatureHandler, nonce string) error {
	switch {
	case c.jwt == "" && c.nkey == "":
		return nil
	case sign == nil && c.jwt != "":
		return ErrUserButNoSigCB
	case sign == nil:
		return ErrNkeyButNoSigCB
	}
	sig, err := sign([]byte(nonce))
	if err != nil {
		return fmt.Errorf("error signing nonce: %w", err)
	}
	c.sig = base64.RawURLEncoding.EncodeToString(sig)
	return nil
}

// shortSecret is the length up to which a secret is left in a text: it is more
// likely to be a part of an ordinary word.
const shortSecret = 4

// hide takes the credentials out of a text that the server sent: one that does
// not understand CONNECT may send all of it back. The words by which a text means
// something to this library are left alone, for a password may be one of them.
func (c *credentials) hide(text string) string {
	if i := strings.Index(text, "CONNECT {"); i >= 0 {
		text = text[:i] + "CONNECT …"
	}
	known := knownWords(text)
	rest := text[known:]
	for _, secret := range []string{c.password, c.token, c.jwt, c.sig} {
		rest = withoutSecret(rest, secret)
		if quoted, err := json.Marshal(secret); err == nil {
			rest = withoutSecret(rest, string(quoted[1:len(quoted)-1]))
		}
	}
	return text[:known] + rest
}

// withoutSecret replaces a secret, also where the text was cut in the middle of it.
func withoutSecret(text, secret string) string {
	if len(secret) <= shortSecret {
		return text
	}
	text = strings.ReplaceAll(text, secret, hidden)
	end := strings.TrimRight(text, "'")
	for n := min(len(end), len(secret)-1); n > shortSecret; n-- {
		if strings.HasSuffix(end, secret[:n]) {
			return end[:len(end)-n] + hidden + text[len(end):]
		}
	}
	return text
}

const hidden = "xxxxx"

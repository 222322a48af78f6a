package testserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nkeys"
)

// Operator is an operator with one account, for servers that take users with JWTs.
// Its users are made at run time.
type Operator struct {
	keys, account nkeys.KeyPair
	jwt           string // a server does not reload another
	// AccountKey is the public key of the account.
	AccountKey string
	revoked    map[string]int64 // by public user key, until when (Unix)
}

// NewOperator makes an operator and its account.
func NewOperator() (*Operator, error) {
	keys, err := nkeys.CreateOperator()
	if err != nil {
		return nil, err
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		return nil, err
	}
	o := &Operator{keys: keys, account: account, revoked: map[string]int64{}}
	if o.AccountKey, err = account.PublicKey(); err != nil {
		return nil, err
	}
	pub, err := keys.PublicKey()
	if err != nil {
		return nil, err
	}
	o.jwt, err = encodeJWT(keys, pub, 0, map[string]any{"type": "operator", "version": 2})
	return o, err
}

// RunOperator makes an operator for a test.
func RunOperator(t TB) *Operator {
	t.Helper()
	o, err := NewOperator()
	if err != nil {
		t.Fatalf("testserver: operator: %v", err)
	}
	return o
}

// Config is the text for a server that trusts the operator and has the account in
// a memory resolver.
func (o *Operator) Config() (string, error) {
	unlimited := map[string]any{"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
		"wildcards": true, "conn": -1, "leaf": -1}
	account, err := encodeJWT(o.keys, o.AccountKey, 0, map[string]any{"type": "account", "version": 2,
		"limits": unlimited, "revocations": o.revoked})
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("operator: %s\nresolver: MEMORY\nresolver_preload: { %s: %s }\n",
		o.jwt, o.AccountKey, account), nil
}

// Revoke takes a user's JWTs back. It takes effect with the next Config.
func (o *Operator) Revoke(user string) { o.revoked[user] = time.Now().Add(time.Minute).Unix() }

// User makes a user: its keys and a JWT that ends after life; 0: never.
func (o *Operator) User(life time.Duration) (*User, error) {
	keys, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	u := &User{account: o.account}
	if u.Key, err = keys.PublicKey(); err != nil {
		return nil, err
	}
	seed, err := keys.Seed()
	if err != nil {
		return nil, err
	}
	u.Seed = string(seed)
	u.JWT, err = u.Renew(life)
	return u, err
}

// User is a user with a JWT.
type User struct {
	Key, Seed, JWT string
	account        nkeys.KeyPair
}

// Renew makes another JWT for the user.
func (u *User) Renew(life time.Duration) (string, error) {
	return encodeJWT(u.account, u.Key, life, map[string]any{"type": "user", "version": 2,
		"pub": map[string]any{}, "sub": map[string]any{}, "subs": -1, "data": -1, "payload": -1})
}

// Creds is the content of a credentials file.
func (u *User) Creds() string { return Creds(u.JWT, u.Seed) }

// Creds is the content of a credentials file with the given JWT and seed.
func Creds(jwt, seed string) string {
	return "-----BEGIN NATS USER JWT-----\n" + jwt + "\n------END NATS USER JWT------\n\n" +
		"-----BEGIN USER NKEY SEED-----\n" + seed + "\n------END USER NKEY SEED------\n"
}

// encodeJWT makes a JWT for subject, signed by issuer.
func encodeJWT(issuer nkeys.KeyPair, subject string, life time.Duration, nats map[string]any) (string, error) {
	iss, err := issuer.PublicKey()
	if err != nil {
		return "", err
	}
	now := time.Now()
	claims := map[string]any{"jti": subject, "iat": now.Unix(), "iss": iss, "name": "test", "sub": subject, "nats": nats}
	if life != 0 {
		claims["exp"] = now.Add(life).Unix()
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	b64 := base64.RawURLEncoding
	text := b64.EncodeToString([]byte(`{"typ":"JWT","alg":"ed25519-nkey"}`)) + "." + b64.EncodeToString(body)
	sig, err := issuer.Sign([]byte(text))
	if err != nil {
		return "", err
	}
	return text + "." + b64.EncodeToString(sig), nil
}

package nats

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/nats-io/nkeys"
)

// UserInfoCB returns user and password for a connection attempt.
type UserInfoCB func() (user, password string)

// UserJWTHandler returns the user's JWT for a connection attempt.
type UserJWTHandler func() (string, error)

// SignatureHandler signs what the server asks for with the user's seed and
// returns the bare signature.
type SignatureHandler func(nonce []byte) ([]byte, error)

// UserInfoHandler asks cb for user and password before each attempt to connect.
// Connect returns ErrUserInfoAlreadySet if there is also a UserInfo; a server's
// URL with its own wins.
func UserInfoHandler(cb UserInfoCB) Option { return set(func(o *Options) { o.UserInfo = cb }) }

// Nkey authenticates with a public user key. sign is called for each attempt to
// connect and signs what the server asks for.
//
// Errors of Connect: ErrNkeyButNoSigCB without sign, ErrNkeyAndUser together with
// a JWT, ErrNkeysNotSupported if the server asks for no signature.
func Nkey(pubKey string, sign SignatureHandler) Option {
	return func(o *Options) error {
		o.Nkey, o.SignatureCB = pubKey, sign
		if pubKey != "" && sign == nil {
			return ErrNkeyButNoSigCB
		}
		return nil
	}
}

// NkeyOptionFromSeed is Nkey with a file that holds a user's seed. It is read now
// for the public key, and again for each signature; the seed is in memory only
// meanwhile.
func NkeyOptionFromSeed(seedFile string) (Option, error) {
	seed, err := os.ReadFile(seedFile)
	if err != nil {
		return nil, fmt.Errorf("nats: %w", err)
	}
	defer clear(seed)
	keys, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return nil, err
	}
	defer keys.Wipe()
	public, err := keys.PublicKey()
	if err != nil {
		return nil, err
	}
	if !nkeys.IsValidPublicUserKey(public) {
		return nil, errors.New("nats: Not a valid nkey user seed")
	}
	return Nkey(public, func(nonce []byte) ([]byte, error) { return signWithFile(seedFile, nonce) }), nil
}

// UserJWT authenticates with a JWT. jwt and sign are called for each attempt to
// connect; jwt also once at once, and its error is Connect's.
//
// Errors of Connect: ErrNoUserCB without jwt, ErrUserButNoSigCB without sign,
// ErrNkeyAndUser together with an Nkey.
func UserJWT(jwt UserJWTHandler, sign SignatureHandler) Option {
	return func(o *Options) error {
		switch {
		case jwt == nil:
			return ErrNoUserCB
		case sign == nil:
			return ErrUserButNoSigCB
		}
		if _, err := jwt(); err != nil {
			return err
		}
		o.UserJWT, o.SignatureCB = jwt, sign
		return nil
	}
}

// UserJWTAndSeed is UserJWT with fixed values. The seed stays in memory; where
// that matters use UserCredentials.
func UserJWTAndSeed(jwt, seed string) Option {
	return UserJWT(
		func() (string, error) { return jwt, nil },
		func(nonce []byte) ([]byte, error) {
			secret := []byte(seed)
			defer clear(secret)
			keys, err := nkeys.FromSeed(secret)
			return signWith(keys, err, "seed", nonce)
		})
}

// UserCredentials is UserJWT with the JWT and the seed in a file of the form that
// the nsc tool writes, or in one file each. They are read again for each attempt
// to connect, so that new ones take effect with the next; the seed is in memory
// only meanwhile. A leading "~/" and environment variables in the names are
// replaced. Of seedFiles only the first counts.
func UserCredentials(userOrChainedFile string, seedFiles ...string) Option {
	seedFile := userOrChainedFile
	if len(seedFiles) > 0 {
		seedFile = seedFiles[0]
	}
	return UserJWT(
		func() (string, error) { return jwtFromFile(userOrChainedFile) },
		func(nonce []byte) ([]byte, error) {
			path, err := expandPath(seedFile)
			if err != nil {
				return nil, err
			}
			return signWithFile(path, nonce)
		})
}

// UserCredentialBytes is UserCredentials with the contents of the files. They are
// copied, and stay in memory.
func UserCredentialBytes(userOrChainedFileBytes []byte, seedFiles ...[]byte) Option {
	user := string(userOrChainedFileBytes)
	seed := user
	if len(seedFiles) > 0 {
		seed = string(seedFiles[0])
	}
	return UserJWT(
		func() (string, error) { return jwtFrom([]byte(user)) },
		func(nonce []byte) ([]byte, error) {
			secret := []byte(seed)
			defer clear(secret)
			keys, err := nkeys.ParseDecoratedNKey(secret)
			return signWith(keys, err, "bytes", nonce)
		})
}

func jwtFromFile(file string) (string, error) {
	path, err := expandPath(file)
	if err != nil {
		return "", fmt.Errorf("nats: %w", err)
	}
	contents, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("nats: %w", err)
	}
	return jwtFrom(contents)
}

// jwtFrom takes the JWT out of contents, which it wipes: the seed may be in it.
func jwtFrom(contents []byte) (string, error) {
	defer clear(contents)
	jwt, err := nkeys.ParseDecoratedJWT(contents)
	return strings.TrimSpace(jwt), err
}

func signWithFile(path string, nonce []byte) ([]byte, error) {
	contents, err := os.ReadFile(path)
	if err != nil {
		return signWith(nil, fmt.Errorf("nats: %w", err), fmt.Sprintf("file %q", path), nonce)
	}
	defer clear(contents)
	keys, err := nkeys.ParseDecoratedNKey(contents)
	return signWith(keys, err, fmt.Sprintf("file %q", path), nonce)
}

// signWith signs and wipes the keys. err is why there are none.
func signWith(keys nkeys.KeyPair, err error, source string, nonce []byte) ([]byte, error) {
	if err != nil {
		return nil, fmt.Errorf("unable to extract key pair from %s: %w", source, err)
	}
	defer keys.Wipe()
	return keys.Sign(nonce)
}

// expandPath replaces environment variables and a leading "~" for the home
// directory.
func expandPath(path string) (string, error) {
	path = os.ExpandEnv(path)
	if path != "~" && !strings.HasPrefix(path, "~/") && !strings.HasPrefix(path, `~\`) {
		return path, nil
	}
	home, err := homeDir()
	if err != nil {
		return "", err
	}
	return home + path[1:], nil
}

func homeDir() (string, error) {
	if runtime.GOOS != "windows" {
		if home := os.Getenv("HOME"); home != "" {
			return home, nil
		}
		return "", errors.New("nats: failed to get home dir, require $HOME")
	}
	drive, path := os.Getenv("HOMEDRIVE"), os.Getenv("HOMEPATH")
	if drive != "" && path != "" {
		return drive + path, nil
	}
	if home := os.Getenv("USERPROFILE"); home != "" {
		return home, nil
	}
	return "", errors.New("nats: failed to get home dir, require %HOMEDRIVE% and %HOMEPATH%, or %USERPROFILE%")
}

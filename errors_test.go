package nats

import (
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Compatibility 4.1: programs compare the variables and print their texts.
func TestErrorTexts(t *testing.T) {
	t.Parallel()
	for want, err := range map[string]error{
		"nats: connection closed":                                 ErrConnectionClosed,
		"nats: connection draining":                               ErrConnectionDraining,
		"nats: connection reconnecting":                           ErrConnectionReconnecting,
		"nats: secure connection required":                        ErrSecureConnRequired,
		"nats: secure connection not available":                   ErrSecureConnWanted,
		"nats: tls error":                                         ErrTLS,
		"nats: connection is not tls":                             ErrConnectionNotTLS,
		"nats: multiple tls.Configs not allowed":                  ErrMultipleTLSConfigs,
		"nats: at least one of certCB or rootCAsCB must be set":   ErrClientCertOrRootCAsRequired,
		"nats: nkey defined without a signature handler":          ErrNkeyButNoSigCB,
		"nats: user callback defined without a signature handler": ErrUserButNoSigCB,
		"nats: user callback not defined":                         ErrNoUserCB,
		"nats: user callback and nkey defined":                    ErrNkeyAndUser,
		"nats: nkeys not supported by the server":                 ErrNkeysNotSupported,
		"nats: cannot set user info callback and user/pass":       ErrUserInfoAlreadySet,
		"nats: invalid subscription":                              ErrBadSubscription,
		"nats: invalid subscription type":                         ErrTypeSubscription,
		"nats: invalid subject":                                   ErrBadSubject,
		"nats: invalid queue name":                                ErrBadQueueName,
		"nats: slow consumer, messages dropped":                   ErrSlowConsumer,
		"nats: timeout":                                           ErrTimeout,
		"nats: timeout invalid":                                   ErrBadTimeout,
		"nats: authorization violation":                           ErrAuthorization,
		"nats: authentication expired":                            ErrAuthExpired,
		"nats: authentication revoked":                            ErrAuthRevoked,
		"nats: permissions violation":                             ErrPermissionViolation,
		"nats: account authentication expired":                    ErrAccountAuthExpired,
		"nats: no servers available for connection":               ErrNoServers,
		"nats: maximum payload exceeded":                          ErrMaxPayload,
		"nats: maximum messages delivered":                        ErrMaxMessages,
		"nats: illegal call on an async subscription":             ErrSyncSubRequired,
		"nats: protocol exception, INFO not received":             ErrNoInfoReceived,
		"nats: outbound buffer limit exceeded":                    ErrReconnectBufExceeded,
		"nats: invalid connection":                                ErrInvalidConnection,
		"nats: invalid message or message nil":                    ErrInvalidMsg,
		"nats: invalid argument":                                  ErrInvalidArg,
		"nats: invalid context":                                   ErrInvalidContext,
		"nats: context requires a deadline":                       ErrNoDeadlineContext,
		"nats: no echo option not supported by this server":       ErrNoEchoNotSupported,
		"nats: stale connection":                                  ErrStaleConnection,
		"nats: token and token handler both set":                  ErrTokenAlreadySet,
		"nats: message is not bound to subscription/connection":   ErrMsgNotBound,
		"nats: message does not have a reply":                     ErrMsgNoReply,
		"nats: server is disconnected":                            ErrDisconnected,
		"nats: headers not supported by this server":              ErrHeadersNotSupported,
		"nats: message could not decode headers":                  ErrBadHeaderMsg,
		"nats: no responders available for request":               ErrNoResponders,
		"nats: server maximum connections exceeded":               ErrMaxConnectionsExceeded,
		"nats: maximum account active connections exceeded":       ErrMaxAccountConnectionsExceeded,
		"nats: server maximum subscriptions exceeded":             ErrMaxSubscriptionsExceeded,
	} {
		assert.EqualError(t, err, want)
	}
}

// Compatibility 1.2.
func TestServerErrorConstants(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"stale connection", "permissions violation", "authorization violation",
		"user authentication expired", "user authentication revoked", "account authentication expired",
		"maximum connections exceeded", "maximum account active connections exceeded", "maximum subscriptions exceeded"},
		[]string{STALE_CONNECTION, PERMISSIONS_ERR, AUTHORIZATION_ERR, AUTHENTICATION_EXPIRED_ERR,
			AUTHENTICATION_REVOKED_ERR, ACCOUNT_AUTHENTICATION_EXPIRED_ERR, MAX_CONNECTIONS_ERR,
			MAX_ACCOUNT_CONNECTIONS_ERR, MAX_SUBSCRIPTIONS_ERR})
}

// Compatibility 4.2.
func TestErrText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                    "",
		"'":                   "",
		"''":                  "",
		"'Stale Connection'":  "Stale Connection",
		"  \t''Two Quotes'' ": "Two Quotes",
		"No Quotes":           "No Quotes",
		"'It's inside'":       "It's inside",
		"'blanks within '":    "blanks within ",
		"'one side":           "one side",
		"\"other quotes\"\r":  "\"other quotes\"",
	} {
		assert.Equal(t, want, errText([]byte(in)), "%q", in)
	}
}

// Compatibility 4.4 and 4.5: equal or prefix, in any case.
func TestClassify(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct {
		kind errKind
		err  error
	}{
		"stale connection":                              {errDisconnect, ErrStaleConnection},
		"STALE Connection":                              {errDisconnect, ErrStaleConnection},
		"stale connection.":                             {errFatal, nil},
		"Maximum Connections Exceeded":                  {errDisconnect, ErrMaxConnectionsExceeded},
		"maximum connections exceeded now":              {errFatal, nil},
		"Maximum Account Active Connections Exceeded":   {errDisconnect, ErrMaxAccountConnectionsExceeded},
		"maximum account active connections exceeded, ": {errFatal, nil},
		"Permissions Violation for Publish to \"x\"":    {errNotice, ErrPermissionViolation},
		"Maximum Subscriptions Exceeded for x":          {errNotice, ErrMaxSubscriptionsExceeded},
		"Authorization Violation":                       {errAuth, ErrAuthorization},
		"authorization violation, really":               {errAuth, ErrAuthorization},
		"an authorization violation":                    {errFatal, nil},
		"User Authentication Expired":                   {errAuth, ErrAuthExpired},
		"User Authentication Revoked since":             {errAuth, ErrAuthRevoked},
		"Account Authentication Expired":                {errAuth, ErrAccountAuthExpired},
		"authentication expired":                        {errFatal, nil},
		"":                                              {errFatal, nil},
		"Slow Consumer":                                 {errFatal, nil},
	} {
		kind, err := classify(text)
		assert.Equal(t, c.kind, kind, "%q", text)
		switch {
		case c.err == ErrPermissionViolation:
			assert.ErrorIs(t, err, c.err)
			assert.EqualError(t, err, "nats: permissions violation: "+text)
		case c.err != nil:
			assert.Equal(t, c.err, err, "%q", text)
		default:
			assert.EqualError(t, err, "nats: "+text, "the case is kept")
		}
		if kind == errAuth {
			assert.Equal(t, c.err, authError(text), "%q", text)
		} else {
			assert.NoError(t, authError(text), "%q", text)
		}
	}
}

func TestRefusalIs(t *testing.T) {
	t.Parallel()
	r := &refusal{text: "Authorization Violation"}
	require.ErrorIs(t, r, ErrAuthorization)
	require.ErrorIs(t, r, errors.New("nats: authorization violation"), "the text decides")
	require.NotErrorIs(t, r, ErrAuthExpired)
	require.NotErrorIs(t, r, errors.New("nats: Authorization Violation"), "in lower case")
	require.False(t, errors.Is(r, nil))
	require.NotErrorIs(t, &refusal{text: "Authorization Violation x"}, ErrAuthorization)
}

func TestConnectErrorText(t *testing.T) {
	t.Parallel()
	err := error(&connectError{"nats://h:4222", stepDial, ErrBadTimeout})
	require.EqualError(t, err, "nats: dialling nats://h:4222: timeout invalid", "the prefix stands once")
	require.ErrorIs(t, err, ErrBadTimeout)
	require.EqualError(t, &connectError{"nats://h:4222", stepInfo, io.EOF}, "nats: waiting for INFO from nats://h:4222: EOF")
}

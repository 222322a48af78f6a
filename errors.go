package nats

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Errors that a program can match with errors.Is or by identity. The texts are
// those that programs written for other NATS clients for Go already know.
var (
	// ErrConnectionClosed is returned by every use of a closed connection, and
	// by a Flush or Request that was waiting when its connection went away.
	ErrConnectionClosed = errors.New("nats: connection closed")
	// ErrConnectionDraining is returned by calls that a draining connection refuses.
	ErrConnectionDraining = errors.New("nats: connection draining")
	// ErrConnectionReconnecting is returned by calls that need a live connection.
	ErrConnectionReconnecting = errors.New("nats: connection reconnecting")
	// ErrSecureConnWanted means that TLS was asked for and the server has none.
	ErrSecureConnWanted = errors.New("nats: secure connection not available")
	// ErrSecureConnRequired is kept for programs that name it: where the server
	// insists on TLS, this library uses it.
	ErrSecureConnRequired = errors.New("nats: secure connection required")
	// ErrTLS is wrapped by errors of TLS, beside their cause.
	ErrTLS = errors.New("nats: tls error")
	// ErrConnectionNotTLS is returned by TLSConnectionState without TLS.
	ErrConnectionNotTLS = errors.New("nats: connection is not tls")
	// ErrMultipleTLSConfigs is returned by Connect for Secure with several configurations.
	ErrMultipleTLSConfigs = errors.New("nats: multiple tls.Configs not allowed")
	// ErrClientCertOrRootCAsRequired is returned by Connect for ClientTLSConfig without a handler.
	ErrClientCertOrRootCAsRequired = errors.New("nats: at least one of certCB or rootCAsCB must be set")
	// ErrBadSubscription is returned for a nil or ended subscription, and by
	// Subscribe calls with a nil handler or channel.
	ErrBadSubscription = errors.New("nats: invalid subscription")
	// ErrTypeSubscription is returned by calls that the kind of the
	// subscription does not have, such as pending limits of a channel's.
	ErrTypeSubscription = errors.New("nats: invalid subscription type")
	// ErrBadSubject is returned for an empty subject or one with white space.
	ErrBadSubject = errors.New("nats: invalid subject")
	// ErrBadQueueName is returned for a queue group name with white space.
	ErrBadQueueName = errors.New("nats: invalid queue name")
	// ErrSlowConsumer reports that a subscription's pending limit was reached
	// and messages for it were dropped.
	ErrSlowConsumer = errors.New("nats: slow consumer, messages dropped")
	// ErrTimeout is returned when the wait given to a call has passed.
	ErrTimeout = errors.New("nats: timeout")
	// ErrBadTimeout is returned for a timeout that is not positive where one is needed.
	ErrBadTimeout = errors.New("nats: timeout invalid")
	// ErrAuthorization means that the server refused the credentials.
	ErrAuthorization = errors.New("nats: authorization violation")
	// ErrAuthExpired means that the user's credentials have expired.
	ErrAuthExpired = errors.New("nats: authentication expired")
	// ErrAuthRevoked means that the user's credentials were revoked.
	ErrAuthRevoked = errors.New("nats: authentication revoked")
	// ErrNkeyButNoSigCB means that there is a public key and nothing that signs for it.
	ErrNkeyButNoSigCB = errors.New("nats: nkey defined without a signature handler")
	// ErrUserButNoSigCB means that there is a JWT and nothing that signs for it.
	ErrUserButNoSigCB = errors.New("nats: user callback defined without a signature handler")
	// ErrNoUserCB is returned by Connect for UserJWT without a handler for the JWT.
	ErrNoUserCB = errors.New("nats: user callback not defined")
	// ErrNkeyAndUser is returned by Connect for Nkey and UserJWT at once.
	ErrNkeyAndUser = errors.New("nats: user callback and nkey defined")
	// ErrNkeysNotSupported means that there is a key, and the server asks for no signature.
	ErrNkeysNotSupported = errors.New("nats: nkeys not supported by the server")
	// ErrUserInfoAlreadySet means that there is a handler for user and password, and one of them too.
	ErrUserInfoAlreadySet = errors.New("nats: cannot set user info callback and user/pass")
	// ErrPermissionViolation is wrapped by errors about a subject that the
	// server does not let this user publish or subscribe to.
	ErrPermissionViolation = errors.New("nats: permissions violation")
	// ErrAccountAuthExpired means that the account's credentials have expired.
	ErrAccountAuthExpired = errors.New("nats: account authentication expired")
	// ErrJsonParse means that the CONNECT line could not be encoded.
	ErrJsonParse = errors.New("nats: connect message, json parse error")
	// ErrNoServers means that no server of the pool could be connected to.
	ErrNoServers = errors.New("nats: no servers available for connection")
	// ErrMaxPayload is returned for a message larger than the server takes.
	ErrMaxPayload = errors.New("nats: maximum payload exceeded")
	// ErrMaxMessages is returned by NextMsg once the maximum of AutoUnsubscribe is reached.
	ErrMaxMessages = errors.New("nats: maximum messages delivered")
	// ErrSyncSubRequired is returned by NextMsg on a subscription with a handler.
	ErrSyncSubRequired = errors.New("nats: illegal call on an async subscription")
	// ErrNoInfoReceived means that the peer did not start with INFO: not a NATS server.
	ErrNoInfoReceived = errors.New("nats: protocol exception, INFO not received")
	// ErrReconnectBufExceeded is returned by a publish that found the reconnect
	// buffer full, or switched off, while disconnected. The message was not taken.
	ErrReconnectBufExceeded = errors.New("nats: outbound buffer limit exceeded")
	// ErrInvalidConnection is returned by methods of a nil connection.
	ErrInvalidConnection = errors.New("nats: invalid connection")
	// ErrInvalidMsg is returned for a nil message.
	ErrInvalidMsg = errors.New("nats: invalid message or message nil")
	// ErrInvalidArg is returned for an argument that has no meaning, such as a pending limit of 0.
	ErrInvalidArg = errors.New("nats: invalid argument")
	// ErrInvalidContext is returned for a nil context.
	ErrInvalidContext = errors.New("nats: invalid context")
	// ErrNoDeadlineContext is returned by FlushWithContext for a context without a deadline.
	ErrNoDeadlineContext = errors.New("nats: context requires a deadline")
	// ErrNoEchoNotSupported means that the server is too old for NoEcho.
	ErrNoEchoNotSupported = errors.New("nats: no echo option not supported by this server")
	// ErrStaleConnection means that the server left too many PINGs unanswered.
	ErrStaleConnection = errors.New("nats: stale connection")
	// ErrMsgNotBound is returned by Respond for a message that was not received.
	ErrMsgNotBound = errors.New("nats: message is not bound to subscription/connection")
	// ErrMsgNoReply is returned by Respond for a message without a reply subject.
	ErrMsgNoReply = errors.New("nats: message does not have a reply")
	// ErrDisconnected is returned by calls that need a server and have none at the moment.
	ErrDisconnected = errors.New("nats: server is disconnected")
	// ErrHeadersNotSupported is returned for a message with headers when the server has none.
	ErrHeadersNotSupported = errors.New("nats: headers not supported by this server")
	// ErrBadHeaderMsg is returned for headers that cannot be encoded or decoded.
	ErrBadHeaderMsg = errors.New("nats: message could not decode headers")
	// ErrNoResponders means that nobody is subscribed to the subject of a request.
	ErrNoResponders = errors.New("nats: no responders available for request")
	// ErrMsgsGivenUp is returned by a Flush if messages that it covers were dropped,
	// expired, refused by a new server, or purged while it waited.
	ErrMsgsGivenUp = errors.New("nats: messages were given up before the server had them")
	// ErrMaxConnectionsExceeded means that the server has all the connections it takes.
	ErrMaxConnectionsExceeded = errors.New("nats: server maximum connections exceeded")
	// ErrMaxAccountConnectionsExceeded means that the account has all the connections it may have.
	ErrMaxAccountConnectionsExceeded = errors.New("nats: maximum account active connections exceeded")
	// ErrMaxSubscriptionsExceeded means that the server refused a subscription for their number.
	ErrMaxSubscriptionsExceeded = errors.New("nats: server maximum subscriptions exceeded")
)

// Lower-case texts of -ERR lines that a client acts on.
const (
	// STALE_CONNECTION is sent when this client left the server's PINGs unanswered.
	STALE_CONNECTION = "stale connection"
	// PERMISSIONS_ERR begins the text about a subject that is not permitted.
	PERMISSIONS_ERR = "permissions violation"
	// AUTHORIZATION_ERR begins the text about refused credentials.
	AUTHORIZATION_ERR = "authorization violation"
	// AUTHENTICATION_EXPIRED_ERR begins the text about an expired user.
	AUTHENTICATION_EXPIRED_ERR = "user authentication expired"
	// AUTHENTICATION_REVOKED_ERR begins the text about a revoked user.
	AUTHENTICATION_REVOKED_ERR = "user authentication revoked"
	// ACCOUNT_AUTHENTICATION_EXPIRED_ERR begins the text about an expired account.
	ACCOUNT_AUTHENTICATION_EXPIRED_ERR = "account authentication expired"
	// MAX_CONNECTIONS_ERR is sent when the server takes no more connections.
	MAX_CONNECTIONS_ERR = "maximum connections exceeded"
	// MAX_ACCOUNT_CONNECTIONS_ERR is sent when the account may have no more connections.
	MAX_ACCOUNT_CONNECTIONS_ERR = "maximum account active connections exceeded"
	// MAX_SUBSCRIPTIONS_ERR begins the text about too many subscriptions.
	MAX_SUBSCRIPTIONS_ERR = "maximum subscriptions exceeded"
)

// errKind says what an -ERR line of the server does to the connection.
type errKind uint8

const (
	errFatal      errKind = iota // the connection is closed for good
	errDisconnect                // the connection is lost and made again
	errAuth                      // reported; the server is about to hang up
	errNotice                    // reported; the connection stays
)

// serverError is one row of the table of -ERR texts.
type serverError struct {
	text   string
	prefix bool
	kind   errKind
	err    error
}

var serverErrors = []serverError{
	{STALE_CONNECTION, false, errDisconnect, ErrStaleConnection},
	{MAX_CONNECTIONS_ERR, false, errDisconnect, ErrMaxConnectionsExceeded},
	{MAX_ACCOUNT_CONNECTIONS_ERR, false, errDisconnect, ErrMaxAccountConnectionsExceeded},
	{PERMISSIONS_ERR, true, errNotice, ErrPermissionViolation},
	{MAX_SUBSCRIPTIONS_ERR, true, errNotice, ErrMaxSubscriptionsExceeded},
	{AUTHORIZATION_ERR, true, errAuth, ErrAuthorization},
	{AUTHENTICATION_EXPIRED_ERR, true, errAuth, ErrAuthExpired},
	{AUTHENTICATION_REVOKED_ERR, true, errAuth, ErrAuthRevoked},
	{ACCOUNT_AUTHENTICATION_EXPIRED_ERR, true, errAuth, ErrAccountAuthExpired},
}

// maxErrText is how much of an -ERR line is kept.
const maxErrText = 1024

// errText takes the text out of what follows "-ERR" on a line.
func errText(arg []byte) string {
	return strings.Trim(strings.TrimSpace(string(arg[:min(len(arg), maxErrText)])), "'")
}

// classify maps the text of an -ERR line to what it does and to the error that
// a program sees for it.
func classify(text string) (errKind, error) {
	low := strings.ToLower(text)
	for _, row := range serverErrors {
		if low != row.text && (!row.prefix || !strings.HasPrefix(low, row.text)) {
			continue
		}
		if row.err == ErrPermissionViolation {
			return row.kind, fmt.Errorf("%w: %s", ErrPermissionViolation, text)
		}
		return row.kind, row.err
	}
	if slices.Contains(violations, low) {
		return errDisconnect, violation(text)
	}
	return errFatal, errors.New("nats: " + text)
}

// violations are the texts for a message that the server does not take: reason to
// end the session, not to close a connection for good.
var violations = []string{"maximum payload violation", "maximum control line exceeded"}

// violation is such a text, in the server's words.
type violation string

func (v violation) Error() string { return "nats: " + string(v) }

// knownWords is the length of the words at the start of an -ERR text by which it
// means something.
func knownWords(text string) int {
	low := strings.ToLower(text)
	for _, row := range serverErrors {
		if low == row.text || row.prefix && strings.HasPrefix(low, row.text) {
			return min(len(row.text), len(text))
		}
	}
	return 0
}

// deniedPublish is the subject to which a publish was not permitted; empty if an -ERR
// text does not say that. The server quotes it as Go does.
func deniedPublish(text string) string {
	const before = "permissions violation for publish to "
	if len(text) < len(before) || !strings.EqualFold(text[:len(before)], before) {
		return ""
	}
	quoted, err := strconv.QuotedPrefix(text[len(before):])
	if err != nil {
		return ""
	}
	subject, _ := strconv.Unquote(quoted)
	return subject
}

// authError gives the error for an -ERR text about credentials, or nil.
func authError(text string) error {
	if kind, err := classify(text); kind == errAuth {
		return err
	}
	return nil
}

// refusal is what the server answered during the handshake, in its own words.
// It matches the variable whose text is the same in lower case, or which stands
// for exactly these words.
type refusal struct{ text string }

func (r *refusal) Error() string { return "nats: " + r.text }

// Is reports whether target has this text, in lower case, or stands for it.
func (r *refusal) Is(target error) bool {
	if target == nil || strings.ToLower(r.Error()) == target.Error() {
		return target != nil
	}
	low := strings.ToLower(r.text)
	return slices.ContainsFunc(serverErrors, func(row serverError) bool { return row.text == low && row.err == target })
}

// connectError says which server a connection attempt was for, which step
// failed and why. The server's address carries no credentials.
type connectError struct {
	server string
	step   string
	err    error
}

func (e *connectError) Error() string {
	return fmt.Sprintf("nats: %s %s: %v", e.step, e.server, strings.TrimPrefix(e.err.Error(), "nats: "))
}

func (e *connectError) Unwrap() error { return e.err }

// shortError keeps an error's text short where it may repeat hostile input.
type shortError struct{ err error }

func (e shortError) Error() string {
	const head, tail = 120, 120
	text := e.err.Error()
	if len(text) <= head+tail {
		return text
	}
	return text[:head] + " … " + text[len(text)-tail:]
}

func (e shortError) Unwrap() error { return e.err }

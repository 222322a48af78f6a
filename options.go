package nats

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"
)

// Defaults of the options.
const (
	// Version of this library, as told to the server.
	Version = "0.1.0"
	// LangString is the language as told to the server.
	LangString = "go"
	// DefaultURL is used when no server is given.
	DefaultURL = "nats://127.0.0.1:4222"
	// DefaultPort is used for a URL without one.
	DefaultPort = 4222
	// DefaultMaxReconnect is how many times each server is tried in an outage.
	DefaultMaxReconnect = 60
	// DefaultReconnectWait is the pause after all servers were tried once.
	DefaultReconnectWait = 2 * time.Second
	// DefaultReconnectJitter is the most that is added to that pause at random.
	DefaultReconnectJitter = 100 * time.Millisecond
	// DefaultReconnectJitterTLS is the same for TLS connections.
	DefaultReconnectJitterTLS = time.Second
	// DefaultTimeout is for dialling, and again for the handshake.
	DefaultTimeout = 2 * time.Second
	// DefaultPingInterval is the time between keep-alive PINGs.
	DefaultPingInterval = 2 * time.Minute
	// DefaultMaxPingOut is how many of them may be unanswered.
	DefaultMaxPingOut = 2
	// DefaultMaxChanLen bounds the queue of a synchronous subscription, in messages.
	DefaultMaxChanLen = 64 << 10
	// DefaultReconnectBufSize bounds the reconnect buffer, in bytes.
	DefaultReconnectBufSize = 8 << 20
	// RequestChanLen is kept for programs that name it.
	RequestChanLen = 8
	// DefaultFlusherTimeout is how long the operating system may take no byte
	// of ours before the connection counts as lost.
	DefaultFlusherTimeout = time.Minute
)

// ConnHandler is called for an event of a connection.
type ConnHandler func(*Conn)

// ConnErrHandler is called for an event of a connection with its cause.
type ConnErrHandler func(*Conn, error)

// ErrHandler is called for errors that no call returns. sub is nil unless the
// error is about one subscription.
type ErrHandler func(nc *Conn, sub *Subscription, err error)

// ReconnectDelayHandler returns how long to pause before the servers are tried
// again; attempts counts the pauses of this outage from 1.
type ReconnectDelayHandler func(attempts int) time.Duration

// AuthTokenHandler returns the token for a connection attempt.
type AuthTokenHandler func() string

// CustomDialer makes the connections instead of a net.Dialer. If it also has a
// method DialContext with the signature of net.Dialer's, that is used, so that
// Close can end a dial that is under way.
type CustomDialer interface {
	Dial(network, address string) (net.Conn, error)
}

// contextDialer is the optional part of a CustomDialer.
type contextDialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Options are all the settings of a connection. Start from [GetDefaultOptions]: a
// literal lacks the defaults that are not zero. A connection works on a copy;
// the meaning of zero is that of the option function of the same name.
type Options struct {
	// Url is one server, tried before all others.
	Url string
	// InProcessServer is connected to instead of dialling.
	InProcessServer InProcessConnProvider
	// Servers are more of them; see Connect for the form of a URL.
	Servers []string
	// NoRandomize keeps the order of the servers.
	NoRandomize bool
	// NoEcho: the server does not send this connection its own messages.
	NoEcho bool
	// Name of the connection, shown by the server's monitoring.
	Name string
	// Verbose asks the server to answer every line with +OK.
	Verbose bool
	// Pedantic asks the server for more checks.
	Pedantic bool
	// AllowReconnect: a lost connection is made again.
	AllowReconnect bool
	// MaxReconnect is how many times each server is tried in an outage; negative: no limit.
	MaxReconnect int
	// ReconnectToServerCB chooses the server for each attempt to reconnect.
	ReconnectToServerCB ReconnectToServerHandler
	// ReconnectWait is the pause after all servers were tried once.
	ReconnectWait time.Duration
	// CustomReconnectDelayCB computes that pause instead.
	CustomReconnectDelayCB ReconnectDelayHandler
	// ReconnectJitter is the most that is added to the pause at random.
	ReconnectJitter time.Duration
	// ReconnectJitterTLS is the same for TLS connections.
	ReconnectJitterTLS time.Duration
	// ReconnectBackoffLeast and ReconnectBackoffMost make pauses that grow instead.
	ReconnectBackoffLeast, ReconnectBackoffMost time.Duration
	// Timeout is for dialling, and again for the handshake. 0: 2 s.
	Timeout time.Duration
	// DrainTimeout is how long subscriptions may take to drain. 0 or less: no time.
	DrainTimeout time.Duration
	// FlusherTimeout is how long the operating system may take no byte of ours
	// before the connection counts as lost. 0 or less: for ever.
	FlusherTimeout time.Duration
	// ReconnectOnFlusherError: no pause before the first attempt after a failed write.
	ReconnectOnFlusherError bool
	// WriteBufferSize changes nothing: see the option of that name.
	WriteBufferSize int
	// PingInterval is the time between keep-alive PINGs. 0 or less: none.
	PingInterval time.Duration
	// MaxPingsOut is how many of them may be unanswered. 0: 2.
	MaxPingsOut int
	// ClosedCB is called once, when the connection is closed for good.
	ClosedCB ConnHandler
	// DisconnectedCB is called when the server is lost, unless DisconnectedErrCB is set.
	DisconnectedCB ConnHandler
	// DisconnectedErrCB is called when the server is lost, with the cause.
	DisconnectedErrCB ConnErrHandler
	// ConnectedCB is called for the first connection.
	ConnectedCB ConnHandler
	// ReconnectedCB is called for each later one.
	ReconnectedCB ConnHandler
	// DiscoveredServersCB is called when a server tells of new ones.
	DiscoveredServersCB ConnHandler
	// AsyncErrorCB is called for errors that no call returns. nil at connect:
	// one that writes a line to standard error, unless there is a Logger.
	AsyncErrorCB ErrHandler
	// LameDuckModeHandler is called when the server is about to shut down.
	LameDuckModeHandler ConnHandler
	// ReconnectOnLameDuck: the connection leaves such a server for another one.
	ReconnectOnLameDuck bool
	// LameDuckSpread is the most that it waits, at random, before it does.
	LameDuckSpread time.Duration
	// ReconnectErrCB is called for each attempt that could not dial.
	ReconnectErrCB ConnErrHandler
	// Logger is told of the connection's events; nil: nobody is.
	Logger *slog.Logger
	// ReconnectBufSize bounds, in bytes, what is kept while there is no server.
	// 0: 8 MiB; negative: nothing is taken while there is no server.
	ReconnectBufSize int
	// ReconnectBufMsgs bounds the same in messages. 0 or less: no such limit.
	ReconnectBufMsgs int
	// ReconnectBufOverflow says what Publish does when that buffer is full.
	ReconnectBufOverflow OverflowPolicy
	// ReconnectBufFilter says which subjects are buffered; nil: all.
	ReconnectBufFilter func(subject string) bool
	// ReconnectBufMaxAge is how long a message may be buffered. 0 or less: no limit.
	ReconnectBufMaxAge time.Duration
	// ReconnectBufHigh and ReconnectBufLow are the marks of WatermarkCB, as parts
	// of the limits.
	ReconnectBufHigh, ReconnectBufLow float64
	// WatermarkCB is called when the buffer passes the one and falls below the other.
	WatermarkCB WatermarkCB
	// AtLeastOnce: messages are kept until the server has confirmed them.
	AtLeastOnce bool
	// MsgIDHeader: messages get an id that stays the same when they are repeated.
	MsgIDHeader bool
	// ReconnectReplayRate paces the sending of what was buffered, in bytes a
	// second. 0 or less: as fast as it goes.
	ReconnectReplayRate int
	// UndeliveredCB is called for what was accepted and is given up.
	UndeliveredCB UndeliveredCB
	// PermissionErrOnSubscribe: NextMsg returns the server's refusal of the subscription.
	PermissionErrOnSubscribe bool
	// SubChanLen bounds the queue of a synchronous subscription. 0: 65,536.
	SubChanLen int
	// User and Password are the credentials, unless the URL has some.
	User string
	// Password: see User.
	Password string
	// Token is a credential by itself, unless the URL has some.
	Token string
	// TokenHandler gives the token for each attempt instead.
	TokenHandler AuthTokenHandler
	// UserInfo gives user and password for each attempt instead.
	UserInfo UserInfoCB
	// UserJWT gives the user's JWT for each attempt; SignatureCB signs with it.
	UserJWT UserJWTHandler
	// Nkey is a public user key; SignatureCB signs with its seed.
	Nkey string
	// SignatureCB signs what the server asks for, to prove that the seed is there.
	SignatureCB SignatureHandler
	// Secure insists on TLS.
	Secure bool
	// TLSConfig is the configuration for TLS; nil: an empty one.
	TLSConfig *tls.Config
	// TLSCertCB gives the client's certificate for each attempt.
	TLSCertCB TLSCertHandler
	// RootCAsCB gives the authorities to trust for each attempt.
	RootCAsCB RootCAsHandler
	// TLSHandshakeFirst begins with TLS instead of the server's INFO. Implies Secure.
	TLSHandshakeFirst bool
	// Dialer dials; nil: a new one with Timeout.
	Dialer *net.Dialer
	// AllowMultipathTCP turns multipath TCP on or off for a net.Dialer; nil: as Go has it.
	AllowMultipathTCP *bool
	// CustomDialer dials instead of Dialer.
	CustomDialer CustomDialer
	// Compression offers WebSocket servers to compress.
	Compression bool
	// ProxyPath is the path that is asked for on WebSocket servers, instead of the URL's.
	ProxyPath string
	// WebSocketConnectionHeaders are added to the HTTP request of a WebSocket connection.
	WebSocketConnectionHeaders http.Header
	// WebSocketConnectionHeadersHandler gives them for each attempt instead.
	WebSocketConnectionHeadersHandler WebSocketHeadersHandler
	// NoCallbacksAfterClientClose: Close by the program calls no handler.
	NoCallbacksAfterClientClose bool
	// RetryOnFailedConnect: Connect does not fail when no server is there; the
	// connection starts in an outage.
	RetryOnFailedConnect bool
	// UseOldRequestStyle: each request has an inbox and a subscription of its own.
	UseOldRequestStyle bool
	// InboxPrefix replaces "_INBOX" in the subjects of NewInbox and requests.
	InboxPrefix string
	// IgnoreAuthErrorAbort: go on reconnecting when a server has refused the
	// credentials twice in a row.
	IgnoreAuthErrorAbort bool
	// SkipHostLookup: host names are left to the dialer.
	SkipHostLookup bool
	// SkipSubjectValidation: subjects of published messages are not checked
	// but for being empty. White space in them breaks the connection.
	SkipSubjectValidation bool
	// IgnoreDiscoveredServers: servers that a server tells of are not used.
	IgnoreDiscoveredServers bool
}

// GetDefaultOptions returns the settings that Connect starts from.
func GetDefaultOptions() Options {
	return Options{
		AllowReconnect:     true,
		MaxReconnect:       DefaultMaxReconnect,
		ReconnectWait:      DefaultReconnectWait,
		ReconnectJitter:    DefaultReconnectJitter,
		ReconnectJitterTLS: DefaultReconnectJitterTLS,
		Timeout:            DefaultTimeout,
		PingInterval:       DefaultPingInterval,
		MaxPingsOut:        DefaultMaxPingOut,
		SubChanLen:         DefaultMaxChanLen,
		ReconnectBufSize:   DefaultReconnectBufSize,
		FlusherTimeout:     DefaultFlusherTimeout,
		DrainTimeout:       DefaultDrainTimeout,
	}
}

// withDefaults is the one place where zero gets its meaning.
func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.MaxPingsOut == 0 {
		o.MaxPingsOut = DefaultMaxPingOut
	}
	if o.SubChanLen == 0 {
		o.SubChanLen = DefaultMaxChanLen
	}
	if o.ReconnectBufSize == 0 {
		o.ReconnectBufSize = DefaultReconnectBufSize
	}
	if o.Dialer == nil {
		o.Dialer = &net.Dialer{Timeout: o.Timeout}
	}
	if o.AsyncErrorCB == nil {
		o.AsyncErrorCB = printError
		if o.Logger != nil {
			o.AsyncErrorCB = quietError
		}
	}
	return o.withTLSDefaults()
}

// Option sets something of the Options of Connect. The one place where an
// Option can fail is Connect, which then returns its error.
type Option func(*Options) error

// set makes an Option of a plain assignment.
func set(f func(*Options)) Option {
	return func(o *Options) error {
		f(o)
		return nil
	}
}

// Name sets the connection's name, which the server's monitoring shows.
func Name(name string) Option { return set(func(o *Options) { o.Name = name }) }

// NoEcho asks the server not to send this connection its own messages.
func NoEcho() Option { return set(func(o *Options) { o.NoEcho = true }) }

// DontRandomize keeps the servers in the order given. By default they are
// shuffled, so that many clients spread over them.
func DontRandomize() Option { return set(func(o *Options) { o.NoRandomize = true }) }

// NoReconnect closes the connection when the server is lost.
func NoReconnect() Option { return set(func(o *Options) { o.AllowReconnect = false }) }

// MaxReconnects sets how many times each server is tried in an outage before it
// is given up; default 60. 0: a lost server is not tried again. Negative: no
// limit. When all servers are given up the connection is closed.
func MaxReconnects(max int) Option { return set(func(o *Options) { o.MaxReconnect = max }) }

// ReconnectWait sets the pause after all servers were tried once; default 2 s.
func ReconnectWait(t time.Duration) Option { return set(func(o *Options) { o.ReconnectWait = t }) }

// ReconnectJitter sets the most that is added to [ReconnectWait] at random, so
// that many clients do not come back at once; defaults 100 ms, and 1 s with TLS.
func ReconnectJitter(jitter, jitterForTLS time.Duration) Option {
	return set(func(o *Options) { o.ReconnectJitter, o.ReconnectJitterTLS = jitter, jitterForTLS })
}

// CustomReconnectDelay computes the pause instead of [ReconnectWait] and its
// jitter. The handler runs on the goroutine that reconnects.
func CustomReconnectDelay(cb ReconnectDelayHandler) Option {
	return set(func(o *Options) { o.CustomReconnectDelayCB = cb })
}

// Timeout sets how long dialling may take, and again how long the handshake
// may; default 2 s. With several addresses for a host each gets its share.
func Timeout(t time.Duration) Option { return set(func(o *Options) { o.Timeout = t }) }

// FlusherTimeout sets how long the operating system may take no byte of ours
// before the connection counts as lost; default 1 minute, 0 or less: for ever.
// A slow link that takes some bytes in that time is not lost.
func FlusherTimeout(t time.Duration) Option { return set(func(o *Options) { o.FlusherTimeout = t }) }

// PingInterval sets the time between keep-alive PINGs; default 2 minutes, 0 or
// less: none.
func PingInterval(t time.Duration) Option { return set(func(o *Options) { o.PingInterval = t }) }

// MaxPingsOutstanding sets how many keep-alive PINGs may be unanswered before
// the connection counts as lost ([ErrStaleConnection]); default 2.
func MaxPingsOutstanding(max int) Option { return set(func(o *Options) { o.MaxPingsOut = max }) }

// SyncQueueLen bounds the queue of synchronous subscriptions; default 65,536
// messages.
func SyncQueueLen(max int) Option { return set(func(o *Options) { o.SubChanLen = max }) }

// UserInfo sets user name and password. A server's URL can have its own.
func UserInfo(user, password string) Option {
	return set(func(o *Options) { o.User, o.Password = user, password })
}

// ErrTokenAlreadySet is returned by Connect for a token and a token handler at once.
var ErrTokenAlreadySet = errors.New("nats: token and token handler both set")

// Token sets a token to authenticate with.
func Token(token string) Option {
	return func(o *Options) error {
		if o.TokenHandler != nil {
			return ErrTokenAlreadySet
		}
		o.Token = token
		return nil
	}
}

// TokenHandler asks cb for the token before each attempt to connect.
func TokenHandler(cb AuthTokenHandler) Option {
	return func(o *Options) error {
		if o.Token != "" {
			return ErrTokenAlreadySet
		}
		o.TokenHandler = cb
		return nil
	}
}

// Dialer sets the dialer. Its Timeout is divided by the number of addresses of
// a host.
func Dialer(dialer *net.Dialer) Option { return set(func(o *Options) { o.Dialer = dialer }) }

// SetCustomDialer sets what makes the connections instead of a net.Dialer.
func SetCustomDialer(dialer CustomDialer) Option {
	return set(func(o *Options) { o.CustomDialer = dialer })
}

// RetryOnFailedConnect makes Connect succeed without a server: the connection
// starts in an outage, publishes are buffered, [ConnectHandler] is called when
// the first server is there.
func RetryOnFailedConnect(retry bool) Option {
	return set(func(o *Options) { o.RetryOnFailedConnect = retry })
}

// NoCallbacksAfterClientClose keeps a Close by the program from calling handlers,
// the [UndeliveredHandler] excepted.
func NoCallbacksAfterClientClose() Option {
	return set(func(o *Options) { o.NoCallbacksAfterClientClose = true })
}

// IgnoreAuthErrorAbort goes on reconnecting after a server has refused the
// credentials with the same error twice in a row.
func IgnoreAuthErrorAbort() Option { return set(func(o *Options) { o.IgnoreAuthErrorAbort = true }) }

// SkipHostLookup leaves host names to the dialer instead of looking them up.
func SkipHostLookup() Option { return set(func(o *Options) { o.SkipHostLookup = true }) }

// SkipSubjectValidation publishes without looking for white space in subjects.
// One that has some breaks the connection.
func SkipSubjectValidation() Option {
	return set(func(o *Options) { o.SkipSubjectValidation = true })
}

// IgnoreDiscoveredServers uses only the servers given to Connect, not those that
// servers tell of.
func IgnoreDiscoveredServers() Option {
	return set(func(o *Options) { o.IgnoreDiscoveredServers = true })
}

// CustomInboxPrefix replaces "_INBOX" in the subjects of inboxes, for accounts
// with permissions by prefix. It must not be empty, have wildcards or white
// space, or end with a dot.
func CustomInboxPrefix(p string) Option {
	return func(o *Options) error {
		if p == "" || strings.ContainsAny(p, ">*") || strings.HasSuffix(p, ".") || hasSpace(p) {
			return errors.New("nats: invalid custom prefix")
		}
		o.InboxPrefix = p
		return nil
	}
}

// ConnectHandler is called for the first connection.
func ConnectHandler(cb ConnHandler) Option { return set(func(o *Options) { o.ConnectedCB = cb }) }

// ReconnectHandler is called for each later connection, once everything that was
// buffered has been handed to the operating system.
func ReconnectHandler(cb ConnHandler) Option { return set(func(o *Options) { o.ReconnectedCB = cb }) }

// DisconnectErrHandler is called when the server is lost, with the cause. A
// close by the program has none.
func DisconnectErrHandler(cb ConnErrHandler) Option {
	return set(func(o *Options) { o.DisconnectedErrCB = cb })
}

// DisconnectHandler is [DisconnectErrHandler] without the cause.
func DisconnectHandler(cb ConnHandler) Option {
	return set(func(o *Options) { o.DisconnectedCB = cb })
}

// ReconnectErrHandler is called for each attempt to reconnect that could not dial.
func ReconnectErrHandler(cb ConnErrHandler) Option {
	return set(func(o *Options) { o.ReconnectErrCB = cb })
}

// ClosedHandler is called once, when the connection is closed for good.
func ClosedHandler(cb ConnHandler) Option { return set(func(o *Options) { o.ClosedCB = cb }) }

// DiscoveredServersHandler is called when a server tells of new ones.
func DiscoveredServersHandler(cb ConnHandler) Option {
	return set(func(o *Options) { o.DiscoveredServersCB = cb })
}

// ErrorHandler is called for errors that no call returns: slow consumers,
// permission violations, refused credentials while reconnecting, failed writes.
// While 1,024 of them wait for a slow handler, further ones are not told;
// [Conn.LastError] has the last.
func ErrorHandler(cb ErrHandler) Option { return set(func(o *Options) { o.AsyncErrorCB = cb }) }

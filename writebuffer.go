package nats

const (
	// DefaultWriteBufSize is kept for programs that name it; see WriteBufferSize.
	DefaultWriteBufSize = 32 << 10
	// MAX_CONTROL_LINE_SIZE is kept for programs that name it. Longer lines of a
	// server are taken, up to 64 KiB.
	MAX_CONTROL_LINE_SIZE = 4096
)

// DefaultOptions is what GetDefaultOptions returns.
//
// Deprecated: use GetDefaultOptions; a program could change this one.
var DefaultOptions = GetDefaultOptions()

// WriteBufferSize is kept for programs that set it, and changes nothing: there is
// no write buffer beside the outbox, which ReconnectBufSize bounds, and nothing in
// it is lost by a write that fails.
func WriteBufferSize(size int) Option { return set(func(o *Options) { o.WriteBufferSize = size }) }

package nats

// LameDuckModeHandler is called when the server says that it is about to shut
// down. By itself the connection then stays until the server drops it, unless
// ReconnectOnLameDuck is set; a program can also leave at a moment of its choice, with
// ForceReconnect.
func LameDuckModeHandler(cb ConnHandler) Option {
	return set(func(o *Options) { o.LameDuckModeHandler = cb })
}

// handler reads one of the handlers, as it is set now.
func handler[T any](nc *Conn, read func(*Options) T) (h T) {
	if nc == nil {
		return h
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return read(&nc.Opts)
}

// DisconnectErrHandler returns the handler for lost servers; nil if there is none.
func (nc *Conn) DisconnectErrHandler() ConnErrHandler {
	return handler(nc, func(o *Options) ConnErrHandler { return o.DisconnectedErrCB })
}

// ReconnectHandler returns the handler for new servers after the first; nil if
// there is none.
func (nc *Conn) ReconnectHandler() ConnHandler {
	return handler(nc, func(o *Options) ConnHandler { return o.ReconnectedCB })
}

// DiscoveredServersHandler returns the handler for servers that a server tells of;
// nil if there is none.
func (nc *Conn) DiscoveredServersHandler() ConnHandler {
	return handler(nc, func(o *Options) ConnHandler { return o.DiscoveredServersCB })
}

// ClosedHandler returns the handler for the end of the connection; nil if there
// is none.
func (nc *Conn) ClosedHandler() ConnHandler {
	return handler(nc, func(o *Options) ConnHandler { return o.ClosedCB })
}

// ErrorHandler returns the handler for errors that no call returns. It is nil only
// if that was set.
func (nc *Conn) ErrorHandler() ErrHandler {
	return handler(nc, func(o *Options) ErrHandler { return o.AsyncErrorCB })
}

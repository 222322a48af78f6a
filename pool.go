package nats

import (
	"errors"
	"net/url"
	"time"
)

// Server is an entry of the server pool: a copy, to look at.
type Server struct {
	// URL of the server, credentials included.
	URL *url.URL
	// Reconnects is how many attempts there were since it was connected to.
	Reconnects int
}

// ReconnectToServerHandler chooses the server for an attempt to reconnect out of the
// pool, and how long to wait before it; info is what the last server told of itself.
// nil leaves the choice to the library.
type ReconnectToServerHandler func(pool []Server, info ServerInfo) (*Server, time.Duration)

// ErrServerNotInPool tells the ReconnectErrHandler that a server chosen by a
// ReconnectToServerHandler is not in the pool.
var ErrServerNotInPool = errors.New("nats: selected server is not in the pool")

// ReconnectToServer lets cb choose the server before each attempt to reconnect. It
// runs on the goroutine that reconnects, under no lock; the wait that it returns
// replaces ReconnectWait. A choice that is not in the pool is reported to the
// ReconnectErrHandler, and the next server is tried as usual.
func ReconnectToServer(cb ReconnectToServerHandler) Option {
	return set(func(o *Options) { o.ReconnectToServerCB = cb })
}

// ServerPool returns copies of all entries of the pool, in the order in which they
// are tried.
func (nc *Conn) ServerPool() []Server {
	if nc == nil {
		return nil
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	return nc.pool.copies()
}

// SetServerPool replaces the pool, for later attempts: the present connection
// stays. Each entry is one URL; one that was in the pool keeps its number of
// attempts. With an empty pool the connection is closed when it loses its server.
//
// Errors: ErrConnectionClosed, and those of URLs, ErrMixingWebsocketSchemes among
// them; the pool stays as it was then.
func (nc *Conn) SetServerPool(servers []string) error {
	if nc == nil {
		return ErrInvalidConnection
	}
	nc.mu.Lock()
	defer nc.mu.Unlock()
	if nc.state.now == CLOSED {
		return ErrConnectionClosed
	}
	return nc.pool.replace(servers)
}

func (p *serverPool) copies() []Server {
	list := make([]Server, 0, len(p.list))
	for _, s := range p.list {
		u := *s.url
		if s.url.User != nil {
			user := *s.url.User
			u.User = &user
		}
		list = append(list, Server{URL: &u, Reconnects: s.reconnects})
	}
	return list
}

// replace makes a new list. What was in the old one keeps its history, and the
// current server stays current, in the list or not.
func (p *serverPool) replace(urls []string) error {
	fresh := serverPool{known: make(map[string]bool), scheme: p.scheme, settled: true, web: p.web}
	for _, u := range urls {
		if err := fresh.add(u, false); err != nil {
			return err
		}
	}
	for _, s := range fresh.list {
		if old := p.find(s.url.String()); old != nil {
			s.reconnects, s.lastAuthErr = old.reconnects, old.lastAuthErr
			if old == p.current {
				p.current = s
			}
		}
	}
	p.list, p.known = fresh.list, fresh.known
	return nil
}

// find returns the entry with this URL; nil: there is none. The current one may be
// in no list.
func (p *serverPool) find(u string) *server {
	if p.current != nil && p.current.url.String() == u {
		return p.current
	}
	for _, s := range p.list {
		if s.url.String() == u {
			return s
		}
	}
	return nil
}

// dropTried removes the entries that were tried max times (max >= 0).
func (p *serverPool) dropTried(max int) {
	if max < 0 {
		return
	}
	kept := p.list[:0]
	for _, s := range p.list {
		if s.reconnects < max {
			kept = append(kept, s)
		}
	}
	clear(p.list[len(kept):])
	p.list = kept
}

// choose picks the server for the next attempt and the pause before it: by the
// program's handler if there is one, else by rotation. nil: no server is left.
func (nc *Conn) choose(o *outage) (*server, time.Duration) {
	nc.mu.Lock()
	opts := nc.Opts
	var pool []Server
	if opts.ReconnectToServerCB != nil {
		nc.pool.dropTried(opts.MaxReconnect)
		pool = nc.pool.copies()
	}
	info := nc.info
	nc.mu.Unlock()
	if opts.ReconnectToServerCB == nil {
		return nc.rotate(o, &opts)
	}
	if len(pool) == 0 {
		return nil, 0
	}
	want, pause := opts.ReconnectToServerCB(pool, info)
	if want == nil || want.URL == nil {
		return nc.rotate(o, &opts)
	}
	nc.mu.Lock()
	srv := nc.pool.listed(want.URL.String())
	if srv != nil {
		nc.pool.current = srv
	} else {
		nc.postConnErrLocked(opts.ReconnectErrCB, ErrServerNotInPool)
	}
	nc.mu.Unlock()
	if srv == nil {
		return nc.rotate(o, &opts)
	}
	o.hurry = false
	return srv, pause
}

// listed is find without a current server that is not in the list.
func (p *serverPool) listed(u string) *server {
	for _, s := range p.list {
		if s.url.String() == u {
			return s
		}
	}
	return nil
}

// rotate takes the next server of the pool.
func (nc *Conn) rotate(o *outage, opts *Options) (*server, time.Duration) {
	nc.mu.Lock()
	srv := nc.pool.next(opts.MaxReconnect)
	servers := len(nc.pool.list)
	nc.mu.Unlock()
	if srv == nil {
		return nil, 0
	}
	return srv, o.pause(servers, opts)
}

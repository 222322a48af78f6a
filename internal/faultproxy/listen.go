package faultproxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

const (
	reopenFor  = 5 * time.Second // how long SetAccept tries to get the port back
	retryEvery = 10 * time.Millisecond
)

// AcceptMode says what happens to connections that come in.
type AcceptMode uint8

const (
	// Relay passes new connections on to the upstream. It is the default.
	Relay AcceptMode = iota
	// Refuse closes the listener: connecting fails with ECONNREFUSED. On Linux
	// the proxy keeps its port reserved meanwhile; elsewhere another program
	// may take it.
	Refuse
	// CloseAtOnce accepts and closes at once: the client gets EOF. If it has
	// sent something already, a RST may follow.
	CloseAtOnce
	// ResetAtOnce accepts and sends a RST at once.
	ResetAtOnce
	// Silent accepts and says nothing: what the client sends is swallowed, the
	// upstream hears nothing of it. Such a connection stays silent until it is
	// cut, the client leaves or the proxy is closed.
	Silent
)

// SetAccept says what happens to connections accepted from now on; those open
// are not touched. When it returns from setting Refuse the port is closed. When
// the port must be opened again and stays taken for five seconds, the error
// says so and the proxy goes on refusing. After Close the error wraps
// net.ErrClosed.
func (p *Proxy) SetAccept(mode AcceptMode) error {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if err := p.setMode(mode); err != nil {
		return err
	}
	if mode == Refuse {
		p.unserve()
		return nil
	}
	if p.ln != nil {
		return nil
	}
	ln, err := p.reopen()
	if err != nil {
		_ = p.setMode(Refuse)
		return fmt.Errorf("faultproxy: %w", err)
	}
	p.serve(ln)
	return nil
}

func (p *Proxy) setMode(mode AcceptMode) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return fmt.Errorf("faultproxy: %w", net.ErrClosed)
	}
	p.mode = mode
	return nil
}

// serve starts to accept. The caller has the turn.
func (p *Proxy) serve(ln net.Listener) {
	p.ln, p.lnDone = ln, make(chan struct{})
	// Owned by the listener; ends when unserve closes it.
	go p.acceptLoop(ln, p.lnDone)
}

// unserve closes the listener and waits for its loop. The caller has the turn.
func (p *Proxy) unserve() {
	if p.ln == nil {
		return
	}
	_ = p.ln.Close()
	<-p.lnDone
	p.ln, p.lnDone = nil, nil
}

func (p *Proxy) acceptLoop(ln net.Listener, done chan struct{}) {
	defer close(done)
	for {
		conn, err := ln.Accept()
		if err == nil {
			p.admit(conn.(*net.TCPConn))
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		// Out of descriptors, or a client that left again: try on.
		select {
		case <-p.closed:
			return
		case <-time.After(retryEvery):
		}
	}
}

// reopen listens on the proxy's own port again.
func (p *Proxy) reopen() (net.Listener, error) {
	giveUp := time.After(reopenFor)
	for {
		ln, err := listen(p.addr)
		if err == nil {
			return ln, nil
		}
		select {
		case <-p.closed:
			return nil, net.ErrClosed
		case <-giveUp:
			return nil, err
		case <-time.After(retryEvery):
		}
	}
}

func listen(addr string) (net.Listener, error) {
	var lc net.ListenConfig
	// Plain TCP, so that a reset is a reset.
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), "tcp4", addr)
}

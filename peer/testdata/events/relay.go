package main

import (
	"io"
	"net"
	"strings"
	"sync"
)

// relay is a TCP proxy whose connections can be cut and which can go away and come
// back on its port.
type relay struct {
	target, addr string

	mu    sync.Mutex
	ln    net.Listener
	conns []net.Conn
}

func newRelay(url string) *relay {
	r := &relay{target: strings.TrimPrefix(url, "nats://"), addr: "127.0.0.1:0"}
	r.start()
	return r
}

func (r *relay) url() string { return "nats://" + r.addr }

func (r *relay) start() {
	ln, err := net.Listen("tcp", r.addr)
	if err != nil {
		panic(err)
	}
	r.addr = ln.Addr().String()
	r.mu.Lock()
	r.ln = ln
	r.mu.Unlock()
	go r.accept(ln)
}

func (r *relay) accept(ln net.Listener) {
	for {
		in, err := ln.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", r.target)
		if err != nil {
			in.Close()
			continue
		}
		r.mu.Lock()
		r.conns = append(r.conns, in, out)
		r.mu.Unlock()
		go pipe(in, out)
		go pipe(out, in)
	}
}

func pipe(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	to.Close()
	from.Close()
}

// cut ends the present connections.
func (r *relay) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.conns {
		c.Close()
	}
	r.conns = nil
}

// stop refuses new ones too.
func (r *relay) stop() {
	r.mu.Lock()
	r.ln.Close()
	r.mu.Unlock()
	r.cut()
}

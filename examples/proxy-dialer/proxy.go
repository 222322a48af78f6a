package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
)

// connectProxy is an HTTP proxy that knows CONNECT and nothing else, and only the
// servers of its list.
type connectProxy struct {
	server  http.Server
	addr    string
	hosts   map[string]string // the address to dial for one that is asked for
	ctx     context.Context   // ends with close
	stop    context.CancelFunc
	running sync.WaitGroup // the accept loop and the tunnels

	mu      sync.Mutex
	closed  bool
	tunnels []string // what was asked for and made
	user    string   // the last user's credentials
}

func startProxy(hosts map[string]string) (*connectProxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &connectProxy{addr: ln.Addr().String(), hosts: hosts}
	p.server.Handler = p
	p.ctx, p.stop = context.WithCancel(context.Background())
	// Ends when close closes the server, and is waited for there.
	p.running.Go(func() { _ = p.server.Serve(ln) })
	return p, nil
}

func (p *connectProxy) url() string { return "http://" + p.addr }

// made returns what tunnels were made to, in order.
func (p *connectProxy) made() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.tunnels)
}

// credentials returns those of the last request.
func (p *connectProxy) credentials() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.user
}

// close ends the proxy and all tunnels.
func (p *connectProxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.stop()
	_ = p.server.Close() // knows nothing of the tunnels, which end with the context
	p.running.Wait()
}

// begin notes a request that is worked on; false: the proxy is closed.
func (p *connectProxy) begin(credentials string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.user = credentials
	p.running.Add(1)
	return true
}

// ServeHTTP makes a tunnel and stays until it ends.
func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !p.begin(r.Header.Get("Proxy-Authorization")) {
		return
	}
	defer p.running.Done()
	address, known := p.hosts[r.Host]
	switch {
	case r.Method != http.MethodConnect:
		http.Error(w, "CONNECT only", http.StatusMethodNotAllowed)
		return
	case !known:
		http.Error(w, "not for you", http.StatusForbidden)
		return
	}
	server, err := new(net.Dialer).DialContext(p.ctx, "tcp", address)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer server.Close()
	client, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer client.Close()
	p.mu.Lock()
	p.tunnels = append(p.tunnels, r.Host)
	p.mu.Unlock()
	if _, err := io.WriteString(client, "HTTP/1.1 200 Connection established\r\n\r\n"); err == nil {
		p.relay(client, server)
	}
}

// relay passes bytes on until one side ends, or the proxy.
func (p *connectProxy) relay(a, b net.Conn) {
	ctx, end := context.WithCancel(p.ctx)
	defer end()
	for _, way := range [][2]net.Conn{{a, b}, {b, a}} {
		// Ends when either side does: then both are closed below.
		p.running.Go(func() {
			defer end()
			_, _ = io.Copy(way[0], way[1])
		})
	}
	<-ctx.Done()
	_ = a.Close()
	_ = b.Close()
}

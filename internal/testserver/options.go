package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const loopback = "127.0.0.1"

// JetStream turns JetStream on. The data is kept over restarts and removed by
// Close, unless another option sets StoreDir.
func JetStream() Option {
	return func(o *server.Options) { o.JetStream = true }
}

// Websocket adds a websocket port on 127.0.0.1, free and without TLS; see
// [Server.WebsocketURL].
func Websocket() Option {
	return func(o *server.Options) {
		o.Websocket.Host = loopback
		o.Websocket.Port = server.RANDOM_PORT
		o.Websocket.NoTLS = true
	}
}

// WebsocketTLS is Websocket with TLS by c's server certificate. The client port stays
// without, unless TLS is there too.
func WebsocketTLS(c *Certs) Option {
	return func(o *server.Options) {
		Websocket()(o)
		o.Websocket.NoTLS = false
		o.Websocket.TLSConfig = c.ServerConfig()
	}
}

// WebsocketCompression is Websocket that compresses for clients that want it.
func WebsocketCompression() Option {
	return func(o *server.Options) {
		Websocket()(o)
		o.Websocket.Compression = true
	}
}

// TLS makes the server require TLS with c's server certificate.
func TLS(c *Certs) Option {
	return func(o *server.Options) {
		o.TLS = true
		o.TLSConfig = c.ServerConfig()
		o.TLSTimeout = 10 // seconds; the server's 2 are short for a busy machine
	}
}

// MutualTLS is TLS which also requires a client certificate from c's CA.
func MutualTLS(c *Certs) Option {
	return func(o *server.Options) {
		TLS(c)(o)
		o.TLSConfig = c.MutualConfig()
		o.TLSVerify = true
	}
}

// buildOptions turns cfg into the options of every start: defaults or the
// text, the caller's options, and then a fixed value for all that would differ
// from one start to the next.
func buildOptions(cfg Config, ports *ports, dir *tempDir) (*server.Options, error) {
	o, err := baseOptions(cfg.Text)
	if err != nil {
		return nil, err
	}
	noHost, noPort := o.Host == "", o.Port == 0
	if cfg.Port != 0 {
		o.Port = cfg.Port
	}
	for _, opt := range cfg.Options {
		opt(o)
	}
	noStore := o.JetStream && o.StoreDir == ""
	if noStore {
		if o.StoreDir, err = dir.sub("jetstream"); err != nil {
			return nil, err
		}
	}
	if err := ports.pin(o); err != nil {
		return nil, err
	}
	if cfg.Text == "" {
		return o, nil
	}
	// The file says the chosen values too, so that a reload finds no change.
	text := cfg.Text + "\n"
	if noHost {
		text += fmt.Sprintf("host: %q\n", o.Host)
	}
	if noPort {
		text += fmt.Sprintf("port: %d\n", o.Port)
	}
	if noStore {
		text += fmt.Sprintf("store_dir: %q\n", filepath.ToSlash(o.StoreDir))
	}
	return o, writeConfig(o, dir, text)
}

// baseOptions are the options before the caller's. With a text they are what a
// reload of that text finds, for it would refuse most differences.
func baseOptions(text string) (*server.Options, error) {
	o := &server.Options{NoLog: true, NoSigs: true}
	if text != "" {
		if err := o.ProcessConfigString(text); err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		return o, nil
	}
	// Fixed limits spare each start the look at memory and disk.
	o.JetStreamMaxMemory = 256 << 20
	o.JetStreamMaxStore = 1 << 30
	o.LameDuckDuration = 500 * time.Millisecond
	o.LameDuckGracePeriod = 50 * time.Millisecond
	return o, nil
}

// writeConfig writes the text to a file and lets o know it.
func writeConfig(o *server.Options, dir *tempDir, text string) error {
	conf, err := dir.sub("conf")
	if err != nil {
		return err
	}
	file := filepath.Join(conf, "server.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	if err := new(server.Options).ProcessConfigFile(file); err != nil {
		return fmt.Errorf("configuration: %w", err)
	}
	o.ConfigFile = file
	return nil
}

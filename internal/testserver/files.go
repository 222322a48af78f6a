package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// tempDir is a temporary directory that comes into being when it is first
// needed. It is used by one goroutine at a time.
type tempDir struct{ path string }

// sub makes the named directory inside d and returns its path.
func (d *tempDir) sub(name string) (string, error) {
	if d.path == "" {
		path, err := os.MkdirTemp("", "testserver-")
		if err != nil {
			return "", err
		}
		d.path = path
	}
	sub := filepath.Join(d.path, name)
	return sub, os.MkdirAll(sub, 0o700)
}

// remove deletes the directory. A server that has shut down may still be
// writing a last file, which makes the deletion fail, so it is tried again for
// a while.
func (d *tempDir) remove() error {
	if d.path == "" {
		return nil
	}
	deadline := time.Now().Add(5 * time.Second)
	for {
		err := os.RemoveAll(d.path)
		if err == nil {
			d.path = ""
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("testserver: remove the temporary directory: %w", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Command dropingen writes the packages of the drop-in module: for every exported
// identifier of this client an alias, a constant, a variable or a thin function.
//
//	dropingen FOLDER
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/natsring/nats.go/peer/internal/aliases"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: dropingen FOLDER")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(folder string) error {
	files, err := aliases.Generate(context.Background())
	if err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

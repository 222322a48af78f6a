// Public runs the tests of public modules that were written for the incumbent, as
// they are, once with it and once with the drop-in in its place, and prints how many
// passed. It downloads the modules; each takes up to a minute.
//
//	go run ./public
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

const (
	theirs = "github.com/nats-io/nats.go"
	ours   = "github.com/natsring/nats.go"
)

// A suite is the tests of one module that need core NATS and start their own server.
type suite struct {
	module  string   // with its version
	modfile string   // the go.mod of its tests, if that is another one
	require string   // a requirement of it that is not published any more
	test    []string // arguments of go test
}

var suites = []suite{
	{module: "github.com/go-kit/kit@v0.13.0", test: []string{"./transport/nats"}},
	{module: "github.com/nats-io/stan.go@v0.10.4", modfile: "go_tests", test: []string{"."},
		require: "github.com/nats-io/nats-streaming-server@v0.25.6"},
	// Not its tests of HTTP: they are about an older server than this library's tests want.
	{module: "github.com/nats-io/nats-streaming-server@v0.25.6",
		test: []string{"./server", "-run", "TestDurable|TestQueue|TestRedeliver|TestTLS|TestClient|TestUnsub|TestAck", "-args", "-sql=false"}},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	here, err := filepath.Abs("..")
	if err == nil {
		err = runAll(ctx, here)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "public:", err)
		os.Exit(1)
	}
}

// runAll is an error if a test passes with the incumbent and not with this library.
func runAll(ctx context.Context, here string) error {
	fmt.Printf("%-50s %20s %20s\n", "module", "with the incumbent", "with the drop-in")
	worse := false
	for _, s := range suites {
		var got [2]counts
		for i, dropIn := range []bool{false, true} {
			c, err := s.run(ctx, here, dropIn)
			if err != nil {
				return fmt.Errorf("%s: %w", s.module, err)
			}
			got[i] = c
		}
		fmt.Printf("%-50s %20s %20s\n", s.module, got[0], got[1])
		worse = worse || got[1].passed < got[0].passed
	}
	if worse {
		return errors.New("some tests pass only with the incumbent")
	}
	return nil
}

// counts are the top-level tests of a run.
type counts struct{ passed, failed, skipped int }

func (c counts) String() string {
	return fmt.Sprintf("%d passed, %d failed", c.passed, c.failed)
}

func (s *suite) run(ctx context.Context, here string, dropIn bool) (counts, error) {
	dir, err := os.MkdirTemp("", "public-")
	if err != nil {
		return counts{}, err
	}
	defer os.RemoveAll(dir)
	if err := s.prepare(ctx, dir, here, dropIn); err != nil {
		return counts{}, err
	}
	args := append([]string{"test", "-mod=mod", "-vet=off", "-count=1", "-json", "-timeout=8m"}, s.test...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	failed := cmd.Run() // of a failed test; what matters is what was printed
	c := count(&out)
	if c == (counts{}) {
		return c, fmt.Errorf("no test ran: %w\n%s%s", failed, out.Bytes(), stderr.Bytes())
	}
	return c, nil
}

// prepare copies the module out of the cache and puts the drop-in into its go.mod.
func (s *suite) prepare(ctx context.Context, dir, here string, dropIn bool) error {
	out, err := goCommand(ctx, dir, "mod", "download", "-json", s.module)
	if err != nil {
		return err
	}
	var info struct{ Dir string }
	if err := json.Unmarshal(out, &info); err != nil {
		return err
	}
	if err := copyTree(info.Dir, dir); err != nil {
		return err
	}
	if s.modfile != "" {
		for _, end := range []string{".mod", ".sum"} {
			if err := os.Rename(filepath.Join(dir, s.modfile+end), filepath.Join(dir, "go"+end)); err != nil {
				return err
			}
		}
	}
	edit := []string{"mod", "edit"}
	if s.require != "" {
		edit = append(edit, "-require="+s.require)
	}
	if dropIn {
		edit = append(edit, "-go=1.26.0", "-replace="+theirs+"="+filepath.Join(here, "dropin"), "-replace="+ours+"="+here)
	}
	if len(edit) == 2 {
		return nil
	}
	_, err = goCommand(ctx, dir, edit...)
	return err
}

func goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, nil
}

// copyTree copies files so that they can be written; those of the cache cannot.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, data, 0o644)
	})
}

// count reads what go test -json prints.
func count(out *bytes.Buffer) (c counts) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e struct{ Action, Test string }
		if json.Unmarshal(lines.Bytes(), &e) != nil || e.Test == "" || strings.Contains(e.Test, "/") {
			continue
		}
		switch e.Action {
		case "pass":
			c.passed++
		case "fail":
			c.failed++
		case "skip":
			c.skipped++
		}
	}
	return c
}

// Package demotest checks that an example prints what it says that it prints.
package demotest

import (
	"bytes"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience is how long a page may take on a busy machine.
const patience = 30 * time.Second

// Output runs a page and compares what it prints, line by line, with the block
// behind "Output:" in the comment at the head of main.go in the test's folder. There
// "…" stands for anything within a line.
func Output(t *testing.T, run func(w io.Writer) error) {
	t.Helper()
	want, err := promised("main.go")
	if err != nil {
		t.Fatal(err)
	}
	out, err := output(run, patience)
	if err != nil {
		t.Fatalf("%v, after it had printed:\n%s", err, out)
	}
	if err := compare(want, out); err != nil {
		t.Fatalf("%v, in:\n%s", err, out)
	}
}

// promised returns the lines that the comment at the head of a file promises.
func promised(file string) ([]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return nil, err
	}
	_, block, found := strings.Cut(f.Doc.Text(), "\nOutput:\n\n")
	if !found {
		return nil, fmt.Errorf("%s: its first comment does not end with what is printed, behind \"Output:\"", file)
	}
	var lines []string
	for line := range strings.Lines(block) {
		rest, indented := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\t")
		if !indented {
			return nil, fmt.Errorf("%s: %q is not part of the block of lines behind \"Output:\"", file, line)
		}
		lines = append(lines, rest)
	}
	return lines, nil
}

// output runs a page for at most limit and returns what it has printed.
func output(run func(w io.Writer) error, limit time.Duration) (string, error) {
	var out buffer
	done := make(chan error, 1)
	go func() { done <- run(&out) }() // ends with the page, which ends by itself
	select {
	case err := <-done:
		return out.String(), err
	case <-time.After(limit):
		return out.String(), errors.New("the page does not end")
	}
}

// compare says where out differs from the lines that are wanted.
func compare(want []string, out string) error {
	got := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	for i, w := range want {
		if i >= len(got) {
			return fmt.Errorf("line %d is missing: %s", i+1, w)
		}
		if !pattern(w).MatchString(got[i]) {
			return fmt.Errorf("line %d is not as promised: %s", i+1, w)
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("line %d is not promised", len(want)+1)
	}
	return nil
}

// pattern matches the lines that a promised line stands for.
func pattern(line string) *regexp.Regexp {
	return regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".+") + "$")
}

// buffer is a bytes.Buffer for a page whose handlers print too.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

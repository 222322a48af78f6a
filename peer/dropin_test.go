package peer

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver"
	"github.com/natsring/nats.go/peer/internal/aliases"
)

// The drop-in module is what its generator writes.
func TestDropInIsCurrent(t *testing.T) {
	t.Parallel()
	files, err := aliases.Generate(t.Context())
	require.NoError(t, err)
	require.Len(t, files, 2)
	for name, want := range files {
		got, err := os.ReadFile(filepath.Join("..", "dropin", filepath.FromSlash(name)))
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s is old: go generate in dropin", name)
	}
}

// The drop-in has every name of the incumbent's core package, but for those to come.
func TestDropInHasEveryName(t *testing.T) {
	t.Parallel()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "dropin", "aliases.go"), nil, 0)
	require.NoError(t, err)
	have := make(map[string]bool)
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			have[d.Name.Name] = true
		case *ast.GenDecl:
			for _, s := range d.Specs {
				switch s := s.(type) {
				case *ast.TypeSpec:
					have[s.Name.Name] = true
				case *ast.ValueSpec:
					have[s.Names[0].Name] = true
				}
			}
		}
	}
	later := allPending()
	theirs := load(t, theirPath)[0]
	found := 0
	for name, it := range theirs {
		if inScope(name, it) && !strings.Contains(name, ".") && !later[name] {
			require.True(t, have[name], name)
			found++
		}
	}
	require.Greater(t, found, 150)
}

// A program written for the incumbent prints the same with the drop-in in its place:
// what its calls return, and which events there are in which order.
func TestProgramRunsOnTheDropIn(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"program", "events"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			runOnBoth(t, program)
		})
	}
}

func runOnBoth(t *testing.T, program string) {
	s := testserver.Run(t)
	folder := filepath.Join("testdata", program)
	theirs := goRun(t, ".", "./"+folder, s.URL())
	require.Contains(t, theirs, "closed")
	here, err := filepath.Abs("..")
	require.NoError(t, err)
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	require.NoError(t, err)
	for _, f := range files {
		copyFile(t, f, filepath.Join(dir, filepath.Base(f)))
	}
	copyFile(t, filepath.Join("..", "go.sum"), filepath.Join(dir, "go.sum"))
	mod := fmt.Sprintf("module program\n\ngo 1.26.0\n\nrequire %s v1.55.0\n\nreplace (\n\t%s => %s\n\t%s => %s\n)\n",
		theirPath, theirPath, filepath.Join(here, "dropin"), ourPath, here)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o600))
	require.Equal(t, theirs, goRun(t, dir, "-mod=mod", ".", s.URL()))
}

// goRun runs a program in a folder and returns what it prints.
func goRun(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run"}, args...)...)
	cmd.Dir = dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoError(t, err, "%s%s", out, errs.String())
	t.Logf("%s", out)
	return string(out)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, text, 0o600))
}

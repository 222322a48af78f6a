package peer

import (
	"fmt"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

// useAll writes the body of a function that uses every name of the incumbent's core
// API that is here: constants, variables and functions, types, methods and fields.
func useAll(t *testing.T) (body string, names int) {
	t.Helper()
	pkgs, err := packages.Load(&packages.Config{
		Context: t.Context(), Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports,
	}, theirPath)
	require.NoError(t, err)
	require.Empty(t, pkgs[0].Errors)
	scope := pkgs[0].Types.Scope()
	theirs := load(t, theirPath)[0]
	later := allPending()
	var b strings.Builder
	for name, it := range sorted(theirs) {
		if !inScope(name, it) || later[name] {
			continue
		}
		owner, member, isMember := strings.Cut(name, ".")
		_, isType := scope.Lookup(owner).(*types.TypeName)
		switch {
		case !isType:
			fmt.Fprintf(&b, "\t_ = nats.%s\n", owner)
		case !isMember:
			fmt.Fprintf(&b, "\t{ var x nats.%s; _ = &x }\n", owner)
		default:
			fmt.Fprintf(&b, "\t{ var x *nats.%s; use(func() { _ = %s.%s }) }\n", owner, deref(scope, owner), member)
		}
		names++
	}
	return b.String(), names
}

// deref is how a value of the type is written: the methods of an interface are not
// those of a pointer to it.
func deref(scope *types.Scope, name string) string {
	if types.IsInterface(scope.Lookup(name).Type()) {
		return "(*x)"
	}
	return "x"
}

func sorted(s surface) func(func(string, item) bool) {
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	sort.Strings(names)
	return func(yield func(string, item) bool) {
		for _, name := range names {
			if !yield(name, s[name]) {
				return
			}
		}
	}
}

// A program that uses the whole core API compiles in each way of adoption: with the
// import path changed, with the module replaced, and with both clients in one binary.
func TestProgramThatUsesEverythingCompiles(t *testing.T) {
	t.Parallel()
	body, names := useAll(t)
	require.Greater(t, names, 380)
	t.Logf("%d names", names)
	file := func(path string) string {
		return "package main\n\nimport nats \"" + path + "\"\n\nfunc use(func()) {}\n\nfunc main() {\n" + body + "}\n"
	}
	both := "package main\n\nimport (\n\tnats \"" + ourPath + "\"\n\told \"" + theirPath + "\"\n)\n\nfunc use(func()) {}\n\n" +
		"func main() {\n\t_, _ = old.Connect, (*old.Conn).Publish\n" + body + "}\n"
	here, err := filepath.Abs("..")
	require.NoError(t, err)
	theirReq := "require " + theirPath + " v1.55.0\n"
	ours := "require " + ourPath + " v0.0.0\nreplace " + ourPath + " => " + here + "\n"
	dropIn := "replace " + theirPath + " => " + filepath.Join(here, "dropin") + "\n"
	for name, c := range map[string]struct{ text, mod string }{
		"import path changed": {file(ourPath), ours},
		"module replaced":     {file(theirPath), theirReq + ours + dropIn},
		"both in one binary":  {both, theirReq + ours},
		"the incumbent":       {file(theirPath), theirReq}, // else the program itself is wrong
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			copyFile(t, "go.sum", filepath.Join(dir, "go.sum"))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(c.text), 0o600))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module program\n\ngo 1.26.0\n\n"+c.mod), 0o600))
			cmd := exec.CommandContext(t.Context(), "go", "build", "-mod=mod", "-o", os.DevNull, ".")
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			require.NoErrorf(t, err, "%.4000s", out)
		})
	}
}

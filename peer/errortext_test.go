package peer

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	incumbent "github.com/nats-io/nats.go"
	ours "github.com/natsring/nats.go"
)

// Every error variable that both have says the same. The program that reads them is
// written here, for only a program can.
func TestErrorTextsAreTheSame(t *testing.T) {
	s := load(t, theirPath, ourPath)
	var names []string
	for name, it := range s[0] {
		if it.text == "var error" && s[1][name].text == it.text {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	require.Greater(t, len(names), 40)
	var b strings.Builder
	fmt.Fprintf(&b, "package main\n\nimport (\n\t\"fmt\"\n\ttheirs %q\n\tours %q\n)\n\nfunc main() {\n", theirPath, ourPath)
	for _, name := range names {
		fmt.Fprintf(&b, "\tfmt.Printf(\"%%s\\t%%v\\t%%v\\n\", %q, theirs.%s, ours.%s)\n", name, name, name)
	}
	b.WriteString("}\n")
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "run", file).Output()
	require.NoError(t, err)
	lines := 0
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, f, 3, line)
		require.Equal(t, f[1], f[2], f[0])
		lines++
	}
	require.Equal(t, len(names), lines)
	t.Logf("%d error texts are the same", lines)
}

// Options start from the same values. Fields that only one of them has are left out.
func TestDefaultOptionsAreTheSame(t *testing.T) {
	t.Parallel()
	theirs, mine := reflect.ValueOf(incumbent.GetDefaultOptions()), reflect.ValueOf(ours.GetDefaultOptions())
	compared := 0
	for f, v := range theirs.Fields() {
		w := mine.FieldByName(f.Name)
		if !w.IsValid() || !f.IsExported() {
			continue
		}
		compared++
		if v.Comparable() && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface {
			require.Equal(t, fmt.Sprint(v.Interface()), fmt.Sprint(w.Interface()), f.Name)
			continue
		}
		require.Equal(t, v.IsZero(), w.IsZero(), f.Name)
	}
	require.Greater(t, compared, 40)
}

// The names of states are the same.
func TestStateNamesAreTheSame(t *testing.T) {
	t.Parallel()
	for i := -1; i < 10; i++ {
		require.Equal(t, incumbent.Status(i).String(), ours.Status(i).String())
		require.Equal(t, incumbent.SubStatus(i).String(), ours.SubStatus(i).String())
	}
}

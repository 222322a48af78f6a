package markdown

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFollow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.md", "# One\n")
	write(t, dir, "b.md", "# Two\n")
	write(t, dir, "c.go", "package c\n\ntype T struct{ Field int }\n\nfunc (t *T) Method() {}\n\nfunc Func() {}\n\nconst Const = 1\n\nvar Var int\n")
	d, err := Read(filepath.Join(dir, "a.md"))
	require.NoError(t, err)
	for _, good := range []Link{
		{Target: "https://example.org/gone", Text: "x"},
		{Target: "#one", Text: "x"}, {Target: "b.md", Text: "x"}, {Target: "b.md#two", Text: "x"}, {Target: ".", Text: "x"},
		{Target: "c.go", Text: "the code"}, {Target: "c.go", Text: "`T`"}, {Target: "c.go", Text: "`T.Field`"},
		{Target: "c.go", Text: "`T.Method`"}, {Target: "c.go", Text: "`Func`"}, {Target: "c.go", Text: "`Const`"},
		{Target: "c.go", Text: "`Var`"},
	} {
		require.NoError(t, d.Follow(good), good)
	}
	for _, broken := range []Link{
		{Text: "`undefined`"}, {Target: "#two", Text: "x"}, {Target: "gone.md", Text: "x"}, {Target: "b.md#one", Text: "x"}, {Target: "gone", Text: "x"},
		{Target: "gone.go", Text: "x"}, {Target: "gone.go", Text: "`T`"}, {Target: "c.go", Text: "`Gone`"},
		{Target: "c.go", Text: "`T.Gone`"}, {Target: "c.go", Text: "`Method`"}, {Target: "c.go", Text: "`Func.Field`"},
	} {
		require.Error(t, d.Follow(broken), broken)
	}
}

func TestCheckCommand(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	write(t, root, "check", "")
	for _, line := range []string{
		"./check", "FUZZTIME=5m ./check   # with more", "go test ./...", "go test -race -run '^TestX$' -count 20 .",
		"(cd . && go test -v . -x=60s)", "cd . && go run ./check -fast",
	} {
		known, err := CheckCommand(root, line)
		require.True(t, known, line)
		require.NoError(t, err, line)
	}
	for _, line := range []string{
		"./gone", "go run ./examples/gone", "(cd gone && go test .)", "FUZZTIME=5m ./gone -x", "go test ./gone/... # all",
	} {
		known, err := CheckCommand(root, line)
		require.True(t, known, line)
		require.Error(t, err, line)
	}
	known, err := CheckCommand(root, "git clone https://example.org/x && cd x")
	require.False(t, known)
	require.NoError(t, err)
}

func TestReadAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, folder := range []string{"docs", ".hidden", "testdata"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		write(t, dir, folder+"/a.md", "# A\n")
	}
	write(t, dir, "docs/a.go", "package docs\n")
	docs, err := ReadAll(dir)
	require.NoError(t, err)
	require.Len(t, docs, 1)
	require.Equal(t, filepath.Join(dir, "docs", "a.md"), docs[0].Path)

	write(t, dir, "docs/b.md", "```go\n")
	_, err = ReadAll(dir)
	require.ErrorContains(t, err, "has no end")
}

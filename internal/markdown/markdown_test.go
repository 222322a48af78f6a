package markdown

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const sample = "# A `Conn`, and more!\n" +
	"\n" +
	"See [the\n" +
	"other](other.md#part) and ![a ring](ring.svg), not `[code](gone.md)`, but [`Conn`](conn.go).\n" +
	"\n" +
	"## Part\n" +
	"## Part\n" +
	"<a id=\"own\"></a>\n" +
	"\n" +
	"```go\n" +
	"# no heading\n" +
	"[no](link)\n" +
	"```\n" +
	"  ```\n" +
	"  text\n" +
	"  ```\n"

func TestParse(t *testing.T) {
	t.Parallel()
	d, err := Parse("a.md", sample)
	require.NoError(t, err)
	require.Equal(t, []Link{
		{Line: 3, Text: "the\nother", Target: "other.md#part"},
		{Line: 4, Text: "a ring", Target: "ring.svg"},
		{Line: 4, Text: "`Conn`", Target: "conn.go"},
	}, d.Links)
	require.Equal(t, map[string]bool{"a-conn-and-more": true, "part": true, "part-1": true, "own": true}, d.Anchors)
	require.Equal(t, []Block{
		{Path: "a.md", Line: 11, Lang: "go", Text: "# no heading\n[no](link)\n"},
		{Path: "a.md", Line: 15, Text: "  text\n"},
	}, d.Blocks)

	d, err = Parse("a.md", "[`A`], [`B`] and [`C`](c.go).\n\n[`A`]: a.go\n")
	require.NoError(t, err)
	require.Equal(t, []Link{
		{Line: 1, Text: "`C`", Target: "c.go"}, {Line: 3, Text: "`A`", Target: "a.go"}, {Line: 1, Text: "`B`"},
	}, d.Links)

	_, err = Parse("a.md", "text\n```go\nx\n")
	require.EqualError(t, err, "a.md:2: the block has no end")
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for heading, want := range map[string]string{
		"What it guarantees":            "what-it-guarantees",
		"`0` or -1?":                    "0-or--1",
		"[Links](x.md) are their texts": "links-are-their-texts",
		"Größe_1: `Conn.Close()`":       "größe_1-connclose",
	} {
		require.Equal(t, want, slug(heading))
	}
}

// around is what the blocks of these tests may use.
var around = Surroundings{
	Params:  "name string",
	Imports: map[string]string{"fmt": "fmt", "os": "os", "errors": "errors"},
}

// module makes a module without dependencies.
func module(t *testing.T) string {
	dir := t.TempDir()
	write(t, dir, "go.mod", "module example.org/m\n\ngo 1.26.0\n")
	return dir
}

func TestVetTakesEveryForm(t *testing.T) {
	t.Parallel()
	blocks := []Block{
		{Path: "a.md", Line: 1, Text: "package main\n\nfunc main() {}\n"},
		{Path: "a.md", Line: 5, Text: "import \"fmt\"\n\nfunc hello() { fmt.Println() }\n"},
		{Path: "a.md", Line: 9, Text: "type greeter struct{ out *os.File }\n\nvar errNone = errors.New(\"none\")\n"},
		{Path: "a.md", Line: 13, Text: "n, err := fmt.Println(name)\nvar also = 1\n"},
		{Path: "a.md", Line: 17, Text: "if _, err := fmt.Println(name); err != nil {\n\treturn err\n}\nreturn errors.New(\"no\")\n"},
	}
	require.NoError(t, around.Vet(t.Context(), module(t), t.TempDir(), blocks))
}

func TestPackageCode(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "doc.go", "// Package p does this:\n//\n//\tx := 1\n//\tif x > 0 {\n//\t\treturn\n//\t}\n//\n// And more.\npackage p\n")
	blocks, err := PackageCode(filepath.Join(dir, "doc.go"))
	require.NoError(t, err)
	require.Len(t, blocks, 1)
	require.Equal(t, "x := 1\nif x > 0 {\n\treturn\n}\n", blocks[0].Text)
}

// Each of these is an error, that names the line in the Markdown file.
func TestVetFindsWhatIsBroken(t *testing.T) {
	t.Parallel()
	good := Block{Path: "a.md", Line: 1, Text: "fmt.Println(name)\n"}
	for _, broken := range []struct{ what, text, want string }{
		{"unknown name", "name = \"x\"\nfmt.Printn(name)\n", "a.md:101: undefined: fmt.Printn"},
		{"wrong type", "var n int = name\n", "a.md:100"},
		{"unused inside", "if name == \"\" {\n\tx := 1\n}\n", "a.md:101: declared and not used: x"},
		{"unused import", "import \"os\"\n\nfunc f() {}\n", `a.md:100: "os" imported and not used`},
		{"not imported", "package main\n\nfunc main() { fmt.Println() }\n", "a.md:102: undefined: fmt"},
		{"no main", "package main\n\nfunc start() {}\n", "a.md:100: a program without main"},
		{"vet", "fmt.Printf(\"%d\\n\", name)\n", "a.md:100"},
		{"syntax", "if name {\n", "a.md:100"},
		{"format", "fmt.Println( name )\n", "a.md:100"},
	} {
		t.Run(broken.what, func(t *testing.T) {
			t.Parallel()
			err := around.Vet(t.Context(), module(t), t.TempDir(), []Block{good, {Path: "a.md", Line: 100, Text: broken.text}})
			require.ErrorContains(t, err, broken.want)
			require.NotContains(t, strings.ReplaceAll(err.Error(), "a.md:10", ""), "a.md:1", "the good one")
		})
	}
}

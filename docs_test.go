package nats

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/markdown"
)

// The Markdown files are true: links lead somewhere, Go in them compiles, commands and
// tests that are named exist. Package markdown has the tests of the tests.

// markdownFiles reads those of the whole repository.
func markdownFiles(t *testing.T) []*markdown.Doc {
	t.Helper()
	docs, err := markdown.ReadAll(".")
	require.NoError(t, err)
	require.Greater(t, len(docs), 7)
	return docs
}

func TestMarkdownLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	links := 0
	for _, d := range markdownFiles(t) {
		for _, l := range d.Links {
			assert.NoErrorf(t, d.Follow(l), "%s:%d: [%s](%s)", d.Path, l.Line, l.Text, l.Target)
			links++
		}
	}
	require.Greater(t, links, 10)
}

// surroundings are what a block of statements has around it; CONTRIBUTING.md says so.
var surroundings = markdown.Surroundings{
	Params: "ctx context.Context, nc *nats.Conn, msg *nats.Msg, data []byte, url string",
	Imports: map[string]string{
		"context": "context", "errors": "errors", "fmt": "fmt", "log": "log", "os": "os", "time": "time",
		"strings": "strings", "tls": "crypto/tls", "json": "encoding/json",
		"nats": "github.com/natsring/nats.go",
	},
}

// theIncumbent is what a block imports that is compiled by a test in peer.
const theIncumbent = `"github.com/nats-io/nats.go`

func TestMarkdownGoCompiles(t *testing.T) {
	t.Parallel()
	blocks, err := markdown.PackageCode("doc.go")
	require.NoError(t, err)
	require.NotEmpty(t, blocks)
	for _, d := range markdownFiles(t) {
		for _, b := range d.Blocks {
			if b.Lang == "go" && !strings.Contains(b.Text, theIncumbent) {
				blocks = append(blocks, b)
			}
		}
	}
	require.NoError(t, surroundings.Vet(t.Context(), ".", t.TempDir(), blocks))
}

func TestMarkdownCommandsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	commands := 0
	for _, d := range markdownFiles(t) {
		for _, b := range d.Blocks {
			if b.Lang != "sh" {
				continue
			}
			for i, line := range strings.Split(b.Text, "\n") {
				known, err := markdown.CheckCommand(".", line)
				assert.NoErrorf(t, err, "%s:%d: %s", d.Path, b.Line+i, line)
				if known {
					commands++
				}
			}
		}
	}
	require.Greater(t, commands, 5)
}

var namedTest = regexp.MustCompile(`\b(Test[A-Z]\w+)(…|\b)`)

// everyTestName finds the tests of all modules of the repository.
func everyTestName(t *testing.T) map[string]bool {
	t.Helper()
	tests := make(map[string]bool)
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range declared.FindAllSubmatch(text, -1) {
			tests[string(m[1])] = true
		}
		return err
	}))
	return tests
}

// "TestBadInput…" stands for several tests.
func TestMarkdownNamesTests(t *testing.T) {
	t.Parallel()
	tests := everyTestName(t)
	for _, d := range markdownFiles(t) {
		text, err := os.ReadFile(d.Path)
		require.NoError(t, err)
		for _, m := range namedTest.FindAllStringSubmatch(string(text), -1) {
			found := tests[m[1]]
			for name := range tests {
				found = found || m[2] == "…" && strings.HasPrefix(name, m[1])
			}
			assert.Truef(t, found, "%s names %s", d.Path, m[1])
		}
	}
}

// A link in a comment that leads nowhere is shown with its brackets.
func TestDocLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	text, err := exec.CommandContext(t.Context(), "go", "doc", "-all", ".").Output()
	require.NoError(t, err)
	require.Contains(t, string(text), "# Outages")
	require.Empty(t, regexp.MustCompile(`\[[A-Z]\w*(?:\.\w+)?\]`).FindAllString(string(text), -1))
}

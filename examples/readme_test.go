// Package examples has the test that README.md lists every example.
package examples

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

// row is a line of a table: topic, example, test, what it shows.
var row = regexp.MustCompile("^\\| ([^|]+) \\| \\[([^]]+)\\]\\(([^)]+)\\) \\| `([^`]+)` \\| [^|]+ \\|$")

func TestListIsComplete(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	listed := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| topic ") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := row.FindStringSubmatch(line)
		if !assert.NotNil(t, cells, "not a row: %s", line) {
			continue
		}
		folder, link, test := cells[2], cells[3], cells[4]
		listed[folder] = true
		assert.Equal(t, folder, filepath.Dir(link), line)
		assert.FileExists(t, link, line)
		assert.Contains(t, testsOf(t, folder), "func "+test+"(t *testing.T)", line)
	}

	mains, err := filepath.Glob("*/main.go")
	require.NoError(t, err)
	require.NotEmpty(t, mains)
	for _, file := range mains {
		assert.True(t, listed[filepath.Dir(file)], "%s is not in README.md", file)
	}
}

// testsOf returns the text of a folder's tests.
func testsOf(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	require.NoError(t, err)
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		all.Write(text)
	}
	return all.String()
}

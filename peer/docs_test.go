package peer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/markdown"
)

// Go blocks of Markdown files that import the incumbent compile, too. The others are
// compiled by a test of the root package.
func TestMarkdownGoOfBothCompiles(t *testing.T) {
	t.Parallel()
	docs, err := markdown.ReadAll("..")
	require.NoError(t, err)
	var blocks []markdown.Block
	for _, d := range docs {
		for _, b := range d.Blocks {
			if b.Lang == "go" && strings.Contains(b.Text, `"`+theirPath) {
				blocks = append(blocks, b)
			}
		}
	}
	require.NotEmpty(t, blocks)
	require.NoError(t, markdown.Surroundings{}.Vet(t.Context(), ".", t.TempDir(), blocks))
}

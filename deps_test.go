package nats

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// allowedDeps are all the modules, beside the standard library, that a program
// gets with this package. One more is a decision, not an accident.
var allowedDeps = []string{
	"github.com/natsring/nats.go",
	"github.com/nats-io/nuid",
	"github.com/nats-io/nkeys",
	"github.com/coder/websocket", // ws and wss
	"golang.org/x/crypto",        // by nkeys
	"golang.org/x/sys",           // by nkeys, through x/crypto
}

func TestImportClosureDoesNotGrow(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps",
		"-f", "{{if not .Standard}}{{.Module.Path}} {{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	listed := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) != 2 {
			continue
		}
		listed++
		require.Truef(t, slices.Contains(allowedDeps, fields[0]), "%s of module %s", fields[1], fields[0])
		require.NotContains(t, fields[1], "/internal/test", "test code in the library")
	}
	require.GreaterOrEqual(t, listed, 2, "the list is empty, so it proves nothing")
}

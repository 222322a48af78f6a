package demotest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

func TestPromised(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, comment, says string
		want                []string
	}{
		{name: "lines", comment: "// Page is one.\n//\n// Output:\n//\n//\tone\n//\t  two …\n", want: []string{"one", "  two …"}},
		{name: "nothing promised", comment: "// Page is one.\n", says: "does not end with what is printed"},
		{name: "text behind", comment: "// Page is one.\n//\n// Output:\n//\n//\tone\n//\n// more\n", says: "not part of the block"},
		{name: "no comment", says: "does not end with what is printed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "main.go")
			require.NoError(t, os.WriteFile(file, []byte(tc.comment+"package main\n"), 0o600))
			got, err := promised(file)
			if tc.says != "" {
				require.ErrorContains(t, err, tc.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
	_, err := promised("nothing.go")
	require.Error(t, err)
}

func TestCompare(t *testing.T) {
	t.Parallel()
	want := []string{"at 127.0.0.1:…", "a.* gets (1)"}
	require.NoError(t, compare(want, "at 127.0.0.1:4222\na.* gets (1)\n"))
	require.ErrorContains(t, compare(want, "at 127.0.0.1:4222\n"), "line 2 is missing")
	require.ErrorContains(t, compare(want, "at 127.0.0.1:\na.* gets (1)\n"), "line 1 is not as promised")
	require.ErrorContains(t, compare(want, "at 127.0.0.1:1\na.b gets (1)\n"), "line 2 is not as promised")
	require.ErrorContains(t, compare(want, "at 127.0.0.1:1\na.* gets (1)\nmore\n"), "line 3 is not promised")
	require.ErrorContains(t, compare(want, ""), "line 1 is not as promised")
}

func TestOutputOfAPage(t *testing.T) {
	t.Parallel()
	out, err := output(func(w io.Writer) error {
		fmt.Fprintln(w, "one")
		return errors.New("broken")
	}, time.Minute)
	require.EqualError(t, err, "broken")
	assert.Equal(t, "one\n", out)

	end := make(chan bool)
	defer close(end)
	out, err = output(func(w io.Writer) error {
		fmt.Fprintln(w, "two")
		<-end
		return nil
	}, 50*time.Millisecond)
	require.EqualError(t, err, "the page does not end")
	assert.Equal(t, "two\n", out)
}

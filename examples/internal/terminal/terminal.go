package terminal

import (
	"os"

	"golang.org/x/term"
)

// Is reports whether v, what a program reads from or writes to, is a terminal.
func Is(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

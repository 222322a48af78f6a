package markdown

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var (
	// command is a line of a shell block: maybe a folder to go to, and what is run there.
	command = regexp.MustCompile(`^\(?(?:cd (\S+) && )?(?:[A-Z]+=\S+ )*(go run|go test|go generate|\./\S+)( .*)?$`)
	// folders are the arguments that name folders or files.
	folders = regexp.MustCompile(`(?:^| )(\./\S*|\.)`)
)

// CheckCommand looks for the folders and files that a line of a shell block names, in
// the repository at root. It knows "go run", "go test", "go generate" and programs of
// the repository, after a "cd" or not; of other lines known is false.
func CheckCommand(root, line string) (known bool, err error) {
	line, _, _ = strings.Cut(line, " #")
	line = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(line), ")"))
	m := command.FindStringSubmatch(line)
	if m == nil {
		return false, nil
	}
	names := []string{""}
	if strings.HasPrefix(m[2], "./") {
		names = append(names, m[2])
	}
	for _, p := range folders.FindAllStringSubmatch(m[3], -1) {
		names = append(names, strings.TrimSuffix(p[1], "..."))
	}
	for _, name := range names {
		if _, err := os.Stat(filepath.Join(root, m[1], name)); err != nil {
			return true, err
		}
	}
	return true, nil
}

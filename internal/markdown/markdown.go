// Package markdown reads the Markdown files of the repository, for the tests that
// keep them true: that links lead somewhere, and that Go in them compiles.
package markdown

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
)

// Doc is one file.
type Doc struct {
	// Path as it was given to Read.
	Path string
	// Blocks are the fenced ones.
	Blocks []Block
	// Links are those of the text, code excluded, images included.
	Links []Link
	// Anchors are what a link to the file can have behind "#".
	Anchors map[string]bool
}

// Block is a fenced block of code.
type Block struct {
	// Path of the file, and Line of the first line of Text, counted from 1.
	Path string
	Line int
	// Lang is the first word behind the fence; "" if there is none.
	Lang string
	// Text without the fences.
	Text string
}

// Link is a link in the text.
type Link struct {
	// Line of its beginning.
	Line int
	// Text and Target as they are written; no Target: the text is a label that is
	// defined nowhere.
	Text, Target string
}

// Read reads a file.
func Read(path string) (*Doc, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(path, string(text))
}

// ReadAll reads the files of a folder and of the folders in it, but for those that are
// hidden or named testdata.
func ReadAll(root string) (docs []*Doc, err error) {
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "testdata"):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		d, err := Read(path)
		docs = append(docs, d)
		return err
	})
	return docs, err
}

var (
	fence    = regexp.MustCompile("^( {0,3})(```+|~~~+) *([^ `]*)[^`]*$")
	heading  = regexp.MustCompile(`^#{1,6} +(.*?) *#*$`)
	htmlName = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	link     = regexp.MustCompile(`!?\[((?:[^\]\[]|\[[^\]]*\])*)\]\(([^()\s]+)\)`)
	// definition gives a label its target; labels of names are used as [`Name`].
	definition = regexp.MustCompile(`(?m)^\[([^\]]+)\]: +(\S+)$`)
	reference  = regexp.MustCompile("\\[(`[^`\n]+`)\\](?:[^(:]|$)")
	codeSpan   = regexp.MustCompile("`[^`\n]*\\]\\([^`\n]*`")
)

// Parse parses the text of a file. The error is that of a block that has no end.
func Parse(path, text string) (*Doc, error) {
	d := &Doc{Path: path, Anchors: make(map[string]bool)}
	var prose strings.Builder // the text without blocks, line for line
	var end string            // of the block that is open
	for i, line := range strings.Split(text, "\n") {
		switch m := fence.FindStringSubmatch(line); {
		case end != "":
			if strings.TrimSpace(line) == end {
				end = ""
				break
			}
			b := &d.Blocks[len(d.Blocks)-1]
			b.Text += line + "\n"
		case m != nil:
			end = m[2]
			d.Blocks = append(d.Blocks, Block{Path: path, Line: i + 2, Lang: m[3]})
		default:
			if m := heading.FindStringSubmatch(line); m != nil {
				d.addAnchor(slug(m[1]))
			}
			prose.WriteString(line)
		}
		prose.WriteByte('\n')
	}
	if end != "" {
		return nil, fmt.Errorf("%s:%d: the block has no end", path, d.Blocks[len(d.Blocks)-1].Line-1)
	}
	d.findLinks(prose.String())
	return d, nil
}

func (d *Doc) findLinks(prose string) {
	blank := func(code string) string { return strings.Repeat(" ", len(code)) }
	prose = codeSpan.ReplaceAllStringFunc(prose, blank)
	for _, at := range link.FindAllStringSubmatchIndex(prose, -1) {
		d.addLink(prose, at)
	}
	defined := make(map[string]bool)
	for _, at := range definition.FindAllStringSubmatchIndex(prose, -1) {
		d.addLink(prose, at)
		defined[prose[at[2]:at[3]]] = true
	}
	for _, at := range reference.FindAllStringSubmatchIndex(prose, -1) {
		if !defined[prose[at[2]:at[3]]] {
			d.addLink(prose, append(at, 0, 0))
		}
	}
	for _, m := range htmlName.FindAllStringSubmatch(prose, -1) {
		d.Anchors[m[1]] = true
	}
}

// addLink adds a link whose text and target are at[2:4] and at[4:6].
func (d *Doc) addLink(prose string, at []int) {
	d.Links = append(d.Links, Link{
		Line:   1 + strings.Count(prose[:at[0]], "\n"),
		Text:   prose[at[2]:at[3]],
		Target: prose[at[4]:at[5]],
	})
}

// addAnchor adds the anchor of a heading; those that repeat are numbered.
func (d *Doc) addAnchor(s string) {
	name := s
	for n := 1; d.Anchors[name]; n++ {
		name = fmt.Sprintf("%s-%d", s, n)
	}
	d.Anchors[name] = true
}

// slug is the anchor of a heading, as GitHub makes it.
func slug(heading string) string {
	heading = link.ReplaceAllString(heading, "$1")
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteRune(r)
		}
	}
	return b.String()
}

package markdown

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Surroundings is what a block of statements can use without declaring it.
type Surroundings struct {
	// Params are the parameters of the function around it, as Go source.
	Params string
	// Imports are the packages that it may name, by the name.
	Imports map[string]string
}

// Source makes a whole file of a Go block:
//
//   - one with a package clause is a file as it stands;
//   - one of declarations is a file but for its package clause;
//   - any other is the body of a function that has the surroundings' parameters, and
//     what it declares itself, outside of inner blocks, counts as used.
//
// Packages are imported as they are named, unless the block imports something
// itself. Errors of the compiler are about the lines of the Markdown file.
func (s Surroundings) Source(b Block) (string, error) {
	if formatted, err := format.Source([]byte(b.Text)); err != nil {
		return "", fmt.Errorf("%s:%d: %w", b.Path, b.Line, err)
	} else if strings.TrimSpace(string(formatted)) != strings.TrimSpace(b.Text) {
		return "", fmt.Errorf("%s:%d: the block is not as gofmt wants it:\n%s", b.Path, b.Line, formatted)
	}
	path, err := filepath.Abs(b.Path)
	if err != nil {
		return "", err
	}
	at := fmt.Sprintf("\n//line %s:%d\n", path, b.Line)
	fset := token.NewFileSet()
	if f, err := parser.ParseFile(fset, "", b.Text, 0); err == nil {
		if f.Name.Name == "main" && !declaresMain(f) {
			return "", fmt.Errorf("%s:%d: a program without main", b.Path, b.Line)
		}
		return at + b.Text, nil
	}
	const clause = "package block\n"
	if f, err := parser.ParseFile(fset, "", clause+b.Text, 0); err == nil {
		if len(f.Imports) > 0 {
			return clause + at + b.Text, nil
		}
		return clause + s.imports(f) + at + b.Text, nil
	}
	return s.function(clause, at, b)
}

// declaresMain looks for what the linker would miss, which vet does not call.
func declaresMain(f *ast.File) bool {
	return slices.ContainsFunc(f.Decls, func(d ast.Decl) bool {
		fn, ok := d.(*ast.FuncDecl)
		return ok && fn.Recv == nil && fn.Name.Name == "main"
	})
}

// function is the third case of Source.
func (s Surroundings) function(clause, at string, b Block) (string, error) {
	open := "func _(" + s.Params + ") error {\n"
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "", clause+open+b.Text+"\n}", 0)
	if err != nil {
		return "", fmt.Errorf("%s:%d: %w", b.Path, b.Line, err)
	}
	body := f.Decls[0].(*ast.FuncDecl).Body.List
	base := len(clause + open)
	var out strings.Builder
	done := 0
	returns := false
	for _, stmt := range body {
		end := fset.Position(stmt.End()).Offset - base
		out.WriteString(b.Text[done:end])
		for _, name := range declared(stmt) {
			out.WriteString("; _ = " + name)
		}
		done = end
		_, returns = stmt.(*ast.ReturnStmt)
	}
	out.WriteString(b.Text[done:])
	tail := "}\nreturn nil\n}\n"
	if returns {
		tail = "}\n}\n"
	}
	return clause + s.imports(f) + open + "{" + at + out.String() + tail, nil
}

// imports are those that the file needs, as Go source.
func (s Surroundings) imports(f *ast.File) string {
	needed := make(map[string]bool)
	note := func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && s.Imports[x.Name] != "" {
				needed[x.Name] = true
			}
		}
		return true
	}
	ast.Inspect(f, note)
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(needed)) {
		b.WriteString("import " + name + " " + strconv.Quote(s.Imports[name]) + "\n")
	}
	return b.String()
}

// declared are the names that a statement declares.
func declared(stmt ast.Stmt) (names []string) {
	add := func(x ast.Expr) {
		if id, ok := x.(*ast.Ident); ok && id.Name != "_" {
			names = append(names, id.Name)
		}
	}
	switch stmt := stmt.(type) {
	case *ast.AssignStmt:
		if stmt.Tok == token.DEFINE {
			for _, x := range stmt.Lhs {
				add(x)
			}
		}
	case *ast.DeclStmt:
		for _, spec := range stmt.Decl.(*ast.GenDecl).Specs {
			if v, ok := spec.(*ast.ValueSpec); ok && stmt.Decl.(*ast.GenDecl).Tok == token.VAR {
				for _, id := range v.Names {
					add(id)
				}
			}
		}
	}
	return names
}

// PackageCode returns the code in the package comment of a Go file, each piece as a
// block.
func PackageCode(path string) (blocks []Block, err error) {
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.PackageClauseOnly)
	if err != nil {
		return nil, err
	}
	var p comment.Parser
	for _, part := range p.Parse(f.Doc.Text()).Content {
		if code, ok := part.(*comment.Code); ok {
			blocks = append(blocks, Block{Path: path, Line: fset.Position(f.Doc.Pos()).Line, Lang: "go", Text: code.Text})
		}
	}
	return blocks, nil
}

// Vet compiles and vets Go blocks, each as a package of its own, with one call of the
// go command. They can import what the module in dir can, and the module itself.
// Nothing is written there: the packages are in a module of their own, in tmp.
func (s Surroundings) Vet(ctx context.Context, dir, tmp string, blocks []Block) error {
	if err := neighbour(dir, tmp); err != nil {
		return err
	}
	for i, b := range blocks {
		source, err := s.Source(b)
		if err != nil {
			return err
		}
		folder := filepath.Join(tmp, fmt.Sprintf("block%d", i))
		if err := os.Mkdir(folder, 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(folder, "block.go"), []byte(source), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "vet", "-mod=mod", "./...")
	cmd.Dir = tmp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go vet of the blocks: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

var (
	moduleLine = regexp.MustCompile(`(?m)^module (\S+)$`)
	besideIt   = regexp.MustCompile(`(?m)=> (\.\.?/\S*)$`)
)

// neighbour makes a module in tmp that has the requirements of the one in dir, and
// that one itself.
func neighbour(dir, tmp string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return err
	}
	name := moduleLine.FindSubmatch(mod)
	if name == nil {
		return fmt.Errorf("%s: go.mod names no module", dir)
	}
	mod = moduleLine.ReplaceAll(mod, []byte("module blocks"))
	mod = besideIt.ReplaceAllFunc(mod, func(m []byte) []byte {
		return []byte("=> " + filepath.Join(dir, string(m[len("=> "):])))
	})
	mod = fmt.Appendf(mod, "\nrequire %s v0.0.0\n\nreplace %s => %s\n", name[1], name[1], dir)
	if err := os.WriteFile(filepath.Join(tmp, "go.mod"), mod, 0o600); err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.WriteFile(filepath.Join(tmp, "go.sum"), sum, 0o600)
}

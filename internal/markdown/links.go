package markdown

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Follow looks for what a relative link leads to: a file or folder; in Markdown the
// heading; in Go the declaration of the link's text, if that is a name in backquotes
// ("Flush", "Conn.Flush", "BufferStats.Msgs"). Links to other places it takes as they
// are.
func (d *Doc) Follow(l Link) error {
	if strings.Contains(l.Target, "://") {
		return nil
	}
	if l.Target == "" {
		return fmt.Errorf("[%s] is defined nowhere", l.Text)
	}
	path, anchor, _ := strings.Cut(l.Target, "#")
	to := filepath.Join(filepath.Dir(d.Path), filepath.FromSlash(path))
	name := strings.Trim(l.Text, "`")
	switch target := d; {
	case path == "" || filepath.Ext(to) == ".md":
		if path != "" {
			var err error
			if target, err = Read(to); err != nil {
				return err
			}
		}
		if anchor != "" && !target.Anchors[anchor] {
			return fmt.Errorf("%s has no heading %q", target.Path, anchor)
		}
		return nil
	case filepath.Ext(to) == ".go" && name != l.Text:
		return declares(to, name)
	}
	_, err := os.Stat(to)
	return err
}

// declares looks for a function, type, constant or variable, or for a method or field
// behind its type's name, in a Go file.
func declares(path, name string) error {
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	owner, member, isMember := strings.Cut(name, ".")
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil && d.Name.Name == name || d.Recv != nil && d.Name.Name == member && receiver(d) == owner {
				return nil
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if isMember && hasField(spec, owner, member) || !isMember && specDeclares(spec, name) {
					return nil
				}
			}
		}
	}
	return fmt.Errorf("%s does not declare %s", path, name)
}

func receiver(d *ast.FuncDecl) string {
	x := d.Recv.List[0].Type
	if star, ok := x.(*ast.StarExpr); ok {
		x = star.X
	}
	id, _ := x.(*ast.Ident)
	return id.String()
}

func specDeclares(spec ast.Spec, name string) bool {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		return spec.Name.Name == name
	case *ast.ValueSpec:
		return has(spec.Names, name)
	}
	return false
}

func hasField(spec ast.Spec, owner, field string) bool {
	t, ok := spec.(*ast.TypeSpec)
	if !ok || t.Name.Name != owner {
		return false
	}
	s, ok := t.Type.(*ast.StructType)
	if !ok {
		return false
	}
	for _, f := range s.Fields.List {
		if has(f.Names, field) {
			return true
		}
	}
	return false
}

func has(ids []*ast.Ident, name string) bool {
	for _, id := range ids {
		if id.Name == name {
			return true
		}
	}
	return false
}

package peer

import (
	"go/constant"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/go/packages"
)

const (
	theirPath = "github.com/nats-io/nats.go"
	ourPath   = "github.com/natsring/nats.go"
)

// item is one thing that a program can name: an identifier of a package, a
// method, or a field, as "Conn.Close" or "Options.Url".
type item struct {
	text string // kind, type and value, in the form in which two items are compared
	file string // where it is declared, without folders
}

// surface is all that a program can name in a package.
type surface map[string]item

// load reads the surfaces of some packages, with all types that they have of
// each other's written in the same way.
func load(t *testing.T, paths ...string) []surface {
	t.Helper()
	fset := token.NewFileSet()
	pkgs, err := packages.Load(&packages.Config{
		Fset: fset, Context: t.Context(),
		Mode: packages.NeedName | packages.NeedTypes | packages.NeedImports | packages.NeedFiles,
	}, paths...)
	require.NoError(t, err)
	require.Len(t, pkgs, len(paths))
	c := canon{same: make(map[string]string)}
	for _, p := range pkgs {
		require.Empty(t, p.Errors)
		rest := strings.TrimPrefix(strings.TrimPrefix(p.PkgPath, theirPath), ourPath)
		c.same[p.PkgPath] = "nats" + rest
	}
	c.same[theirPath], c.same[ourPath] = "nats", "nats"
	list := make([]surface, len(paths))
	for _, p := range pkgs {
		list[slices.Index(paths, p.PkgPath)] = newSurface(fset, c, p.Types)
	}
	return list
}

func newSurface(fset *token.FileSet, c canon, pkg *types.Package) surface {
	s := make(surface)
	for _, name := range pkg.Scope().Names() {
		obj := pkg.Scope().Lookup(name)
		if !obj.Exported() {
			continue
		}
		add := func(name, text string, pos token.Pos) {
			s[name] = item{text, filepath.Base(fset.Position(pos).Filename)}
		}
		switch obj := obj.(type) {
		case *types.Const:
			add(name, "const "+c.typ(obj.Type())+" = "+exact(obj.Val()), obj.Pos())
		case *types.Var:
			add(name, "var "+c.typ(obj.Type()), obj.Pos())
		case *types.Func:
			add(name, "func"+c.signature(obj.Signature()), obj.Pos())
		case *types.TypeName:
			addType(c, obj, add)
		}
	}
	return s
}

func exact(v constant.Value) string { return v.ExactString() }

// addType adds a type with its exported fields and its methods, each as an item.
func addType(c canon, obj *types.TypeName, add func(name, text string, pos token.Pos)) {
	name := obj.Name()
	if obj.IsAlias() {
		add(name, "type = "+c.typ(obj.Type()), obj.Pos())
		return
	}
	named := obj.Type().(*types.Named)
	switch u := named.Underlying().(type) {
	case *types.Struct:
		add(name, "type struct", obj.Pos())
		for f := range u.Fields() {
			if f.Exported() {
				text := strings.Join(c.fields(types.NewStruct([]*types.Var{f}, []string{tagOf(u, f)})), "")
				add(name+"."+f.Name(), "field "+text, f.Pos())
			}
		}
	case *types.Interface:
		add(name, "type interface "+c.typ(u), obj.Pos())
	default:
		add(name, "type "+c.typ(u), obj.Pos())
	}
	for m := range named.Methods() {
		if !m.Exported() {
			continue
		}
		recv := "value"
		if _, ok := m.Signature().Recv().Type().(*types.Pointer); ok {
			recv = "pointer"
		}
		add(name+"."+m.Name(), "method of "+recv+" "+c.signature(m.Signature()), m.Pos())
	}
}

func tagOf(s *types.Struct, f *types.Var) string {
	for i := range s.NumFields() {
		if s.Field(i) == f {
			return s.Tag(i)
		}
	}
	return ""
}

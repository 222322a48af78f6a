package peer

import (
	"fmt"
	"go/types"
	"sort"
	"strings"
)

// canon writes types so that those of two packages can be compared: without the
// names of parameters, and without the paths of the packages that stand for
// each other.
type canon struct {
	same map[string]string // package path: what is written for it
}

func (c canon) typ(t types.Type) string {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return c.named(t)
	case *types.Pointer:
		return "*" + c.typ(t.Elem())
	case *types.Slice:
		return "[]" + c.typ(t.Elem())
	case *types.Array:
		return fmt.Sprintf("[%d]%s", t.Len(), c.typ(t.Elem()))
	case *types.Map:
		return "map[" + c.typ(t.Key()) + "]" + c.typ(t.Elem())
	case *types.Chan:
		dir := map[types.ChanDir]string{types.SendRecv: "chan", types.SendOnly: "chan<-", types.RecvOnly: "<-chan"}
		return dir[t.Dir()] + " (" + c.typ(t.Elem()) + ")"
	case *types.Signature:
		return "func" + c.signature(t)
	case *types.Struct:
		return "struct{" + strings.Join(c.fields(t), "; ") + "}"
	case *types.Interface:
		return "interface{" + strings.Join(c.interfaceMethods(t), "; ") + "}"
	}
	return t.String()
}

func (c canon) named(t *types.Named) string {
	name := t.Obj().Name()
	if pkg := t.Obj().Pkg(); pkg != nil {
		path := pkg.Path()
		if short, ok := c.same[path]; ok {
			path = short
		}
		name = path + "." + name
	}
	var args []string
	for a := range t.TypeArgs().Types() {
		args = append(args, c.typ(a))
	}
	if len(args) > 0 {
		name += "[" + strings.Join(args, ", ") + "]"
	}
	return name
}

func (c canon) signature(s *types.Signature) string {
	in := c.tuple(s.Params())
	if s.Variadic() {
		in[len(in)-1] = "..." + strings.TrimPrefix(in[len(in)-1], "[]")
	}
	return "(" + strings.Join(in, ", ") + ") (" + strings.Join(c.tuple(s.Results()), ", ") + ")"
}

func (c canon) tuple(t *types.Tuple) []string {
	var list []string
	for v := range t.Variables() {
		list = append(list, c.typ(v.Type()))
	}
	return list
}

// fields lists the exported fields of a struct, tags included.
func (c canon) fields(s *types.Struct) []string {
	var list []string
	for i := range s.NumFields() {
		f := s.Field(i)
		if !f.Exported() {
			continue
		}
		text := f.Name() + " " + c.typ(f.Type())
		if f.Embedded() {
			text = "embedded " + text
		}
		if tag := s.Tag(i); tag != "" {
			text += " `" + tag + "`"
		}
		list = append(list, text)
	}
	return list
}

func (c canon) interfaceMethods(t *types.Interface) []string {
	var list []string
	for m := range t.Methods() {
		list = append(list, m.Name()+c.signature(m.Signature()))
	}
	sort.Strings(list)
	return list
}

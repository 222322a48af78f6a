// Package builtin has the encoders that every encoded connection knows: plain text,
// JSON and gob.
package builtin

import (
	"fmt"
	"reflect"
	"strconv"
)

// DefaultEncoder turns values into plain text and back.
type DefaultEncoder struct{}

// Encode returns strings and bytes as they are, nothing for nil, "true" or "false"
// for a bool, and of other values the text that fmt gives for "%+v". It cannot fail.
func (*DefaultEncoder) Encode(_ string, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte{}, nil
	case string:
		return []byte(v), nil
	case []byte:
		return v, nil
	case bool:
		return strconv.AppendBool(nil, v), nil
	}
	return fmt.Appendf(nil, "%+v", v), nil
}

// Decode reads plain text into a pointer to string, []byte, int, int32, int64 (all
// decimal), float32, float64 or bool. Bytes are not copied. Other types, and a text
// that makes no sense, are an error.
func (*DefaultEncoder) Decode(_ string, data []byte, vPtr any) (err error) {
	text := string(data)
	switch v := vPtr.(type) {
	case *string:
		*v = text
	case *[]byte:
		*v = data
	case *int:
		return read(v, text, strconv.IntSize)
	case *int32:
		return read(v, text, 32)
	case *int64:
		return read(v, text, 64)
	case *float32:
		var f float64
		if f, err = strconv.ParseFloat(text, 32); err == nil {
			*v = float32(f)
		}
	case *float64:
		var f float64
		if f, err = strconv.ParseFloat(text, 64); err == nil {
			*v = f
		}
	case *bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			*v = b
		}
	default:
		return cannotDecode(vPtr)
	}
	return err
}

func cannotDecode(vPtr any) error {
	t := reflect.TypeOf(vPtr)
	if t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return fmt.Errorf("nats: Default Encoder can't decode to type %s", t)
}

func read[T int | int32 | int64](v *T, text string, bits int) error {
	n, err := strconv.ParseInt(text, 10, bits)
	if err == nil {
		*v = T(n)
	}
	return err
}

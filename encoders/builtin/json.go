package builtin

import (
	"bytes"
	"encoding/json"
)

// JsonEncoder encodes with encoding/json.
type JsonEncoder struct{}

// Encode returns the JSON of v.
func (*JsonEncoder) Encode(_ string, v any) ([]byte, error) { return json.Marshal(v) }

// Decode reads JSON into vPtr. A *[]byte gets the JSON text itself, and a *string too,
// without the quotes around it; escapes in it stay.
func (*JsonEncoder) Decode(_ string, data []byte, vPtr any) error {
	switch v := vPtr.(type) {
	case *string:
		*v = string(unquote(data))
		return nil
	case *[]byte:
		*v = data
		return nil
	}
	return json.Unmarshal(data, vPtr)
}

func unquote(data []byte) []byte {
	quote := []byte(`"`)
	if len(data) >= 2 && bytes.HasPrefix(data, quote) && bytes.HasSuffix(data, quote) {
		return data[1 : len(data)-1]
	}
	return data
}

package builtin

import (
	"bytes"
	"encoding/gob"
)

// GobEncoder encodes with encoding/gob. Each message is a stream of its own, so it
// carries the description of its type.
type GobEncoder struct{}

// Encode returns the gob of v.
func (*GobEncoder) Encode(_ string, v any) ([]byte, error) {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Decode reads a gob into vPtr.
func (*GobEncoder) Decode(_ string, data []byte, vPtr any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(vPtr)
}

// Package protobuf has the encoder of protocol buffers for encoded connections. To
// import it is enough to have it registered under PROTOBUF_ENCODER.
//
// It is a module of its own, so that the client does not depend on protobuf.
package protobuf

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/natsring/nats.go"
)

// PROTOBUF_ENCODER is the name under which the encoder is registered.
const PROTOBUF_ENCODER = "protobuf"

// Errors of the encoder.
var (
	// ErrInvalidProtoMsgEncode is returned for a value that is no proto.Message.
	ErrInvalidProtoMsgEncode = errors.New("nats: Invalid protobuf proto.Message object passed to encode")
	// ErrInvalidProtoMsgDecode is returned for a target that is no proto.Message.
	ErrInvalidProtoMsgDecode = errors.New("nats: Invalid protobuf proto.Message object passed to decode")
)

func init() { nats.RegisterEncoder(PROTOBUF_ENCODER, &ProtobufEncoder{}) }

// ProtobufEncoder encodes values that are a proto.Message.
type ProtobufEncoder struct{}

// Encode returns the wire form of a message, nothing for nil.
func (*ProtobufEncoder) Encode(_ string, v any) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	m, ok := v.(proto.Message)
	if !ok {
		return nil, ErrInvalidProtoMsgEncode
	}
	return proto.Marshal(m)
}

// Decode reads the wire form into a message. A *any is left as it is.
func (*ProtobufEncoder) Decode(_ string, data []byte, vPtr any) error {
	if _, ok := vPtr.(*any); ok {
		return nil
	}
	m, ok := vPtr.(proto.Message)
	if !ok {
		return ErrInvalidProtoMsgDecode
	}
	return proto.Unmarshal(data, m)
}

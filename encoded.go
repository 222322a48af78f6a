package nats

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/natsring/nats.go/encoders/builtin"
)

// Names of the encoders that are there from the start.
const (
	// JSON_ENCODER encodes as JSON.
	JSON_ENCODER = "json"
	// GOB_ENCODER encodes as gob.
	GOB_ENCODER = "gob"
	// DEFAULT_ENCODER encodes as plain text.
	DEFAULT_ENCODER = "default"
)

// Encoder turns values into payloads and back. It is used by many goroutines at once.
type Encoder interface {
	// Encode returns the payload of a value for a subject.
	Encode(subject string, v any) ([]byte, error)
	// Decode reads a payload from a subject into what vPtr points to.
	Decode(subject string, data []byte, vPtr any) error
}

// encoders are the encoders by name.
var encoders = struct {
	mu     sync.RWMutex
	byName map[string]Encoder // under mu
}{byName: map[string]Encoder{
	DEFAULT_ENCODER: &builtin.DefaultEncoder{},
	JSON_ENCODER:    &builtin.JsonEncoder{},
	GOB_ENCODER:     &builtin.GobEncoder{},
}}

// RegisterEncoder adds an encoder under a name, or replaces the one of that name.
func RegisterEncoder(encType string, enc Encoder) {
	encoders.mu.Lock()
	defer encoders.mu.Unlock()
	encoders.byName[encType] = enc
}

// EncoderForType returns the encoder of a name; nil if there is none.
func EncoderForType(encType string) Encoder {
	encoders.mu.RLock()
	defer encoders.mu.RUnlock()
	return encoders.byName[encType]
}

// EncodedConn publishes and receives values instead of bytes.
//
// Deprecated: encode and decode in the program, where errors can be handled.
type EncodedConn struct {
	// Conn is the connection underneath.
	Conn *Conn
	// Enc encodes and decodes.
	Enc Encoder
}

// NewEncodedConn makes an encoded connection of a connection, with the encoder of a
// name.
//
// Errors: ErrConnectionClosed, and that there is no connection or no such encoder.
//
// Deprecated: see EncodedConn.
func NewEncodedConn(c *Conn, encType string) (*EncodedConn, error) {
	if c == nil {
		return nil, errors.New("nats: Nil Connection")
	}
	if c.IsClosed() {
		return nil, ErrConnectionClosed
	}
	enc := EncoderForType(encType)
	if enc == nil {
		return nil, fmt.Errorf("no encoder registered for '%s'", encType)
	}
	return &EncodedConn{Conn: c, Enc: enc}, nil
}

// Publish publishes a value. Errors are those of the encoder and of Conn.Publish.
func (c *EncodedConn) Publish(subject string, v any) error {
	data, err := c.Enc.Encode(subject, v)
	if err != nil {
		return err
	}
	return c.Conn.Publish(subject, data)
}

// PublishRequest publishes a value with a reply subject.
func (c *EncodedConn) PublishRequest(subject, reply string, v any) error {
	data, err := c.Enc.Encode(subject, v)
	if err != nil {
		return err
	}
	return c.Conn.PublishRequest(subject, reply, data)
}

// Request publishes a value and waits up to timeout for the first reply, which is
// decoded into vPtr; a *Msg gets the reply as it came. Errors are those of the encoder
// and of Conn.Request.
func (c *EncodedConn) Request(subject string, v any, vPtr any, timeout time.Duration) error {
	data, err := c.Enc.Encode(subject, v)
	if err != nil {
		return err
	}
	m, err := c.Conn.Request(subject, data, timeout)
	if err != nil {
		return err
	}
	return c.decodeReply(m, vPtr)
}

// RequestWithContext is Request that waits until the context ends.
func (c *EncodedConn) RequestWithContext(ctx context.Context, subject string, v any, vPtr any) error {
	if ctx == nil {
		return ErrInvalidContext
	}
	data, err := c.Enc.Encode(subject, v)
	if err != nil {
		return err
	}
	m, err := c.Conn.RequestWithContext(ctx, subject, data)
	if err != nil {
		return err
	}
	return c.decodeReply(m, vPtr)
}

func (c *EncodedConn) decodeReply(m *Msg, vPtr any) error {
	if raw, ok := vPtr.(*Msg); ok {
		*raw = *m
		return nil
	}
	return c.Enc.Decode(m.Subject, m.Data, vPtr)
}

// Handler is a function that gets decoded values. It has one parameter, the value;
// or two, the subject and the value; or three, subject, reply and value. The value is
// of any type that the encoder can decode, or *Msg for the message as it came.
type Handler any

// Subscribe calls a Handler for every message on subject. A message that cannot be
// decoded is reported to the connection's ErrorHandler instead.
//
// Errors: a nil handler, or one with too many parameters, and those of
// Conn.Subscribe. It panics if cb is no function or has no parameter.
func (c *EncodedConn) Subscribe(subject string, cb Handler) (*Subscription, error) {
	return c.QueueSubscribe(subject, "", cb)
}

// QueueSubscribe is Subscribe as a member of a queue group.
func (c *EncodedConn) QueueSubscribe(subject, queue string, cb Handler) (*Subscription, error) {
	if cb == nil {
		return nil, errors.New("nats: Handler required for EncodedConn Subscription")
	}
	t := reflect.TypeOf(cb)
	if t.Kind() != reflect.Func {
		panic("nats: Handler needs to be a func")
	}
	n := t.NumIn()
	switch {
	case n == 0:
		panic("nats: Handler requires at least one argument")
	case n > 3 || t.IsVariadic():
		return nil, errors.New("nats: Handler has more arguments than subject, reply and value")
	}
	call := reflect.ValueOf(cb)
	return c.Conn.QueueSubscribe(subject, queue, func(m *Msg) {
		v, err := c.value(m, t.In(n-1))
		if err != nil {
			c.Conn.postError(m.Sub, unmarshalError(err))
			return
		}
		args := []reflect.Value{reflect.ValueOf(m.Subject), reflect.ValueOf(m.Reply)}[:n-1]
		call.Call(append(args, v))
	})
}

func unmarshalError(err error) error {
	return fmt.Errorf("nats: Got an error trying to unmarshal: %w", err)
}

// value decodes a message into a new value of a type.
func (c *EncodedConn) value(m *Msg, t reflect.Type) (reflect.Value, error) {
	if t == reflect.TypeFor[*Msg]() {
		return reflect.ValueOf(m), nil
	}
	if t.Kind() == reflect.Pointer {
		v := reflect.New(t.Elem())
		return v, c.Enc.Decode(m.Subject, m.Data, v.Interface())
	}
	v := reflect.New(t)
	return v.Elem(), c.Enc.Decode(m.Subject, m.Data, v.Interface())
}

// postError tells the ErrorHandler.
func (nc *Conn) postError(sub *Subscription, err error) {
	nc.mu.Lock()
	defer nc.mu.Unlock()
	nc.postErrorLocked(sub, err)
}

// Flush is Flush of the connection.
func (c *EncodedConn) Flush() error { return c.Conn.Flush() }

// FlushTimeout is FlushTimeout of the connection.
func (c *EncodedConn) FlushTimeout(timeout time.Duration) error { return c.Conn.FlushTimeout(timeout) }

// Close closes the connection.
func (c *EncodedConn) Close() { c.Conn.Close() }

// Drain drains the connection.
func (c *EncodedConn) Drain() error { return c.Conn.Drain() }

// LastError is LastError of the connection.
func (c *EncodedConn) LastError() error { return c.Conn.LastError() }

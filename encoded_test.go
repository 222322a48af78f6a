package nats

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type encodedPerson struct {
	Name string
	Age  int
}

// moody is an encoder that fails on demand.
type moody struct{ Encoder }

var errMoody = errors.New("not in the mood")

func (m moody) Encode(subject string, v any) ([]byte, error) {
	if v == "bad" {
		return nil, errMoody
	}
	return m.Encoder.Encode(subject, v)
}

func connectEncoded(t testing.TB, encType string, opts ...Option) *EncodedConn {
	t.Helper()
	_, nc := connect(t, opts...)
	c, err := NewEncodedConn(nc, encType)
	require.NoError(t, err)
	require.Same(t, nc, c.Conn)
	require.Equal(t, EncoderForType(encType), c.Enc)
	return c
}

func TestNewEncodedConnErrors(t *testing.T) {
	t.Parallel()
	_, err := NewEncodedConn(nil, JSON_ENCODER)
	require.EqualError(t, err, "nats: Nil Connection")
	_, nc := connect(t)
	_, err = NewEncodedConn(nc, "unheard of")
	require.EqualError(t, err, "no encoder registered for 'unheard of'")
	nc.Close()
	_, err = NewEncodedConn(nc, JSON_ENCODER)
	require.ErrorIs(t, err, ErrConnectionClosed)
}

func TestRegisterEncoder(t *testing.T) {
	t.Parallel()
	require.Nil(t, EncoderForType("unheard of"))
	RegisterEncoder("moody", moody{EncoderForType(JSON_ENCODER)})
	require.Equal(t, moody{EncoderForType(JSON_ENCODER)}, EncoderForType("moody"))
	c := connectEncoded(t, "moody")
	require.ErrorIs(t, c.Publish("foo", "bad"), errMoody)
	require.ErrorIs(t, c.PublishRequest("foo", "bar", "bad"), errMoody)
	require.ErrorIs(t, c.Request("foo", "bad", nil, patience), errMoody)
	require.ErrorIs(t, c.RequestWithContext(t.Context(), "foo", "bad", nil), errMoody)
	require.Zero(t, c.Conn.Stats().OutMsgs, "nothing is sent")
	require.NoError(t, c.LastError())
}

// A value arrives as it was published, in handlers of every form.
func TestEncodedHandlersOfEveryForm(t *testing.T) {
	t.Parallel()
	want := encodedPerson{"Ada", 36}
	for _, encType := range []string{JSON_ENCODER, GOB_ENCODER} {
		for name, handler := range map[string]func(chan any) Handler{
			"value":   func(ch chan any) Handler { return func(p encodedPerson) { ch <- p } },
			"pointer": func(ch chan any) Handler { return func(p *encodedPerson) { ch <- *p } },
			"subject, value": func(ch chan any) Handler {
				return func(subject string, p *encodedPerson) { ch <- subject; ch <- *p }
			},
			"subject, reply, value": func(ch chan any) Handler {
				return func(subject, reply string, p encodedPerson) { ch <- subject; ch <- reply; ch <- p }
			},
		} {
			t.Run(encType+", "+name, func(t *testing.T) {
				t.Parallel()
				c := connectEncoded(t, encType)
				ch := make(chan any, 10)
				_, err := c.Subscribe("foo", handler(ch))
				require.NoError(t, err)
				require.NoError(t, c.PublishRequest("foo", "bar", want))
				require.NoError(t, c.FlushTimeout(patience))
				args := map[string][]any{
					"value": {want}, "pointer": {want}, "subject, value": {"foo", want},
					"subject, reply, value": {"foo", "bar", want},
				}
				for _, arg := range args[name] {
					require.Equal(t, arg, got(t, ch, "call"))
				}
			})
		}
	}
}

// A handler of messages gets them as they came.
func TestEncodedHandlerOfMessages(t *testing.T) {
	t.Parallel()
	c := connectEncoded(t, JSON_ENCODER)
	ch := make(chan *Msg, 10)
	for _, h := range []Handler{
		func(m *Msg) { ch <- m }, func(_ string, m *Msg) { ch <- m }, func(_, _ string, m *Msg) { ch <- m },
	} {
		s, err := c.QueueSubscribe("foo", "q", h)
		require.NoError(t, err)
		require.Equal(t, "q", s.Queue)
		require.NoError(t, c.Publish("foo", 7))
		m := got(t, ch, "message")
		require.Equal(t, "7", string(m.Data))
		require.Same(t, s, m.Sub)
		require.NoError(t, s.Unsubscribe())
	}
}

func TestEncodedHandlersThatAreRefused(t *testing.T) {
	t.Parallel()
	c := connectEncoded(t, JSON_ENCODER)
	_, err := c.Subscribe("foo", nil)
	require.EqualError(t, err, "nats: Handler required for EncodedConn Subscription")
	require.PanicsWithValue(t, "nats: Handler needs to be a func", func() { _, _ = c.Subscribe("foo", 7) })
	require.PanicsWithValue(t, "nats: Handler requires at least one argument",
		func() { _, _ = c.Subscribe("foo", func() {}) })
	_, err = c.Subscribe("foo", func(_, _, _ string, _ int) {})
	require.Error(t, err)
	_, err = c.Subscribe("foo", func(...int) {})
	require.Error(t, err)
	_, err = c.Subscribe("", func(int) {})
	require.ErrorIs(t, err, ErrBadSubject)
	require.Zero(t, c.Conn.NumSubscriptions())
}

// What cannot be decoded is an error of the subscription, and no call.
func TestEncodedMessageThatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	type event struct {
		sub *Subscription
		err error
	}
	errs := make(chan event, 10)
	c := connectEncoded(t, JSON_ENCODER, ErrorHandler(func(_ *Conn, s *Subscription, err error) { errs <- event{s, err} }))
	calls := make(chan int, 10)
	s, err := c.Subscribe("foo", func(n int) { calls <- n })
	require.NoError(t, err)
	require.NoError(t, c.Conn.Publish("foo", []byte("no number")))
	e := got(t, errs, "error event")
	require.Same(t, s, e.sub)
	require.ErrorContains(t, e.err, "nats: Got an error trying to unmarshal: ")
	require.NoError(t, c.Publish("foo", 3))
	require.Equal(t, 3, got(t, calls, "call"))
	require.Empty(t, calls)
}

func TestEncodedRequests(t *testing.T) {
	t.Parallel()
	c := connectEncoded(t, JSON_ENCODER)
	_, err := c.Subscribe("double", func(_, reply string, n int) { _ = c.Publish(reply, 2*n) })
	require.NoError(t, err)
	var n int
	require.NoError(t, c.Request("double", 21, &n, patience))
	require.Equal(t, 42, n)
	require.NoError(t, c.RequestWithContext(t.Context(), "double", 4, &n))
	require.Equal(t, 8, n)
	var m Msg
	require.NoError(t, c.Request("double", 5, &m, patience))
	require.Equal(t, "10", string(m.Data))
	require.Error(t, c.Request("double", 5, &encodedPerson{}, patience), "the reply cannot be decoded")
	require.ErrorIs(t, c.Request("nobody", 5, &n, patience), ErrNoResponders)
	var none context.Context
	require.ErrorIs(t, c.RequestWithContext(none, "double", 4, &n), ErrInvalidContext)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = c.Conn.SubscribeSync("mute")
	require.NoError(t, err)
	require.ErrorIs(t, c.RequestWithContext(ctx, "mute", 4, &n), context.DeadlineExceeded)
}

func TestEncodedConnEnds(t *testing.T) {
	t.Parallel()
	closed, onClosed := connEvents()
	c := connectEncoded(t, DEFAULT_ENCODER, ClosedHandler(onClosed))
	require.NoError(t, c.Flush())
	require.NoError(t, c.Drain())
	got(t, closed, "close")
	require.ErrorIs(t, c.Publish("foo", 1), ErrConnectionClosed)
	require.ErrorIs(t, c.Flush(), ErrConnectionClosed)
	c = connectEncoded(t, DEFAULT_ENCODER)
	c.Close()
	require.True(t, c.Conn.IsClosed())
}

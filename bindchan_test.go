package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Values go from channel to channel.
func TestBoundChannels(t *testing.T) {
	t.Parallel()
	c := connectEncoded(t, JSON_ENCODER)
	out, in := make(chan encodedPerson), make(chan *encodedPerson)
	s, err := c.BindRecvChan("foo", in)
	require.NoError(t, err)
	require.Equal(t, "foo", s.Subject)
	grouped := make(chan encodedPerson, 10)
	_, err = c.BindRecvQueueChan("foo", "q", grouped)
	require.NoError(t, err)
	require.NoError(t, c.BindSendChan("foo", out))
	for i := range 5 {
		want := encodedPerson{"Ada", i}
		out <- want
		require.Equal(t, want, *got(t, in, "value"))
		require.Equal(t, want, got(t, grouped, "value of the group"))
	}
	close(out)
}

func TestBindingWantsAChannel(t *testing.T) {
	t.Parallel()
	c := connectEncoded(t, JSON_ENCODER)
	require.ErrorIs(t, c.BindSendChan("foo", 7), ErrChanArg)
	require.ErrorIs(t, c.BindSendChan("foo", nil), ErrChanArg)
	_, err := c.BindRecvChan("foo", "no channel")
	require.ErrorIs(t, err, ErrChanArg)
	_, err = c.BindRecvQueueChan("foo", "q", nil)
	require.ErrorIs(t, err, ErrChanArg)
	_, err = c.BindRecvChan("", make(chan int))
	require.ErrorIs(t, err, ErrBadSubject)
}

// The first publish that fails ends the binding, and is told, also when the connection
// is closed.
func TestSendChannelFailureIsTold(t *testing.T) {
	t.Parallel()
	errs, onErr := errEvents()
	c := connectEncoded(t, JSON_ENCODER, onErr)
	open, later := make(chan any), make(chan any)
	require.NoError(t, c.BindSendChan("foo", open))
	require.NoError(t, c.BindSendChan("foo", later))
	open <- func() {} // JSON has no functions
	require.Error(t, got(t, errs, "error event"))
	c.Close()
	later <- 1
	require.ErrorIs(t, got(t, errs, "error event"), ErrConnectionClosed)
}

// A program that closes its channel ends the subscription.
func TestClosedReceiveChannelEndsTheSubscription(t *testing.T) {
	t.Parallel()
	c := connectEncoded(t, JSON_ENCODER)
	ch := make(chan int, 1)
	s, err := c.BindRecvChan("foo", ch)
	require.NoError(t, err)
	require.NoError(t, c.Publish("foo", 1))
	require.Equal(t, 1, got(t, ch, "value"))
	close(ch)
	require.NoError(t, c.Publish("foo", 2))
	soon(t, func() bool { return !s.IsValid() }, "the end")
	require.Zero(t, c.Conn.NumSubscriptions())
}

func TestReceiveChannelAndWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	errs, onErr := errEvents()
	c := connectEncoded(t, JSON_ENCODER, onErr)
	ch := make(chan int, 1)
	_, err := c.BindRecvChan("foo", ch)
	require.NoError(t, err)
	require.NoError(t, c.Publish("foo", "no number"))
	err = got(t, errs, "error event")
	require.ErrorContains(t, err, "nats: Got an error trying to unmarshal: ")
	require.Equal(t, err, c.LastError())
	require.NoError(t, c.Publish("foo", 1))
	require.Equal(t, 1, got(t, ch, "value"))
}

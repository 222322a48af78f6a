package nats

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMsgsIteratesUntilTheEnd(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	require.NoError(t, s.AutoUnsubscribe(5))
	publishNumbers(t, nc, "foo", 0, 5)
	var seen []string
	var last error
	for m, err := range s.Msgs() {
		if last = err; err != nil {
			require.Nil(t, m)
			continue
		}
		seen = append(seen, string(m.Data))
	}
	require.ErrorIs(t, last, ErrMaxMessages)
	require.Equal(t, []string{"0", "1", "2", "3", "4"}, seen)
}

// Leaving the loop leaves the subscription alone; the next loop goes on.
func TestMsgsCanBeLeft(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	publishNumbers(t, nc, "foo", 0, 2)
	for i := range 2 {
		for m, err := range s.Msgs() {
			require.NoError(t, err)
			require.Equal(t, strconv.Itoa(i), string(m.Data))
			break
		}
	}
	require.True(t, s.IsValid())
	waited := make(chan error, 1)
	go func() { // ends with the subscription
		for _, err := range s.Msgs() {
			waited <- err
		}
	}()
	require.NoError(t, s.Unsubscribe())
	require.ErrorIs(t, got(t, waited, "the end"), ErrBadSubscription)
}

// A timeout is told, and does not end the loop.
func TestMsgsTimeoutGoesOn(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.SubscribeSync("foo")
	require.NoError(t, err)
	timeouts := 0
	for m, err := range s.MsgsTimeout(2 * time.Millisecond) {
		if err != nil {
			require.Nil(t, m)
			require.ErrorIs(t, err, ErrTimeout)
			if timeouts++; timeouts == 2 {
				publishNumbers(t, nc, "foo", 7, 1)
			}
			continue
		}
		require.Equal(t, "7", string(m.Data))
		break
	}
	require.GreaterOrEqual(t, timeouts, 2)
	require.NoError(t, s.Unsubscribe())
	n := 0
	for _, err := range s.MsgsTimeout(time.Millisecond) {
		require.ErrorIs(t, err, ErrBadSubscription)
		n++
	}
	require.Equal(t, 1, n)
}

func TestMsgsOfOtherSubscriptions(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	s, err := nc.Subscribe("foo", func(*Msg) {})
	require.NoError(t, err)
	for want, s := range map[error]*Subscription{ErrSyncSubRequired: s, ErrBadSubscription: nil} {
		for m, err := range s.Msgs() {
			require.Nil(t, m)
			require.ErrorIs(t, err, want)
		}
		for m, err := range s.MsgsTimeout(time.Second) {
			require.Nil(t, m)
			require.ErrorIs(t, err, want)
		}
	}
}

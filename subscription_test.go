package nats

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// wantPendingErrors checks the calls that say how a subscription's queue is.
func wantPendingErrors(t *testing.T, s *Subscription, want error) {
	t.Helper()
	for name, f := range map[string]func() (int, int, error){
		"Pending": s.Pending, "MaxPending": s.MaxPending, "PendingLimits": s.PendingLimits,
	} {
		msgs, bytes, err := f()
		require.Equal(t, want, err, name)
		require.Equal(t, [2]int{-1, -1}, [2]int{msgs, bytes}, name)
	}
	n, err := s.QueuedMsgs()
	require.Equal(t, want, err)
	require.Equal(t, -1, n)
	require.Equal(t, want, s.ClearMaxPending())
	require.Equal(t, want, s.SetPendingLimits(0, 0), "comes before the check of the limits")
	require.Equal(t, want, s.SetPendingLimits(1, 1))
}

// wantCountErrors checks the calls that count messages on one that has ended.
func wantCountErrors(t *testing.T, s *Subscription) {
	t.Helper()
	delivered, err := s.Delivered()
	require.Equal(t, ErrBadSubscription, err)
	require.EqualValues(t, -1, delivered)
	dropped, err := s.Dropped()
	require.Equal(t, ErrBadSubscription, err)
	require.Equal(t, -1, dropped)
}

func TestNilSubscription(t *testing.T) {
	t.Parallel()
	var s *Subscription
	require.Equal(t, NilSubscription, s.Type())
	require.False(t, s.IsValid())
	require.Equal(t, ErrBadSubscription, s.Unsubscribe())
	require.Equal(t, ErrBadSubscription, s.AutoUnsubscribe(1))
	wantPendingErrors(t, s, ErrBadSubscription)
	wantCountErrors(t, s)
}

func TestEndedSubscription(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  func(s *Subscription) error
		want error // of a further Unsubscribe
	}{
		"Unsubscribe":         {(*Subscription).Unsubscribe, ErrBadSubscription},
		"AutoUnsubscribe(0)":  {func(s *Subscription) error { return s.AutoUnsubscribe(0) }, ErrBadSubscription},
		"AutoUnsubscribe(-1)": {func(s *Subscription) error { return s.AutoUnsubscribe(-1) }, ErrBadSubscription},
		"Close":               {func(s *Subscription) error { s.conn.Close(); return nil }, ErrConnectionClosed},
		"Unsubscribe, Close": {func(s *Subscription) error {
			err := s.Unsubscribe()
			s.conn.Close()
			return err
		}, ErrConnectionClosed},
	} {
		t.Run(name, func(t *testing.T) {
			eachSubKind(t, func(t *testing.T, kind SubscriptionType) {
				_, p, nc := connectPeer(t)
				r := newSubRig(t, nc, kind, "foo", "")
				p.deliver(t, r.sub, 0, 2)
				require.True(t, r.sub.IsValid())
				require.NoError(t, c.end(r.sub))
				require.False(t, r.sub.IsValid())
				require.Equal(t, c.want, r.sub.Unsubscribe())
				require.Error(t, r.sub.AutoUnsubscribe(10))
				if !nc.IsClosed() {
					require.Equal(t, ErrBadSubscription, r.sub.AutoUnsubscribe(10))
				}
				wantPendingErrors(t, r.sub, ErrBadSubscription)
				wantCountErrors(t, r.sub)
				require.Equal(t, kind, r.sub.Type())
			})
		})
	}
}

func TestPendingOfChannel(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	r := newSubRig(t, nc, ChanSubscription, "foo", "")
	p.deliver(t, r.sub, 0, 3)
	wantPendingErrors(t, r.sub, ErrTypeSubscription)
	delivered, err := r.sub.Delivered()
	require.NoError(t, err)
	require.EqualValues(t, 3, delivered, "counted when they are in the channel")
	dropped, err := r.sub.Dropped()
	require.NoError(t, err)
	require.Zero(t, dropped)
}

func TestPendingLimits(t *testing.T) {
	t.Parallel()
	_, _, nc := connectPeer(t, SyncQueueLen(77))
	for kind, msgs := range map[SubscriptionType]int{AsyncSubscription: 500_000, SyncSubscription: 77} {
		s := newSubRig(t, nc, kind, "foo", "").sub
		wants := func(wantMsgs, wantBytes int) {
			t.Helper()
			m, b, err := s.PendingLimits()
			require.NoError(t, err)
			require.Equal(t, [2]int{wantMsgs, wantBytes}, [2]int{m, b})
		}
		wants(msgs, 64<<20)
		require.NoError(t, s.SetPendingLimits(10, 20))
		wants(10, 20)
		for _, zero := range [][2]int{{0, 1}, {1, 0}, {0, 0}, {0, -1}, {-1, 0}} {
			require.Equal(t, ErrInvalidArg, s.SetPendingLimits(zero[0], zero[1]))
		}
		wants(10, 20)
		require.NoError(t, s.SetPendingLimits(-1, -2))
		wants(-1, -2)
	}
}

func TestPendingOfSync(t *testing.T) {
	t.Parallel()
	_, p, nc := connectPeer(t)
	s := newSubRig(t, nc, SyncSubscription, "foo", "").sub
	wants := func(msgs, bytes, maxMsgs, maxBytes, delivered int) {
		t.Helper()
		m, b, err := s.Pending()
		require.NoError(t, err)
		require.Equal(t, [2]int{msgs, bytes}, [2]int{m, b})
		n, err := s.QueuedMsgs()
		require.NoError(t, err)
		require.Equal(t, msgs, n)
		m, b, err = s.MaxPending()
		require.NoError(t, err)
		require.Equal(t, [2]int{maxMsgs, maxBytes}, [2]int{m, b})
		d, err := s.Delivered()
		require.NoError(t, err)
		require.EqualValues(t, delivered, d)
	}
	wants(0, 0, 0, 0, 0)
	p.deliver(t, s, 98, 4) // "98" "99" "100" "101"
	wants(4, 10, 4, 10, 0)
	for range 3 {
		_, err := s.NextMsg(0)
		require.NoError(t, err)
	}
	wants(1, 3, 4, 10, 3)
	require.NoError(t, s.ClearMaxPending())
	wants(1, 3, 0, 0, 3)
	p.deliver(t, s, 102, 1)
	wants(2, 6, 2, 6, 3)
}

package nats

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultproxy"
)

// requestRig is an outageRig with a service behind it, which counts.
type requestRig struct {
	*outageRig
	served atomic.Int64
	ids    chan string // of the requests, if they have one
}

func newRequestRig(t *testing.T, opts ...Option) *requestRig {
	r := &requestRig{outageRig: newOutageRig(t, opts...), ids: make(chan string, 100)}
	_, err := r.sub.conn.Subscribe("svc", func(m *Msg) {
		r.ids <- m.Header.Get(MsgIdHdr)
		_ = m.Respond(fmt.Append(nil, r.served.Add(1)))
	})
	require.NoError(t, err)
	require.NoError(t, r.sub.conn.FlushTimeout(patience))
	return r
}

// ask makes a request that waits, and returns its answer and a way to give it up.
func (r *requestRig) ask() (answer chan string, giveUp func()) {
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	answer = make(chan string, 1)
	go func() { // ends with the answer, or ctx
		m, err := r.nc.RequestWithContext(ctx, "svc", nil)
		if err != nil {
			answer <- err.Error()
			return
		}
		answer <- string(m.Data)
	}()
	r.t.Cleanup(cancel)
	return answer, cancel
}

// reconnected waits for the next connection, and until all is sent.
func (r *requestRig) reconnected() {
	r.t.Helper()
	got(r.t, r.back, "reconnect")
	require.NoError(r.t, r.nc.FlushTimeout(patience))
	require.NoError(r.t, r.sub.conn.FlushTimeout(patience))
}

// A request whose answer was lost with the connection is repeated as long as its
// caller waits: the service sees it twice, with the same id, and the caller gets one
// answer.
func TestAtLeastOnceRequestMayBeServedTwice(t *testing.T) {
	t.Parallel()
	r := newRequestRig(t, AtLeastOnce(), MsgIDHeader())
	r.proxy.Live().StopForwarding(faultproxy.Down, faultproxy.Drop)
	answer, _ := r.ask()
	id := got(t, r.ids, "request")
	r.proxy.Live().Cut(faultproxy.RST)
	require.Equal(t, "2", got(t, answer, "answer"))
	require.Equal(t, id, got(t, r.ids, "repeated request"))
	require.NotEmpty(t, id)
	r.reconnected()
	require.EqualValues(t, 2, r.served.Load())
}

// One whose caller has given up is not.
func TestAtLeastOnceRequestThatWasGivenUpIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := newRequestRig(t, AtLeastOnce())
	r.proxy.Live().StopForwarding(faultproxy.Down, faultproxy.Drop)
	answer, giveUp := r.ask()
	got(t, r.ids, "request")
	giveUp()
	require.Equal(t, context.Canceled.Error(), got(t, answer, "end of the request"))
	r.publish("repeated")
	soon(t, func() bool { return r.nc.BufferStats().UnconfirmedMsgs == 1 }, "not sent")
	r.proxy.Live().Cut(faultproxy.RST)
	r.reconnected()
	require.EqualValues(t, 1, r.served.Load())
	require.EqualValues(t, 1, r.nc.BufferStats().Withdrawn)
	require.EqualValues(t, 1, r.nc.BufferStats().Repeated)
}

// One that has its answer is not either, though the connection ends at the very byte
// behind the answer, before the server has confirmed the request.
func TestAtLeastOnceRequestThatWasAnsweredIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := newRequestRig(t, AtLeastOnce(), ReconnectWait(2*time.Second)) // for the caller to notice, on a busy machine
	for i := range 2 {
		// A PING goes with this one; so none goes with the request, if that is soon.
		r.publish("before")
		soon(t, func() bool { return r.nc.BufferStats().Msgs == 0 }, "not confirmed")
		r.proxy.Live().CutFrame(faultproxy.Down, faultproxy.FrameCut{Ops: []string{"MSG"}, Byte: 1 << 20, How: faultproxy.RSTServer})
		m, err := r.nc.Request("svc", nil, patience)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(i+1), string(m.Data))
		r.reconnected()
		require.EqualValues(t, i+1, r.served.Load(), "requests served")
	}
}

// By default a request is not repeated once the operating system has it: it may be
// lost, and then its caller waits in vain.
func TestRequestThatWasTakenIsNotRepeated(t *testing.T) {
	t.Parallel()
	r := newRequestRig(t)
	r.proxy.Live().StopForwarding(faultproxy.Up, faultproxy.Drop)
	answer, giveUp := r.ask()
	soon(t, func() bool { return r.nc.Stats().OutMsgs == 1 && r.nc.BufferStats().Msgs == 0 }, "not sent")
	r.proxy.Live().Cut(faultproxy.RST)
	r.reconnected()
	require.Zero(t, r.served.Load())
	require.EqualValues(t, 1, r.nc.BufferStats().InDoubt)
	require.Empty(t, answer)
	giveUp()
	got(t, answer, "end of the request")
}

// What a server has confirmed and dies with is gone: such a request is not repeated,
// and ends with its caller's patience.
func TestRequestThatWasConfirmedIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, mode := range []struct {
		name string
		opts []Option
	}{{"default", nil}, {"at least once", []Option{AtLeastOnce()}}} {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			r := newOutageRig(t, mode.opts...)
			direct := connectTo(t, r.s.URL(), fast()...)
			sub, err := direct.SubscribeSync(">")
			require.NoError(t, err)
			require.NoError(t, direct.FlushTimeout(patience))
			ctx, giveUp := context.WithTimeout(t.Context(), patience)
			defer giveUp()
			ended := make(chan error, 1)
			go func() { // ends with ctx
				_, err := r.nc.RequestWithContext(ctx, "foo", nil)
				ended <- err
			}()
			_, err = sub.NextMsg(patience)
			require.NoError(t, err)
			require.NoError(t, r.nc.FlushTimeout(patience))
			r.s.Kill()
			require.NoError(t, r.s.Start())
			got(t, r.back, "reconnect")
			soon(t, direct.IsConnected, "no subscriber")
			require.NoError(t, direct.FlushTimeout(patience))
			require.NoError(t, r.nc.Publish("last", nil))
			require.NoError(t, r.nc.FlushTimeout(patience))
			m, err := sub.NextMsg(patience)
			require.NoError(t, err)
			require.Equal(t, "last", m.Subject, "the request came again")
			require.Empty(t, ended)
			giveUp()
			require.ErrorIs(t, got(t, ended, "end of the request"), context.Canceled)
		})
	}
}

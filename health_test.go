package nats

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// unhealthy wants a HealthError for a reason.
func unhealthy(t *testing.T, err, reason error) *HealthError {
	t.Helper()
	var h *HealthError
	require.ErrorAs(t, err, &h)
	require.ErrorIs(t, err, reason)
	require.Equal(t, reason, h.Err)
	return h
}

func TestHealthInAnOutage(t *testing.T) {
	t.Parallel()
	s, nc := connect(t, append(fast(), ReconnectBufSize(1000), ReconnectBufMsgs(4))...)
	require.NoError(t, nc.Alive())
	require.NoError(t, nc.Ready(ReadyLimits{}))
	require.Zero(t, nc.Outage())

	s.Kill()
	soon(t, nc.IsReconnecting, "outage")
	require.NoError(t, nc.Alive(), "an outage is no reason to restart")
	h := unhealthy(t, nc.Ready(ReadyLimits{}), ErrDisconnected)
	require.Positive(t, h.Outage)
	require.Error(t, h.Cause)
	require.ErrorIs(t, h, h.Cause)
	require.Contains(t, h.Error(), h.Cause.Error())
	require.Positive(t, nc.Outage())
	unhealthy(t, nc.Ready(ReadyLimits{MaxOutage: time.Nanosecond}), ErrDisconnected)
	require.NoError(t, nc.Ready(ReadyLimits{MaxOutage: time.Hour}))
	require.NoError(t, nc.Ready(ReadyLimits{MaxOutage: -1}))

	require.NoError(t, nc.Publish("a", nil))
	require.NoError(t, nc.Publish("a", nil))
	half := ReadyLimits{MaxOutage: -1, MaxFill: 0.5}
	require.InDelta(t, 0.5, unhealthy(t, nc.Ready(half), ErrBufferFilled).Fill, 0.01)
	require.NoError(t, nc.Ready(ReadyLimits{MaxOutage: -1, MaxFill: 0.6}))
	require.NoError(t, nc.Publish("a", make([]byte, 1000)))
	require.Greater(t, unhealthy(t, nc.Ready(ReadyLimits{MaxOutage: -1}), ErrBufferFilled).Fill, 1.0, "full by default")
	require.NoError(t, nc.Ready(ReadyLimits{MaxOutage: -1, MaxFill: 2}))

	require.NoError(t, s.Start())
	soon(t, func() bool { return nc.Ready(half) == nil && nc.Outage() == 0 }, "ready again")

	nc.Close()
	require.Nil(t, unhealthy(t, nc.Alive(), ErrConnectionClosed).Cause)
	unhealthy(t, nc.Ready(ReadyLimits{MaxOutage: -1}), ErrConnectionClosed)
}

func TestHealthWithoutABuffer(t *testing.T) {
	t.Parallel()
	s, nc := connect(t, append(fast(), ReconnectBufSize(-1))...)
	require.NoError(t, nc.Ready(ReadyLimits{}))
	s.Kill()
	soon(t, nc.IsReconnecting, "outage")
	unhealthy(t, nc.Ready(ReadyLimits{MaxOutage: -1}), ErrBufferFilled)
}

// The outage has the length that it has, however often a session broke before what
// was buffered was out.
func TestOutageIsOneUntilTheReplayIsOut(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		m := newMemNet()
		nc := liveTo(t, m, func(p *memPeer) {}, ReconnectJitter(0, 0), ReconnectReplayRate(1000))
		m.listen("10.0.0.0:4222", nil)
		synctest.Wait()
		require.NoError(t, nc.Publish("a", make([]byte, 10_000)))
		require.NoError(t, nc.Publish("b", make([]byte, 10_000)))
		tries := 0
		m.listen("10.0.0.0:4222", func(p *memPeer) {
			if tries++; p.welcome() && tries > 3 {
				p.answer()
			}
		})
		time.Sleep(4500 * time.Millisecond)
		synctest.Wait()
		require.True(t, nc.IsConnected())
		require.Equal(t, 4500*time.Millisecond, nc.Outage())
		unhealthy(t, nc.Ready(ReadyLimits{MaxOutage: 4 * time.Second}), ErrDisconnected)
		time.Sleep(time.Minute)
		require.Zero(t, nc.Outage())
	})
}

func TestHealthOfADrainAndOfAnEnd(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	held := make(chan struct{})
	_, err := nc.Subscribe("a", func(*Msg) { <-held })
	require.NoError(t, err)
	require.NoError(t, nc.Publish("a", nil))
	require.NoError(t, nc.Flush())
	require.NoError(t, nc.Drain())
	require.NoError(t, nc.Alive())
	unhealthy(t, nc.Ready(ReadyLimits{MaxOutage: -1}), ErrConnectionDraining)
	close(held)

	late := connectTo(t, "nats://127.0.0.1:1", append(fast(), RetryOnFailedConnect(true), MaxReconnects(1))...)
	soon(t, late.IsClosed, "given up")
	require.Equal(t, ErrNoServers, unhealthy(t, late.Alive(), ErrConnectionClosed).Cause)
	require.Zero(t, late.Outage())

	var none *Conn
	unhealthy(t, none.Alive(), ErrInvalidConnection)
	unhealthy(t, none.Ready(ReadyLimits{}), ErrInvalidConnection)
	require.Zero(t, none.Outage())
	require.False(t, errors.Is(none.Alive(), ErrTimeout))
}

func TestHealthHandlers(t *testing.T) {
	t.Parallel()
	_, fine := connect(t)
	s, nc := connect(t, append(fast(), Name("orders"))...)
	alive, ready := AliveHandler(fine, nc), ReadyHandler(ReadyLimits{}, fine, nc)
	ask := func(h http.Handler) (int, string) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		return w.Code, w.Body.String()
	}
	for _, h := range []http.Handler{alive, ready} {
		code, text := ask(h)
		require.Equal(t, 200, code)
		require.Equal(t, "ok\n", text)
	}
	s.Kill()
	soon(t, nc.IsReconnecting, "outage")
	code, _ := ask(alive)
	require.Equal(t, 200, code)
	code, text := ask(ready)
	require.Equal(t, 503, code)
	require.Contains(t, text, "orders: nats: server is disconnected (for ")
	nc.Close()
	code, text = ask(alive)
	require.Equal(t, 503, code)
	require.Equal(t, "orders: nats: connection closed\n", text)
}

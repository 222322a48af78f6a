package outagelab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
	"github.com/natsring/nats.go/internal/svgplot"
	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

const patience = 30 * time.Second

func newLab(t *testing.T, opts ...nats.Option) *Lab {
	t.Helper()
	l, err := New(Config{Rate: 5000, Size: 64, Throttle: 50_000, Dial: Ours(opts...)})
	require.NoError(t, err)
	t.Cleanup(l.Close)
	return l
}

// publishing publishes until the function that it returns is called.
func publishing(t *testing.T, l *Lab) (end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	work.Go(func() { assert.NoError(t, l.Publish(ctx)) })
	end = sync.OnceFunc(func() { cancel(); work.Wait() })
	t.Cleanup(end)
	return end
}

func finish(t *testing.T, l *Lab) Sample {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, l.Finish(ctx))
	return l.Sample(true)
}

// seen waits for a sample.
func seen(t *testing.T, l *Lab, what string, cond func(Sample) bool) {
	t.Helper()
	require.Eventually(t, func() bool { return cond(l.Sample(false)) }, patience, time.Millisecond, what)
}

func connected(s Sample) bool { return s.Status == nats.CONNECTED.String() }

// Each fault is noticed, and with AtLeastOnce none costs a message.
func TestNoFaultLosesAnythingAtLeastOnce(t *testing.T) {
	t.Parallel()
	for _, a := range []Action{Cut, HalfClose, BlackHole, Throttle, Refuse, Stop} {
		t.Run(string(a), func(t *testing.T) {
			t.Parallel()
			l := newLab(t, nats.AtLeastOnce())
			end := publishing(t, l)
			seen(t, l, "deliveries", func(s Sample) bool { return s.Delivered > 20 })
			require.NoError(t, l.Do(a))
			switch a {
			case Refuse:
				require.NoError(t, l.Do(Cut))
				seen(t, l, "an outage", func(s Sample) bool { return !connected(s) && s.Msgs > 20 })
			case BlackHole, Stop:
				seen(t, l, "an outage", func(s Sample) bool { return !connected(s) && s.Msgs > 20 })
			case Throttle:
				seen(t, l, "a backlog", func(s Sample) bool { return s.Msgs > 200 })
			default:
				seen(t, l, "an outage", func(s Sample) bool { return l.client.(ours).Stats().Reconnects > 0 })
			}
			require.NoError(t, l.Do(Heal))
			delivered := l.Sample(false).Delivered
			seen(t, l, "the end of it", func(s Sample) bool { return connected(s) && s.Delivered > delivered })
			end()
			s := finish(t, l)
			assert.Zero(t, s.Lost)
			assert.Equal(t, s.Accepted, s.Delivered)
			assert.Equal(t, s.Accepted, s.Confirmed)
			assert.Zero(t, s.Msgs)
			assert.Equal(t, Faults{}, l.Faults())
		})
	}
}

// By default, what was in doubt covers what was lost.
func TestDefaultSaysWhatMayBeLost(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	end := publishing(t, l)
	for range 3 {
		delivered := l.Sample(false).Delivered
		seen(t, l, "deliveries", func(s Sample) bool { return connected(s) && s.Delivered > delivered+50 })
		require.NoError(t, l.Do(Cut))
	}
	end()
	s := finish(t, l)
	assert.LessOrEqual(t, s.Lost, s.InDoubt)
	assert.Zero(t, s.Repeated)
	assert.Equal(t, s.Accepted, s.Delivered+s.Lost)
}

func TestWhatIsRefusedAndWhatIsDropped(t *testing.T) {
	t.Parallel()
	refusing := newLab(t, nats.ReconnectBufMsgs(10))
	dropping := newLab(t, nats.ReconnectBufMsgs(10), nats.ReconnectBufOverflow(nats.OverflowDropOldest))
	for _, l := range []*Lab{refusing, dropping} {
		require.NoError(t, l.Do(Stop))
		end := publishing(t, l)
		seen(t, l, "overflow", func(s Sample) bool { return s.Refused+s.GivenUp > 100 })
		require.NoError(t, l.Do(Start))
		seen(t, l, "the end of it", connected)
		end()
		s := finish(t, l)
		assert.LessOrEqual(t, s.Lost, s.InDoubt)
		assert.Equal(t, s.Accepted, s.Delivered+s.GivenUp+s.Lost)
		assert.Equal(t, l == refusing, s.Refused > 0)
		assert.Equal(t, l == dropping, s.GivenUp > 0)
	}
}

func TestRateCanBeChanged(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.SetRate(0)
	end := publishing(t, l)
	defer end()
	assert.Zero(t, l.Sample(false).Accepted)
	l.SetRate(1000)
	seen(t, l, "messages", func(s Sample) bool { return s.Accepted > 10 })
	assert.Equal(t, 1000, l.Rate())
}

// A connection that is closed for good ends the publisher, and Finish says so.
func TestClosedForGood(t *testing.T) {
	t.Parallel()
	l := newLab(t, nats.MaxReconnects(0))
	require.NoError(t, l.Do(Stop))
	require.ErrorIs(t, l.Publish(t.Context()), nats.ErrConnectionClosed)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorIs(t, l.Finish(ctx), nats.ErrConnectionClosed)
}

func TestPlayAndWatch(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var said []string
	l, err := New(Config{Rate: 2000, Size: 64, Dial: Ours(), Event: func(text string) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, text)
	}})
	require.NoError(t, err)
	defer l.Close()
	end := publishing(t, l)
	script, err := ParseScript("50ms stop; 100ms start; 150ms cut")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var samples []Sample
	var watching sync.WaitGroup
	watching.Go(func() { l.Watch(ctx, 5*time.Millisecond, func(s Sample) { samples = append(samples, s) }) })
	require.NoError(t, l.Play(ctx, script))
	end()
	cancel()
	watching.Wait()
	samples = append(samples, finish(t, l))
	mu.Lock()
	defer mu.Unlock()
	assert.Subset(t, said, []string{"lab: stop", "lab: start", "lab: cut", "client: found the server, all that was buffered is sent"})
	assert.Greater(t, len(samples), 5)
	assert.GreaterOrEqual(t, samples[len(samples)-1].At, 150*time.Millisecond)

	p := Panel("a client", samples, script)
	require.Len(t, p.Lines, 5)
	assert.Len(t, p.Lines[0].Points, len(samples))
	assert.Equal(t, []svgplot.Span{{From: 0.05, To: 0.1, Name: "stop"}, {From: 0.15, To: 0.15, Name: "cut"}}, p.Spans)
	require.NoError(t, svgplot.Figure{Panels: []svgplot.Panel{p}}.Write(new(bytes.Buffer)))
	require.NoError(t, svgplot.Figure{Panels: []svgplot.Panel{Panel("nothing", nil, nil)}}.Write(new(bytes.Buffer)))
}

func TestScripts(t *testing.T) {
	t.Parallel()
	s, err := ParseScript(" 2s cut;3.5s stop ; 5s start;")
	require.NoError(t, err)
	assert.Equal(t, Script{{2 * time.Second, Cut}, {3500 * time.Millisecond, Stop}, {5 * time.Second, Start}}, s)
	assert.Equal(t, "2s cut; 3.5s stop; 5s start", s.String())
	assert.Equal(t, "1s cut; 1.75s stop; 2.5s start", s.Scaled(0.5).String())
	for text, says := range map[string]string{
		"": "no step", "2s": "must be a time and an action", "2s cut cut": "must be", "x cut": "invalid duration",
		"2s dance": "no action", "2s cut; 1s cut": "before the step", "-1s cut": "before",
	} {
		_, err := ParseScript(text)
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), says)
	}
	for _, a := range Actions {
		_, err := ParseScript("1s " + string(a))
		require.NoError(t, err)
	}
}

// Faults that last are shaded to their end, to the end of all, or to that of the run.
func TestSpansOfAScript(t *testing.T) {
	t.Parallel()
	s, err := ParseScript("1s blackhole; 2s no-blackhole; 3s throttle; 4s refuse; 5s heal; 6s stop")
	require.NoError(t, err)
	assert.Equal(t, []svgplot.Span{
		{From: 1, To: 2, Name: "blackhole"}, {From: 3, To: 5, Name: "throttle"}, {From: 4, To: 5, Name: "refuse"},
		{From: 6, To: 9, Name: "stop"},
	}, s.spans(9*time.Second))
}

func TestLedger(t *testing.T) {
	t.Parallel()
	message := func(n int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(n)) }
	var l ledger
	for range 10 {
		l.accept(nil)
	}
	l.accept(errors.New("full"))
	for _, n := range []int{0, 1, 4, 4, 7} { // 2, 3, 5, 6 are missing
		l.deliver(message(n))
	}
	assert.Equal(t, Counts{Accepted: 10, Refused: 1, Delivered: 4, Repeated: 1, Lost: 4}, l.counts(false))
	l.deliver(message(3))   // late
	l.giveUp(message(5), 1) // explained behind the top
	l.giveUp(message(9), 1) // and above
	l.giveUp(message(9), 1) // told twice
	l.giveUp(message(0), 1) // although it arrived
	assert.Equal(t, Counts{Accepted: 10, Refused: 1, Delivered: 5, Repeated: 1, Late: 1, GivenUp: 4, Lost: 2}, l.counts(false))
	assert.Equal(t, 3, l.counts(true).Lost, "2, 6 and 8")
	l.giveUp(nil, 2)
	assert.Equal(t, 1, l.counts(true).Lost)
	l.giveUp(nil, 9)
	assert.Zero(t, l.counts(true).Lost)
}

func TestSetUpThatFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("no such client")
	_, err := New(Config{Dial: func(string, Reports) (Client, error) { return nil, broken }})
	require.ErrorIs(t, err, broken)
	_, err = New(Config{Dial: Ours(nats.ReconnectBufSize(-1), nats.AtLeastOnce())})
	require.Error(t, err)
	assert.True(t, strings.HasPrefix(err.Error(), "outagelab: publisher: "), err.Error())
}

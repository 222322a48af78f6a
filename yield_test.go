package nats

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestYieldingThatIsSlowBecomesRare(t *testing.T) {
	t.Parallel()
	const quick, long, slow = time.Microsecond, 500 * time.Microsecond, time.Second
	var y yielding
	for _, c := range []struct {
		name string
		paid bool
		took time.Duration
		skip int
	}{
		{"nobody waits for the processor", false, quick, 0},
		{"somebody, who publishes", true, quick, 0},
		{"many, who publish", true, long, 0},
		{"somebody, who works", false, long, yieldPause},
		{"again", false, slow, 2 * yieldPause},
		{"slow is slow, whatever it brings", true, slow, 4 * yieldPause},
		{"nobody any more: that proves nothing", false, quick, 4 * yieldPause},
		{"somebody who publishes", true, quick, 2 * yieldPause},
		{"again", true, quick, yieldPause},
	} {
		y.learn(c.paid, c.took)
		require.Equal(t, c.skip, y.skip, c.name)
	}
	for range 20 {
		y.learn(false, slow)
	}
	require.Equal(t, yieldLate, y.skip)
	for range 20 {
		y.learn(true, quick)
	}
	require.Zero(t, y.skip)
}

// The outbox skips as often as it has learnt.
func TestYieldIsLeftOut(t *testing.T) {
	t.Parallel()
	box := newOutbox(boxLimits{bytes: 1 << 20}, &Statistics{})
	box.attach(nil, nil, nil)
	box.mu.Lock()
	defer box.mu.Unlock()
	box.yielding = yielding{pause: 2, skip: 2}
	box.yieldLocked()
	box.yieldLocked()
	require.Zero(t, box.yielding.skip)
	box.yieldLocked()
	require.Contains(t, []int{2, 2 * yieldPause, yieldPause}, box.yielding.skip, "it has learnt anew")
}

// Many that publish at once after one of them has woken the writer: all is sent, each
// publisher's messages in order.
func TestPublishersThatAreReadyTogether(t *testing.T) {
	t.Parallel()
	_, nc := connect(t)
	sub, err := nc.SubscribeSync("ready.*")
	require.NoError(t, err)
	const publishers, rounds = 50, 20
	next := map[string]byte{}
	for round := range byte(rounds) {
		var all sync.WaitGroup
		start := make(chan bool)
		for p := range publishers {
			all.Go(func() {
				<-start
				_ = nc.Publish("ready."+string(rune('A'+p)), []byte{round})
			})
		}
		close(start)
		all.Wait()
		for range publishers {
			m, err := sub.NextMsg(patience)
			require.NoError(t, err)
			require.Equal(t, next[m.Subject], m.Data[0])
			next[m.Subject]++
		}
	}
	require.Len(t, next, publishers)
}

package nats

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/natsring/nats.go/internal/faultplan"
)

// One kind of fault after the other, with AtLeastOnce: of everything that was
// accepted nothing is missing at the subscriber, first deliveries are in order, and
// after each cut no more is repeated than was unconfirmed when it came. With
// -chaos=60s it is the run of which GUARANTEES.md has the figures.
func TestChaosByKind(t *testing.T) { // alone: it needs the whole machine
	for _, kind := range faultplan.Kinds() {
		t.Run(kind, func(t *testing.T) {
			cuts := &cutWatch{}
			c := newChaos(t, false, []Option{AtLeastOnce(), ReconnectBufSize(64 << 20), SetCustomDialer(cuts)})
			cuts.watch(c.nc)
			c.faults.kind = kind
			c.run()
			c.check([]error{ErrReconnectBufExceeded}, nil)
			require.NotEmpty(t, c.faults.done)
			cuts.check(t)
			c.summary()
			t.Logf("at most %d unconfirmed at a cut, %d dials", cuts.most(), len(cuts.all))
		})
	}
}

// cutWatch is a dialer that notes, when a session has been lost, what is
// unconfirmed: nothing is sent before it has dialled.
type cutWatch struct {
	mu  sync.Mutex
	nc  *Conn
	all []cutNote
}

// cutNote is how it was when a dial began.
type cutNote struct {
	unconfirmed int
	repeated    uint64 // up to then
}

func (w *cutWatch) watch(nc *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nc = nc
}

func (w *cutWatch) Dial(network, addr string) (net.Conn, error) {
	w.note()
	d := &net.Dialer{Timeout: time.Second, Control: smallSendBuffer}
	return d.Dial(network, addr)
}

func (w *cutWatch) note() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.nc != nil {
		st := w.nc.BufferStats()
		w.all = append(w.all, cutNote{st.UnconfirmedMsgs, st.Repeated})
	}
}

// check holds the repeats between two dials to what was unconfirmed at the first.
func (w *cutWatch) check(t *testing.T) {
	w.note()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := 1; i < len(w.all); i++ {
		repeated := int(w.all[i].repeated - w.all[i-1].repeated)
		assert.LessOrEqual(t, repeated, w.all[i-1].unconfirmed, "repeated after cut %d", i)
	}
}

func (w *cutWatch) most() (most int) {
	for _, n := range w.all {
		most = max(most, n.unconfirmed)
	}
	return most
}

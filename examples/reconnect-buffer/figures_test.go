package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	nats "github.com/natsring/nats.go"
)

// agreed are figures and a tally that agree.
func agreed() (figures, tally) {
	return figures{
			BufferStats: nats.BufferStats{
				MaxMsgs: 40, MaxBytes: 4000, Buffered: 50, Replayed: 38,
				Rejected: 3, Dropped: 7, Expired: 4, Undelivered: 12, InDoubt: 20,
			},
			out: 100, frame: 100, overflow: nats.OverflowDropOldest,
		}, tally{
			accepted: 100,
			refused:  map[string]int{nats.ErrReconnectBufExceeded.Error(): 3, nats.ErrConnectionDraining.Error(): 1},
			told:     map[string]int{whyDropped: 7, whyExpired: 4, whyPoison: 1},
			doubt:    doubt{least: 15, most: 20},
		}
}

func TestFiguresThatAgree(t *testing.T) {
	t.Parallel()
	f, of := agreed()
	assert.Empty(t, f.check(&of, true))
	assert.Empty(t, f.check(&of, false))

	f.InDoubt = 15
	assert.Empty(t, f.check(&of, true))

	// The newest that do not fit were never buffered.
	f.overflow, f.Buffered = nats.OverflowDropNewest, 43
	assert.Empty(t, f.check(&of, true))

	// What was left in the end need not have been buffered.
	f.Buffered = 41
	assert.Empty(t, f.check(&of, false))
	assert.Len(t, f.check(&of, true), 1)
}

func TestFiguresThatDiffer(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		says   string
		change func(*figures)
	}{
		{"accepted: the client says 101, the ledger 100", func(f *figures) { f.out++ }},
		{"rejected: the client says 4, the ledger 3", func(f *figures) { f.Rejected++ }},
		{"dropped: the client says 6, the ledger 7", func(f *figures) { f.Dropped-- }},
		{"expired: the client says 5, the ledger 4", func(f *figures) { f.Expired++ }},
		{"undelivered: the client says 13, the ledger 12", func(f *figures) { f.Undelivered++ }},
		{"held in the end: the client says 1, the ledger 0", func(f *figures) { f.Msgs++ }},
		{"bytes held in the end: the client says 1", func(f *figures) { f.Bytes++ }},
		{"withdrawn: the client says 1", func(f *figures) { f.Withdrawn++ }},
		{"purged: the client says 1", func(f *figures) { f.Purged++ }},
		{"most bytes held: the client says 4,001, the ledger 4,000", func(f *figures) { f.MaxBytes++ }},
		{"in doubt: the client says 14, from its sockets it must be 15 to 20", func(f *figures) { f.InDoubt = 14 }},
		{"in doubt: the client says 21", func(f *figures) { f.InDoubt = 21 }},
		{"buffered: 11 were not replayed, but 12 given up", func(f *figures) { f.Replayed++ }},
		{"buffered: -1 were", func(f *figures) { f.Buffered = 37 }},
	} {
		f, of := agreed()
		tc.change(&f)
		got := f.check(&of, true)
		require.Len(t, got, 1, tc.says)
		assert.Contains(t, got[0], tc.says)
	}
	f, of := agreed()
	f.Buffered++
	assert.Len(t, f.check(&of, false), 1, "never more than was given up")
}

// Only what went out behind the last PING is in doubt for certain.
func TestBoundsOfDoubt(t *testing.T) {
	t.Parallel()
	l := accept(9)
	assert.Equal(t, doubt{}, l.tally(false).doubt)
	tp := newTap(newLayout("s", 16), l)
	for _, stream := range []string{
		greeting + wire(tp.layout, 0, 1) + "PING\r\n" + wire(tp.layout, 2),
		greeting,
		greeting + wire(tp.layout, 3, 4),
		greeting + wire(tp.layout, 5) + "PING\r\n",
		greeting + wire(tp.layout, 6, 7, 8),
	} {
		c := tp.wrap(&fakeConn{room: 1000}, at(0))
		_, err := c.Write([]byte(stream))
		require.NoError(t, err)
	}
	assert.Equal(t, doubt{least: 3, most: 6}, l.tally(true).doubt)
	assert.Equal(t, doubt{least: 3, most: 9}, l.tally(false).doubt, "the last one may have broken")
}

func TestReportOfFigures(t *testing.T) {
	t.Parallel()
	r := sampleReport()
	f, _ := agreed()
	r.figures = &f
	text := r.String()
	for name, n := range map[string]string{
		"buffered during outages": "50", "replayed": "38", "rejected": "3", "undelivered": "12",
		"dropped": "7", "expired": "4", "in doubt  ": "20", "most held in an outage": "40",
	} {
		assert.Equal(t, n, figure(t, text, name), name)
	}
	assert.Contains(t, text, "40   4000 B")
	assert.Contains(t, text, "It adds up")
	r.mismatches = []string{"this is not that"}
	assert.NotContains(t, r.String(), "It adds up")
}

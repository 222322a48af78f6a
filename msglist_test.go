package nats

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// listModel compares a msgList with a slice. Its messages are as a slab makes them: some
// lie behind each other, some do not.
type listModel struct {
	t     *testing.T
	rng   *rand.Rand
	list  msgList
	want  []*Msg
	block []Msg // the rest of a slab
}

func (m *listModel) message() (msg *Msg, follows bool) {
	follows = len(m.block) > 0
	if !follows {
		m.block = make([]Msg, 1+m.rng.IntN(slabMsgs))
	}
	msg, m.block = &m.block[0], m.block[1:]
	return msg, follows
}

// read appends what a read has brought, with messages for others between.
func (m *listModel) read() {
	var run msgList
	for k := range m.rng.IntN(50) {
		msg, follows := m.message()
		run.add(msg, follows && k > 0)
		m.want = append(m.want, msg)
		if m.rng.IntN(10) == 0 {
			m.block = nil
		}
	}
	m.list.append(&run)
}

// leaves is called with a message that has left the list.
func (m *listModel) leaves(msg *Msg) {
	require.NotEmpty(m.t, m.want)
	require.Same(m.t, m.want[0], msg)
	require.Nil(m.t, msg.next, "it leads to others")
	require.Zero(m.t, msg.piece)
	m.want = m.want[1:]
}

func (m *listModel) pop() {
	if msg := m.list.pop(); msg != nil {
		m.leaves(msg)
		return
	}
	require.Empty(m.t, m.want)
}

// take takes a piece, and puts back what is not begun of it.
func (m *listModel) take() {
	most := m.rng.IntN(2 * slabMsgs)
	piece := m.list.take(most)
	require.LessOrEqual(m.t, len(piece), min(most, slabMsgs))
	require.Equal(m.t, most == 0 || len(m.want) == 0, piece == nil)
	begun := m.rng.IntN(len(piece) + 1)
	for i := range begun {
		m.leaves(&piece[i])
	}
	m.list.putBack(piece[begun:])
}

func (m *listModel) all() {
	for msg := range m.list.all {
		m.leaves(msg)
	}
	require.Empty(m.t, m.want)
}

func (m *listModel) check() {
	require.Equal(m.t, len(m.want), m.list.msgs)
	require.Equal(m.t, len(m.want) == 0, m.list.first == nil)
	require.Equal(m.t, len(m.want) == 0, m.list.last == nil)
}

func TestMsgListAgainstASlice(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			(&listModel{t: t, rng: rand.New(rand.NewPCG(seed, 0))}).run(200)
		})
	}
}

func (m *listModel) run(n int) {
	steps := []func(){m.read, m.read, m.pop, m.take, m.take, m.take}
	for range n {
		steps[m.rng.IntN(len(steps))]()
		m.check()
		if m.rng.IntN(50) == 0 {
			m.all()
			m.check()
		}
	}
	m.list.discard()
	require.Equal(m.t, msgList{}, m.list)
	for _, msg := range m.want {
		require.Nil(m.t, msg.next, "what is discarded leads to others")
	}
}

// A handler may copy its message while others are queued behind it: nothing of it is
// written any more. The race detector looks.
func TestMessageMayBeCopied(t *testing.T) {
	t.Parallel()
	rig := newInboundRig(t)
	const n = 1000
	over := make(chan bool)
	var copies []Msg
	sub, err := rig.nc.Subscribe("foo", func(m *Msg) {
		if copies = append(copies, *m); len(copies) == n {
			close(over)
		}
	})
	require.NoError(t, err)
	wire := wireOf(sub.sid, make([]int, n))
	rig.arrive(t, wire, func() int { return 100 })
	got(t, over, "all messages")
	for i := range copies {
		require.Nil(t, copies[i].next)
	}
}

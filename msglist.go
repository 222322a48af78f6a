package nats

import "unsafe"

// A msgList is a queue of messages that needs no memory of its own. It is made of pieces:
// messages that lie one behind the other in a slab. The first message of a piece has the
// number of them and leads to the next piece. A message that has left the list does
// neither, so a program may copy it, and one that it keeps holds no others but of its
// slab.
type msgList struct {
	first, last *Msg // the first messages of the first and of the last piece
	msgs        int
}

// add appends a message. follows: it lies right behind the one that was added before.
func (l *msgList) add(m *Msg, follows bool) {
	l.msgs++
	if follows && l.last != nil {
		l.last.piece++
		return
	}
	m.piece = 1
	l.link(m, m)
}

func (l *msgList) link(first, last *Msg) {
	if l.last == nil {
		l.first = first
	} else {
		l.last.next = first
	}
	l.last = last
}

// append appends what another list has, which is not to be used any more.
func (l *msgList) append(more *msgList) {
	if more.msgs > 0 {
		l.link(more.first, more.last)
		l.msgs += more.msgs
	}
}

// take removes the first piece, or so much of it, and returns it; nil: there is none.
func (l *msgList) take(most int) []Msg {
	m := l.first
	if m == nil || most <= 0 {
		return nil
	}
	piece := unsafe.Slice(m, m.piece) // that many lie there: see add
	rest := m.next
	if len(piece) > most {
		rest = &piece[most]
		rest.piece, rest.next = int32(len(piece)-most), m.next
		piece = piece[:most:most]
		if l.last == m {
			l.last = rest
		}
	}
	l.first = rest
	if rest == nil {
		l.last = nil
	}
	m.piece, m.next = 0, nil
	l.msgs -= len(piece)
	return piece
}

// pop removes the first message; nil: there is none.
func (l *msgList) pop() *Msg {
	if piece := l.take(1); piece != nil {
		return &piece[0]
	}
	return nil
}

// all removes the messages while it passes them on. Where it is stopped, the rest of the
// piece is gone too.
func (l *msgList) all(pass func(*Msg) bool) {
	for piece := l.take(maxPiece); piece != nil; piece = l.take(maxPiece) {
		for i := range piece {
			if !pass(&piece[i]) {
				return
			}
		}
	}
}

// putBack puts what was taken last in front again.
func (l *msgList) putBack(piece []Msg) {
	if len(piece) == 0 {
		return
	}
	m := &piece[0]
	m.piece, m.next = int32(len(piece)), l.first
	l.first = m
	if l.last == nil {
		l.last = m
	}
	l.msgs += len(piece)
}

// discard takes the list apart. A message that the program keeps may share a slab with
// one of it, and would keep all that they lead to.
func (l *msgList) discard() {
	for l.take(maxPiece) != nil {
	}
}

// maxPiece is more than any piece has.
const maxPiece = 1 << 30

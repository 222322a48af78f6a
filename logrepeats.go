package nats

import (
	"log/slog"
	"maps"
	"slices"
	"time"
)

const (
	// logEvery is how often repeated events of a kind are summed up.
	logEvery = 10 * time.Second
	// maxLogKinds bounds the kinds that are told apart; beyond it only the text counts.
	maxLogKinds = 64
)

// logRepeats keeps a flood of events from being a flood of records: the first of a
// kind is written at once, those that follow are counted, and the last of them is
// written with their count after logEvery, for as long as there are any. It belongs to
// one goroutine, the dispatcher.
type logRepeats struct {
	write      func(slog.Record)
	flushLater func(time.Duration) *time.Timer // gets flush called on that goroutine
	kinds      map[string]*logRepeat           // of which there was one since the last flush
	timer      *time.Timer                     // runs while there are kinds
}

type logRepeat struct {
	n    int
	last slog.Record
}

// add notes an event that has happened n times.
func (p *logRepeats) add(kind string, n int, r slog.Record) {
	if p.kinds[kind] == nil && len(p.kinds) >= maxLogKinds {
		kind = r.Message
	}
	if k := p.kinds[kind]; k != nil {
		k.n += n
		k.last = r
		return
	}
	if p.kinds == nil {
		p.kinds = make(map[string]*logRepeat)
	}
	p.kinds[kind] = &logRepeat{}
	p.tell(r, n)
	if p.timer == nil {
		p.timer = p.flushLater(logEvery)
	}
}

func (p *logRepeats) tell(r slog.Record, n int) {
	r.AddAttrs(slog.Int("count", n))
	p.write(r)
}

// flush tells what was counted, and will do so again as long as there is something.
func (p *logRepeats) flush() {
	p.tellCounted()
	p.timer = nil
	if len(p.kinds) > 0 {
		p.timer = p.flushLater(logEvery)
	}
}

// tellCounted forgets a kind of which there was nothing more: the next one is told at
// once.
func (p *logRepeats) tellCounted() {
	for _, kind := range slices.Sorted(maps.Keys(p.kinds)) {
		k := p.kinds[kind]
		if k.n == 0 {
			delete(p.kinds, kind)
			continue
		}
		p.tell(k.last, k.n)
		*k = logRepeat{}
	}
}

// end tells what was counted; there will be nothing more. A flush that is on its way
// finds nothing.
func (p *logRepeats) end() {
	if p.timer != nil {
		p.timer.Stop()
	}
	p.tellCounted()
	p.kinds = nil
}

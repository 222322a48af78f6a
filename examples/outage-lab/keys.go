package main

import (
	"bufio"
	"io"

	"github.com/natsring/nats.go/internal/outagelab"
)

const ctrlC = 3 // in raw mode it is a byte and no signal

// keys does what is typed, until the input ends.
func (j *job) keys(in io.Reader) {
	r := bufio.NewReader(in)
	for {
		key, err := r.ReadByte()
		if err != nil {
			return
		}
		j.key(key)
	}
}

// key does what one key stands for.
func (j *job) key(key byte) {
	switch key {
	case 'q', 'Q', ctrlC:
		select {
		case j.quit <- struct{}{}:
		default: // it is on its way
		}
		return
	case '+', '=':
		j.setRate(j.lab.Rate()*3/2 + 1)
		return
	case '-':
		j.setRate(j.lab.Rate() * 2 / 3)
		return
	}
	if a, known := action(key, j.lab.Faults()); known {
		if err := j.lab.Do(a); err != nil {
			j.events.add("lab: " + err.Error())
		}
	}
}

func (j *job) setRate(perSecond int) { j.lab.SetRate(max(1, min(perSecond, maxRate))) }

// action is what a key does: those for faults that last begin or end them.
func action(key byte, f outagelab.Faults) (a outagelab.Action, known bool) {
	either := func(now bool, end, begin outagelab.Action) (outagelab.Action, bool) {
		if now {
			return end, true
		}
		return begin, true
	}
	switch key {
	case 'c':
		return outagelab.Cut, true
	case 'h':
		return outagelab.HalfClose, true
	case 'b':
		return either(f.BlackHole, outagelab.NoBlackHole, outagelab.BlackHole)
	case 't':
		return either(f.Throttled, outagelab.NoThrottle, outagelab.Throttle)
	case 'r':
		return either(f.Refusing, outagelab.NoRefuse, outagelab.Refuse)
	case 's':
		return either(f.Stopped, outagelab.Start, outagelab.Stop)
	}
	return "", false
}

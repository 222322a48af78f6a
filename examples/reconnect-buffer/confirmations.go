package main

import (
	"slices"
	"sync"
)

// confirmations finds out which messages a server has confirmed on one connection:
// those in front of the n-th PING, once n PONGs have come back. It is for runs with
// -at-least-once, where such a PING comes with every batch.
type confirmations struct {
	mu    sync.Mutex
	asked [][]int // the messages in front of each PING that has no PONG yet
	since []int   // those behind the last PING
	pongs int     // read before it was noted that their PINGs had been written
	line  []byte  // the beginning of the line that the server is saying
}

// wrote notes the messages that the kernel took; each of pings says how many of
// them went in front of a PING. It returns what is confirmed now.
func (c *confirmations) wrote(numbers, pings []int) []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := 0
	for _, to := range pings {
		c.asked = append(c.asked, append(c.since, numbers[from:to]...))
		c.since, from = nil, to
	}
	c.since = append(c.since, numbers[from:]...)
	return c.matchLocked()
}

// read notes what the server said: only lines, for this connection has no
// subscriptions. It returns what is confirmed now.
func (c *confirmations) read(p []byte) []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range p {
		if b == '\n' {
			if string(c.line) == "PONG\r" {
				c.pongs++
			}
			c.line = c.line[:0]
		} else if len(c.line) < len("PONG\r")+1 { // the length of others does not matter
			c.line = append(c.line, b)
		}
	}
	return c.matchLocked()
}

func (c *confirmations) matchLocked() []int {
	n := min(c.pongs, len(c.asked))
	confirmed := slices.Concat(c.asked[:n]...)
	c.asked = slices.Delete(c.asked, 0, n)
	c.pongs -= n
	return confirmed
}

// confirm notes messages that a server has confirmed.
func (l *ledger) confirm(numbers []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range numbers {
		l.confirmed.Add(n)
	}
}

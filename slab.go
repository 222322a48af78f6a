package nats

import "unsafe"

// Received messages are made in numbers, because to allocate and to collect each
// by itself costs more than all the rest. Replies and payloads lie in a window, which
// is a copy of a piece of what was read, and many Msg values come from one slab. A
// program may keep any of them for ever; then it keeps its slab and its window, which
// is why both are small.
//
// The payloads of two messages never overlap, and their capacity ends with them.
// The bytes between them are nobody's to change, so replies can be strings there.
const (
	// windowBytes and the slab together, 3 KiB, are what a kept message holds.
	windowBytes = 12 << 10
	slabMsgs    = 34
	// ownBytes is how long a message is to be to get memory of its own. Those with
	// headers do too, for the size of these is anybody's guess.
	ownBytes = 2 << 10
)

// slab makes messages of what a parser finds. It belongs to the read loop.
type slab struct {
	in     []byte // what is being parsed
	window []byte // a copy of a part of it
	from   int    // where in it that begins
	msgs   []Msg  // of which window has the bytes
	used   int    // how many of them are handed out
	// follows: the message made last lies right behind the one before.
	follows, cuts bool
}

// feed tells what is parsed next.
func (s *slab) feed(in []byte) { *s = slab{in: in} }

// message returns a message with Reply and Data. Header block and data are in
// payload; if that is owned the message keeps it.
func (s *slab) message(args *msgArgs, payload []byte, owned bool) *Msg {
	if args.header == 0 && args.total <= ownBytes && !owned {
		if m := s.cut(args, payload); m != nil {
			return m
		}
	}
	if !owned {
		payload = append([]byte(nil), payload...)
	}
	s.follows, s.cuts = false, false
	return &Msg{Reply: string(args.reply), Data: payload[args.header:], received: int32(args.header)}
}

// cut makes a message in the window; nil if the line does not lie in front of the
// payload in what is parsed, because it came in two pieces.
func (s *slab) cut(args *msgArgs, payload []byte) *Msg {
	// Slices of the same array end at the same place if they have their whole
	// capacity, so the capacity says where they begin.
	at := cap(s.in) - cap(args.subject)
	data := cap(s.in) - cap(payload)
	if at < 0 || at >= len(s.in) || &s.in[at] != &args.subject[0] || data < at {
		return nil
	}
	end := data + len(payload)
	if s.window == nil || end > s.from+len(s.window) {
		if end-at > windowBytes {
			return nil
		}
		s.open(at, end+len(crlf))
	}
	s.follows, s.cuts = s.cuts && s.used > 0 && s.used < len(s.msgs), true
	if s.used == len(s.msgs) {
		// Messages that follow each other are most often of one size.
		left := s.from + len(s.window) - at
		s.msgs = make([]Msg, min(max(left/(end-at+len("MSG \r\n\r\n")), 1), slabMsgs))
		s.used = 0
	}
	m := &s.msgs[s.used]
	s.used++
	data, end = data-s.from, end-s.from
	m.Data = s.window[data:end:end]
	if len(args.reply) > 0 {
		m.Reply = s.text(args.reply)
	}
	return m
}

// open makes a window for what is parsed from a message on, which ends at end.
func (s *slab) open(at, end int) {
	part := s.in[at:min(at+windowBytes, len(s.in))]
	s.from, s.used = at, 0
	if at+len(part) <= end {
		s.msgs, s.window = alone(part)
		return
	}
	s.msgs, s.window = nil, append([]byte(nil), part...)
}

// alone returns a slab for one message with a copy of b as its window: what a read brings
// that is not one of many, a request or its reply. Small ones are one piece of memory,
// as long as those that the allocator has.
func alone(b []byte) ([]Msg, []byte) {
	switch {
	case len(b) <= 40:
		x := new(struct {
			msg    [1]Msg
			window [40]byte
		})
		return x.msg[:], x.window[:copy(x.window[:], b)]
	case len(b) <= 168:
		x := new(struct {
			msg    [1]Msg
			window [168]byte
		})
		return x.msg[:], x.window[:copy(x.window[:], b)]
	case len(b) <= 424:
		x := new(struct {
			msg    [1]Msg
			window [424]byte
		})
		return x.msg[:], x.window[:copy(x.window[:], b)]
	}
	return make([]Msg, 1), append([]byte(nil), b...)
}

// text returns a part of what is parsed as a string that lies in the window, if it is
// there.
func (s *slab) text(b []byte) string {
	at := cap(s.in) - cap(b) - s.from
	if at < 0 || at+len(b) > len(s.window) || &s.in[at+s.from] != &b[0] {
		return string(b)
	}
	return unsafe.String(&s.window[at], len(b))
}

// subjectCache has subjects that came lately: they repeat more often than not. A
// program may use them as keys and keep them, so they have memory of their own.
type subjectCache struct {
	last  string
	slots []string // by hash; nil until there was a second subject
}

const (
	cachedSubjects = 64 // a power of two
	cachedLength   = 128
)

func (c *subjectCache) of(b []byte) string {
	if string(b) != c.last {
		c.last = c.find(b)
	}
	return c.last
}

func (c *subjectCache) find(b []byte) string {
	if c.last == "" || len(b) > cachedLength {
		return string(b)
	}
	if c.slots == nil {
		c.slots = make([]string, cachedSubjects)
	}
	h := uint32(2166136261) // FNV-1a
	for _, x := range b {
		h = (h ^ uint32(x)) * 16777619
	}
	slot := &c.slots[(h^h>>16)%cachedSubjects]
	if string(b) != *slot {
		*slot = string(b)
	}
	return *slot
}

package nats

import (
	"bytes"
	"fmt"
	"math"
	"slices"
)

// parser decodes what the server sends. Bytes in, calls of sink out: it has no
// lock, goroutine or connection. The stream may be cut into feeds at any byte.
//
// What lies whole in one feed is passed on in place. A line or message that
// goes over several feeds is gathered in buffers of the parser's own, which
// grow with what has arrived, not with what was announced.
type parser struct {
	sink sink
	// maxPayload bounds header and data of one message, in bytes.
	maxPayload int

	last    lastHead
	line    []byte  // a control line whose end has not come
	args    msgArgs // of the message whose payload is being gathered
	argLine []byte  // backs args while the payload is gathered
	payload []byte  // what of it has come
	need    int     // how long payload will be; 0: no message is being gathered
	end     payloadEnd
}

// sink gets what the parser found. Slices are valid only during the call.
type sink interface {
	// message gets a MSG or HMSG; the first args.header bytes of payload are
	// the header block. An owned payload is the sink's to keep.
	message(args *msgArgs, payload []byte, owned bool)
	ping()
	pong()
	info(json []byte)
	serverErr(text []byte)
}

// msgArgs are the arguments of MSG and HMSG.
type msgArgs struct {
	subject []byte
	reply   []byte
	sid     int64
	header  int // length of the header block; 0: none
	total   int // length of header block and data
}

const (
	// maxLine bounds a control line. The server's own limit for what it takes,
	// max_control_line, is 4 KiB by default.
	maxLine = 64 << 10
	// maxInfo bounds an INFO line: it lists the addresses of a whole cluster.
	maxInfo = 1 << 20
	// keptLine is the longest buffer that is kept for the next cut line.
	keptLine = 4 << 10
	// minMaxPayload is what a message may have at least, whatever the server
	// announced: servers of one cluster can differ.
	minMaxPayload = 64 << 20
	// payloadGrowth is what is set aside for a message before it has come, and
	// payloadTrust how many times what has come is when that is full: to go in small
	// steps would copy a large message as a whole once more.
	payloadGrowth = 64 << 10
	payloadTrust  = 16
)

// parseError is a protocol violation. The texts of argument errors are those
// that programs may look for.
func parseError(format string, args ...any) error {
	return fmt.Errorf("nats: "+format, args...)
}

// feed parses the next bytes of the stream. After an error the stream cannot be
// continued.
func (p *parser) feed(b []byte) error {
	_, err := p.parse(b, 0)
	return err
}

// parse is feed for bytes of which a message or line that is cut at their end can be
// left over, if that is at most carry bytes: the caller puts it in front of what
// comes next.
func (p *parser) parse(b []byte, carry int) (rest []byte, err error) {
	for len(b) > 0 {
		if p.need > 0 {
			b = p.gather(b)
			continue
		}
		if p.end != noEnd {
			if b, err = p.finish(b); err != nil {
				return nil, err
			}
			continue
		}
		if rest, ok := p.quick(b); ok {
			b = rest
			continue
		}
		if len(b) <= carry && p.isCut(b, carry) {
			return b, nil
		}
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return nil, p.keepLine(b)
		}
		line, err := p.wholeLine(b[:end])
		if err != nil {
			return nil, err
		}
		if b, err = p.dispatch(line, b[end+1:]); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// keepLine keeps the part of a line that has come.
func (p *parser) keepLine(b []byte) error {
	p.line = append(p.line, b...)
	return checkLine(p.line)
}

// wholeLine returns a line of which b is the end. It is valid until the next
// keepLine.
func (p *parser) wholeLine(b []byte) ([]byte, error) {
	if len(p.line) == 0 {
		return b, checkLine(b)
	}
	line := append(p.line, b...)
	p.line = line[:0]
	if cap(line) > keptLine {
		p.line = nil
	}
	return line, checkLine(line)
}

func checkLine(line []byte) error {
	if len(line) <= maxLine {
		return nil
	}
	limit := maxLine
	if op, _ := cutOp(line); foldEqual(op, "INFO") {
		limit = maxInfo
	}
	if len(line) > limit {
		return parseError("Parse Error: control line of more than %d bytes, beginning '%s'", limit, clip(line))
	}
	return nil
}

// dispatch handles one whole line. b is what follows it; a message takes its
// payload from there and dispatch returns the rest.
func (p *parser) dispatch(line, b []byte) ([]byte, error) {
	line = bytes.TrimSuffix(line, []byte("\r"))
	op, arg := cutOp(line)
	switch {
	case foldEqual(op, "MSG"), foldEqual(op, "HMSG"):
		return p.message(op, arg, b)
	case foldEqual(op, "INFO"):
		p.sink.info(arg)
	case foldEqual(op, "-ERR"):
		p.sink.serverErr(arg)
	// What has no argument may be followed by anything.
	case foldPrefix(line, "PING"):
		p.sink.ping()
	case foldPrefix(line, "PONG"):
		p.sink.pong()
	case foldPrefix(line, "+OK"):
	default:
		return nil, parseError("Parse Error: unknown operation '%s'", clip(line))
	}
	return b, nil
}

// message passes a message on in place if its payload has come whole, and
// begins to gather it otherwise.
func (p *parser) message(op, arg, b []byte) ([]byte, error) {
	withHeader := len(op) == len("HMSG")
	if err := p.args.parse(arg, withHeader); err != nil {
		return nil, err
	}
	total := p.args.total
	if total > p.maxPayload {
		return nil, parseError("Parse Error: message of %d bytes is larger than the %d that are accepted",
			total, p.maxPayload)
	}
	if len(b) >= total {
		p.sink.message(&p.args, b[:total], false)
		p.end = expectCR
		return b[total:], nil
	}
	p.argLine = append(p.argLine[:0], arg...)
	if err := p.args.parse(p.argLine, withHeader); err != nil {
		return nil, err
	}
	p.need = total
	p.payload = make([]byte, 0, min(total, payloadGrowth))
	return b, nil
}

// room is where more of a large message under way can be read into; nil: there is
// none, or too little of it is missing.
func (p *parser) room() []byte {
	left := p.need - len(p.payload)
	if left < smallRead {
		return nil
	}
	if len(p.payload) == cap(p.payload) {
		p.payload = slices.Grow(p.payload, min(left, (payloadTrust-1)*len(p.payload)))
	}
	return p.payload[len(p.payload):min(cap(p.payload), p.need, len(p.payload)+readSize)]
}

// filled takes n bytes that were read into the room.
func (p *parser) filled(n int) {
	p.payload = p.payload[:len(p.payload)+n]
	p.passGathered()
}

// gather takes what belongs to the message under way, passes it on once it is
// whole, and returns the rest.
func (p *parser) gather(b []byte) []byte {
	n := min(len(b), p.need-len(p.payload))
	p.payload = append(p.payload, b[:n]...)
	p.passGathered()
	return b[n:]
}

// passGathered passes the message under way on if it is whole.
func (p *parser) passGathered() {
	if len(p.payload) == p.need {
		payload := p.payload
		p.need, p.payload = 0, nil
		p.sink.message(&p.args, payload, true)
		p.end = expectCR
	}
}

// payloadEnd says what of the line end behind a payload is still to come.
type payloadEnd uint8

const (
	noEnd    payloadEnd = iota
	expectCR            // "\r\n", or "\n" alone
	expectLF
)

// finish takes the line end behind a payload.
func (p *parser) finish(b []byte) ([]byte, error) {
	switch {
	case b[0] == '\n':
		p.end = noEnd
	case b[0] == '\r' && p.end == expectCR:
		p.end = expectLF
	default:
		return nil, parseError("Parse Error: message of %d bytes goes on with '%s'", p.args.total, clip(b))
	}
	return b[1:], nil
}

// clip keeps hostile input in an error text short.
func clip(b []byte) []byte { return b[:min(len(b), 64)] }

// parse reads the arguments: subject sid [reply] [header length] total length.
func (a *msgArgs) parse(line []byte, withHeader bool) error {
	op, sizes := "processMsgArgs", 1
	if withHeader {
		op, sizes = "processHeaderMsgArgs", 2
	}
	var fields [6][]byte
	n := splitFields(line, &fields)
	a.reply = nil
	switch n {
	case 2 + sizes:
	case 3 + sizes:
		a.reply = fields[2]
	default:
		return parseError("%s Parse Error: '%s'", op, clip(line))
	}
	a.subject = fields[0]
	var ok bool
	if a.sid, ok = parseCount(fields[1], math.MaxInt64); !ok {
		return parseError("%s Bad or Missing Sid: '%s'", op, clip(line))
	}
	total, ok := parseCount(fields[n-1], math.MaxInt32)
	if !ok {
		return parseError("%s Bad or Missing Size: '%s'", op, clip(line))
	}
	header := int64(0)
	if withHeader {
		if header, ok = parseCount(fields[n-2], total); !ok {
			return parseError("%s Bad or Missing Header Size: '%s'", op, clip(line))
		}
	}
	a.header, a.total = int(header), int(total)
	return nil
}

// splitFields cuts a line at runs of spaces and tabs and returns how many
// fields it has; more than six are counted as six.
func splitFields(line []byte, fields *[6][]byte) int {
	n, start := 0, -1
	for i, c := range line {
		if c == ' ' || c == '\t' {
			if start >= 0 {
				fields[n] = line[start:i]
				if n++; n == len(fields) {
					return n
				}
				start = -1
			}
		} else if start < 0 {
			start = i
		}
	}
	if start >= 0 {
		fields[n] = line[start:]
		n++
	}
	return n
}

// parseCount reads a decimal number from 0 to limit; anything else is false.
func parseCount(b []byte, limit int64) (int64, bool) {
	if len(b) == 0 || len(b) > 19 {
		return 0, false
	}
	n := int64(0)
	for _, c := range b {
		d := int64(c - '0')
		if c < '0' || c > '9' || d > limit || n > (limit-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// cutOp splits the operation from its arguments.
func cutOp(line []byte) (op, arg []byte) {
	for i, c := range line {
		if c == ' ' || c == '\t' {
			return line[:i], bytes.TrimLeft(line[i:], " \t")
		}
	}
	return line, nil
}

func foldPrefix(line []byte, name string) bool {
	return len(line) >= len(name) && foldEqual(line[:len(name)], name)
}

// foldEqual compares an operation with its upper-case name, ignoring the case.
func foldEqual(op []byte, name string) bool {
	if len(op) != len(name) {
		return false
	}
	for i, c := range op {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

package nats

import "encoding/binary"

// lineMost is the longest control line that is remembered.
const lineMost = 48

// lastLine is the control line of the last plain publish: most are like the one
// before, and then there is nothing to check and nothing to encode.
type lastLine struct {
	line    [lineMost]byte // "PUB subject 16\r\n"
	length  int            // 0: there is none
	subject int            // the length of it
	payload int
}

// is reports whether a publish has this line. What has been compared was checked
// when the line was noted.
func (l *lastLine) is(subject string, payload int) bool {
	const at = len("PUB ")
	return payload == l.payload && len(subject) == l.subject && l.length > 0 &&
		string(l.line[at:at+l.subject]) == subject
}

// note remembers the line that b begins with, unless it is long.
func (l *lastLine) note(b []byte, subject string, payload int) {
	n := len(b) - payload - len("\r\n")
	if n > len(l.line) {
		return
	}
	l.length, l.subject, l.payload = copy(l.line[:], b[:n]), len(subject), payload
}

// quick is publish where nothing is special: a session that keeps up, a writer that
// is at work, room in the last chunk. False: it has done nothing.
func (o *outbox) quick(subject string, data []byte, check bool) bool {
	o.lock()
	same := o.like.is(subject, len(data))
	size := o.like.length + len(data) + len("\r\n")
	if !same {
		if subject == "" || check && hasSpace(subject) {
			o.mu.Unlock()
			return false
		}
		size = publishSize(subject, "", nil, data)
	}
	c := o.last
	if c == nil || c.free() < size+lineMost+indexEntry || o.state != boxAttached || o.idle || o.exact || o.refuse != nil ||
		o.bytes >= o.lead && (!o.slow || o.bytes >= o.window) || (o.keep != nil || o.deadBytes > 0) && !o.keepsUpLocked() ||
		!same && o.takesLocked(0, len(data)) != nil {
		o.mu.Unlock()
		return false
	}
	c.addFrame(frameInfo(size), o.now)
	b := c.buf[c.used : c.used+size+lineMost]
	if same {
		// The line is copied with what is behind it, which is faster than to the byte;
		// what is too much is overwritten.
		*(*[lineMost]byte)(b) = o.like.line
		copy(b[o.like.length:], data)
		binary.LittleEndian.PutUint16(b[size-len("\r\n"):], lineEnd)
	} else {
		putPublish(b[:size], subject, "", data)
		o.like.note(b[:size], subject, len(data))
	}
	c.used += size
	o.tail += uint64(size)
	o.bytes += int64(size)
	o.msgs++
	o.stats.OutMsgs++
	o.stats.OutBytes += uint64(len(data))
	o.mu.Unlock()
	return true
}

const lineEnd = '\r' | '\n'<<8

// putPublish encodes a PUB frame into b, which is as long as that.
func putPublish(b []byte, subject, reply string, data []byte) {
	const pub = 'P' | 'U'<<8 | 'B'<<16 | ' '<<24
	end := len(b) - len("\r\n")
	binary.LittleEndian.PutUint16(b[end:], lineEnd)
	end -= len(data)
	copy(b[end:], data)
	end -= len("\r\n")
	binary.LittleEndian.PutUint16(b[end:], lineEnd)
	n := uint32(len(data)) // it is shorter than a frame
	for ; n >= 10; n /= 10 {
		end--
		b[end] = byte('0' + n%10)
	}
	b[end-1] = byte('0' + n)
	binary.LittleEndian.PutUint32(b, pub)
	i := len("PUB ") + copy(b[len("PUB "):], subject)
	b[i] = ' '
	if reply != "" {
		i += 1 + copy(b[i+1:], reply)
		b[i] = ' '
	}
}

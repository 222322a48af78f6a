package nats

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/nats-io/nuid"
)

// MsgIdHdr is the header by which JetStream tells a repeated message from a new one.
const MsgIdHdr = "Nats-Msg-Id"

// MsgIDHeader gives every published message that has none a Nats-Msg-Id header,
// requests and replies included: an id that no other message of any process has,
// and that stays the same when the message is sent again. Within the duplicate
// window of a stream (2 minutes unless it is configured) JetStream then stores it
// once, which makes [AtLeastOnce] exactly once for streams. Default: off. The server
// must support headers; each message is some 60 bytes longer.
func MsgIDHeader() Option { return set(func(o *Options) { o.MsgIDHeader = true }) }

// msgIDs makes the ids of one connection: a prefix of its own and a counter.
type msgIDs struct {
	prefix string
	last   atomic.Uint64
}

// newMsgIDs draws the prefix at random, so that it is another one after a restart.
func newMsgIDs() *msgIDs { return &msgIDs{prefix: nuid.New().Next() + "."} }

// headerBufs are for headers that are only needed until they are in the outbox.
var headerBufs = sync.Pool{New: func() any { return new([]byte) }}

// tag appends hdr, an encoded header block or nothing, with an id added unless it
// has one.
func (g *msgIDs) tag(b, hdr []byte) []byte {
	if bytes.Contains(hdr, []byte("\r\n"+MsgIdHdr+":")) {
		return append(b, hdr...)
	}
	if len(hdr) == 0 {
		b = append(b, headerLine+"\r\n"...)
	} else {
		b = append(b, hdr[:len(hdr)-len(crlf)]...)
	}
	b = append(b, MsgIdHdr+": "...)
	b = append(b, g.prefix...)
	b = strconv.AppendUint(b, g.last.Add(1), 10)
	return append(b, "\r\n\r\n"...)
}

// publishTagged is publishChecked with an id in the headers.
func (nc *Conn) publishTagged(subject, reply string, hdr, data []byte, how *handling) error {
	buf := headerBufs.Get().(*[]byte)
	defer headerBufs.Put(buf)
	*buf = nc.ids.tag((*buf)[:0], hdr)
	return nc.publishChecked(subject, reply, *buf, data, how)
}

package nats

import (
	"bytes"
	"io"
	"strings"
)

// Header holds a message's headers. Keys are case-sensitive and used exactly as
// given. All methods that read work on a nil Header.
type Header map[string][]string

// Add appends a value to those of a key.
func (h Header) Add(key, value string) { h[key] = append(h[key], value) }

// Set replaces all values of a key by one.
func (h Header) Set(key, value string) { h[key] = []string{value} }

// Get returns the first value of a key, or "".
func (h Header) Get(key string) string {
	if v := h[key]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns all values of a key. The slice is the header's own.
func (h Header) Values(key string) []string { return h[key] }

// Del removes a key with all its values.
func (h Header) Del(key string) { delete(h, key) }

const (
	headerLine = "NATS/1.0"
	// statusHeader and descriptionHeader are the keys under which the inline
	// status of the header's first line is found.
	statusHeader      = "Status"
	descriptionHeader = "Description"
	noResponders      = "503"
	statusLength      = 3
)

// headerRoom is how long a header block may be to need no memory of its own while it
// is put into the outbox.
const headerRoom = 512

// appendTo appends the header as it goes on the wire, nothing if it is empty: a
// version line, a line for each value, an empty line.
// ErrBadHeaderMsg: a key is empty or has a character that no token may have.
func (h Header) appendTo(b []byte) ([]byte, error) {
	if len(h) == 0 {
		return b, nil
	}
	b = append(b, headerLine+"\r\n"...)
	for k, vs := range h {
		if !validHeaderKey(k) {
			return nil, ErrBadHeaderMsg
		}
		for _, v := range vs {
			b = append(b, k...)
			b = append(b, ": "...)
			b = appendHeaderValue(b, v)
			b = append(b, "\r\n"...)
		}
	}
	return append(b, "\r\n"...), nil
}

// appendHeaderValue keeps a value on its line: outer white space goes, inner
// line breaks become spaces.
func appendHeaderValue(b []byte, v string) []byte {
	v = strings.Trim(v, " \t\r\n")
	start := len(b)
	b = append(b, v...)
	for i := start; i < len(b); i++ {
		if b[i] == '\r' || b[i] == '\n' {
			b[i] = ' '
		}
	}
	return b
}

// tokenChars are the characters of a token of RFC 7230, section 3.2.6.
var tokenChars = func() (is [256]bool) {
	for c := '!'; c < 0x7f; c++ {
		is[c] = !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	}
	return is
}()

// validHeaderKey reports whether a key is a token.
func validHeaderKey(k string) bool {
	for i := range len(k) {
		if !tokenChars[k[i]] {
			return false
		}
	}
	return k != ""
}

// DecodeHeadersMsg decodes a header block as it came on the wire. The status of
// the first line, if any, is found under "Status" and "Description".
//
// Errors: ErrBadHeaderMsg if the block does not begin with the version line or
// has a line without a colon, io.EOF if the closing empty line is missing.
func DecodeHeadersMsg(data []byte) (Header, error) {
	line, rest, ok := cutHeaderLine(data)
	if !bytes.HasPrefix(line, []byte(headerLine)) {
		return nil, ErrBadHeaderMsg
	}
	status := bytes.TrimSpace(line[len(headerLine):])
	h := make(Header)
	for {
		if !ok {
			return nil, io.EOF
		}
		line, rest, ok = cutHeaderLine(rest)
		if len(line) == 0 && ok {
			break
		}
		if len(line) == 0 {
			return nil, io.EOF
		}
		key, value, found := bytes.Cut(line, []byte(":"))
		if !found {
			return nil, ErrBadHeaderMsg
		}
		if len(key) > 0 {
			h.Add(string(key), string(bytes.TrimLeft(value, " \t")))
		}
	}
	h.addStatus(status)
	return h, nil
}

// addStatus enters the inline status: three digits, then perhaps a description.
func (h Header) addStatus(status []byte) {
	if len(status) == 0 {
		return
	}
	n := min(len(status), statusLength)
	h.Add(statusHeader, string(status[:n]))
	if d := bytes.TrimSpace(status[n:]); len(d) > 0 {
		h.Add(descriptionHeader, string(d))
	}
}

// cutHeaderLine takes one line off; false if there was no line end any more.
func cutHeaderLine(b []byte) (line, rest []byte, ok bool) {
	line, rest, ok = bytes.Cut(b, []byte("\n"))
	return bytes.TrimSuffix(line, []byte("\r")), rest, ok
}

package cli

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	nats "github.com/natsring/nats.go"
)

// Header defines -header, which adds to h and may be given several times.
func Header(fs *flag.FlagSet, h nats.Header) {
	fs.Func("header", "a header as `key:value`; may be given several times", func(s string) error {
		key, value, found := strings.Cut(s, ":")
		if key = strings.TrimSpace(key); !found || key == "" {
			return fmt.Errorf("must be like key:value")
		}
		h[key] = append(h[key], strings.TrimSpace(value))
		return nil
	})
}

// Payload is what an argument stands for: itself, or with "-" all of the input.
func Payload(arg string, in io.Reader) ([]byte, error) {
	if arg != "-" {
		return []byte(arg), nil
	}
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	return data, nil
}

// A Printer prints messages for people, or payloads for programs. It may be used by
// several goroutines.
type Printer struct {
	// Out is where to.
	Out io.Writer
	// Raw leaves everything but the payload out.
	Raw bool
	// Most is how many messages are printed; 0: no limit.
	Most int
	// Full is called when they are.
	Full func()

	mu  sync.Mutex // guards what follows
	n   int
	err error
}

// Flags defines -raw.
func (p *Printer) Flags(fs *flag.FlagSet) {
	fs.BoolVar(&p.Raw, "raw", false, "print the payload as it is and nothing else, with a line end behind it")
}

// Count defines -count.
func (p *Printer) Count(fs *flag.FlagSet) {
	fs.IntVar(&p.Most, "count", 0, "end after so many `messages`; 0: with Ctrl-C")
}

// Print prints a message, and reports whether it was one of those to be printed. A
// printer that cannot write is full.
func (p *Printer) Print(m *nats.Msg) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.Most > 0 && p.n >= p.Most {
		return false
	}
	p.n++
	text := string(m.Data) + "\n"
	if !p.Raw {
		text = describe(m, p.n)
	}
	_, p.err = io.WriteString(p.Out, text)
	if (p.err != nil || p.n == p.Most) && p.Full != nil {
		p.Full()
	}
	return true
}

// Err is why the printer could not write.
func (p *Printer) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Printed is how many messages were printed.
func (p *Printer) Printed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// describe writes all of a message.
func describe(m *nats.Msg, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#%d %s", n, m.Subject)
	if m.Reply != "" {
		fmt.Fprintf(&b, ", reply to %s", m.Reply)
	}
	b.WriteByte('\n')
	for _, key := range slices.Sorted(maps.Keys(m.Header)) {
		for _, value := range m.Header[key] {
			fmt.Fprintf(&b, "  %s: %s\n", key, printable(value))
		}
	}
	b.WriteString(printable(string(m.Data)))
	b.WriteByte('\n')
	return b.String()
}

// printable quotes what would do more to a terminal than be read.
func printable(s string) string {
	harmless := func(r rune) bool { return unicode.IsPrint(r) || r == '\n' || r == '\t' }
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !harmless(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

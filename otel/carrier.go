package natsotel

import (
	"maps"
	"strings"

	"github.com/natsring/nats.go"
)

// Carrier lets a propagation.TextMapPropagator read and write the headers of a message.
// The keys of NATS headers are case-sensitive, those of the W3C are not: a key is written as
// the propagator gives it (lower case, for the W3C's), in place of any other spelling,
// and found in every spelling, its own first.
type Carrier nats.Header

// Get returns the first value of a key; "" if there is none.
func (c Carrier) Get(key string) string {
	if v := c.Values(key); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns all values of a key.
func (c Carrier) Values(key string) []string {
	if v, ok := c[key]; ok {
		return v
	}
	for k, v := range c {
		if strings.EqualFold(k, key) {
			return v
		}
	}
	return nil
}

// Set replaces all values of a key, in whatever spelling.
func (c Carrier) Set(key, value string) {
	for k := range c {
		if k != key && strings.EqualFold(k, key) {
			delete(c, k)
		}
	}
	c[key] = []string{value}
}

// Keys lists the keys that there are.
func (c Carrier) Keys() []string {
	keys := make([]string, 0, len(c))
	for k := range c {
		keys = append(keys, k)
	}
	return keys
}

// writer is a Carrier over headers that belong to the program: they are copied before
// the first change, if there is one.
type writer struct {
	Carrier
	own bool
}

func (w *writer) Set(key, value string) {
	if !w.own {
		w.Carrier, w.own = maps.Clone(w.Carrier), true
		if w.Carrier == nil {
			w.Carrier = make(Carrier)
		}
	}
	w.Carrier.Set(key, value)
}

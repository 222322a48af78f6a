//go:build !linux

package nats

// boundUnsentOf does nothing where a write is not held back by such a bound.
func boundUnsentOf(uintptr) {}

//go:build !linux

package nats

const canLinger = false

func linger() {}

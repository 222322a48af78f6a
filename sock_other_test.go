//go:build !linux

package nats

import "syscall"

func smallSendBuffer(_, _ string, _ syscall.RawConn) error { return nil }

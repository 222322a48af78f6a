package nats

import (
	"fmt"
	"time"
)

// ReconnectBufSize bounds, in bytes as they go on the wire, what is kept while
// there is no server. A message is taken while less than size is buffered, so
// the last one may pass it; then Publish returns [ErrReconnectBufExceeded].
// Default (also 0) 8 MiB. Negative: nothing is taken while there is no server.
//
// Connected, it is what publishers may run ahead of the network before Publish
// waits (at least 1 MiB). A fast network is given a chance before that: 1 MiB ahead
// of it Publish waits up to 5 ms for it to catch up.
func ReconnectBufSize(size int) Option { return set(func(o *Options) { o.ReconnectBufSize = size }) }

// ReconnectBufMsgs bounds what is kept while there is no server in messages,
// beside the bytes of [ReconnectBufSize]: a message is taken while both limits
// allow it. Default 0: no limit in messages. What was taken while there was a
// server is kept even if it is more.
func ReconnectBufMsgs(n int) Option { return set(func(o *Options) { o.ReconnectBufMsgs = n }) }

// ReconnectBufOverflow sets what Publish does when the reconnect buffer is full;
// default [OverflowReject]. With a negative [ReconnectBufSize] every publish is
// refused whatever the policy.
func ReconnectBufOverflow(p OverflowPolicy) Option {
	return func(o *Options) error {
		if p < OverflowReject || p > OverflowDropNewest {
			return fmt.Errorf("%w: overflow policy %d", ErrInvalidArg, p)
		}
		o.ReconnectBufOverflow = p
		return nil
	}
}

// ReconnectBufMaxAge gives up, with [ErrExpired], what has been buffered for longer
// when there is a server again, or when the buffer is full. Default 0: no limit.
func ReconnectBufMaxAge(d time.Duration) Option {
	return set(func(o *Options) { o.ReconnectBufMaxAge = d })
}

// UndeliveredHandler is called for every message that Publish accepted and that
// the client has given up; see [Undelivered] for the reasons. Calls come one at a
// time, under no lock, among those of the other handlers, and delay no publish.
func UndeliveredHandler(cb UndeliveredCB) Option {
	return set(func(o *Options) { o.UndeliveredCB = cb })
}

// ReconnectBufFilter asks f, while there is no server, whether a subject is to be
// buffered. To one that is not, Publish returns [ErrDisconnected]. f runs in the
// call of Publish, under no lock.
func ReconnectBufFilter(f func(subject string) bool) Option {
	return set(func(o *Options) { o.ReconnectBufFilter = f })
}

// ReconnectBufWatermark makes cb be told when the reconnect buffer passes high,
// and when it falls back below low: parts of [ReconnectBufSize] or of
// [ReconnectBufMsgs], of whichever is fuller, with 0 <= low <= high <= 1 and
// high > 0 (else [ErrInvalidArg]). A low of 0 means empty. It passes high only
// while there is no server; Close is not told as a fall.
//
// cb is called as the other handlers are, once for each crossing. One that falls
// behind by many is told fewer pairs of them, and always the last.
func ReconnectBufWatermark(high, low float64, cb WatermarkCB) Option {
	return func(o *Options) error {
		if cb == nil || !(0 <= low && low <= high && 0 < high && high <= 1) {
			return fmt.Errorf("%w: watermarks %v and %v, want 0 <= low <= high <= 1, and a handler", ErrInvalidArg, high, low)
		}
		o.ReconnectBufHigh, o.ReconnectBufLow, o.WatermarkCB = high, low, cb
		return nil
	}
}

// ReconnectReplayRate bounds how fast what was buffered is sent once there is a
// server again, in bytes a second, so that thousands of clients that come back
// together do not flood it. Default (also 0 or less): as fast as it goes. New
// publishes keep their place behind the replay; while it is paced they may run
// ahead of it by [ReconnectBufSize]. Subscriptions and PONGs are not paced.
func ReconnectReplayRate(bytesPerSecond int) Option {
	return set(func(o *Options) { o.ReconnectReplayRate = bytesPerSecond })
}

// AtLeastOnce makes the client keep every published message until the server has
// confirmed it, and send it again after a lost connection until it has: while the
// process lives and a server comes back, nothing that Publish accepted is lost.
// Default: off; what the operating system has taken when a connection breaks is in
// doubt then, and not sent again.
//
// The confirmation is the answer to a PING behind the messages, so it costs no round
// trip for each: the client sends one after 128 KiB, after 10 ms, and with a Flush,
// 64 at a time at most, and none while there is nothing to confirm.
//
// A message of which it is not known whether it arrived is sent again, so a
// subscriber may see it twice; first deliveries keep their order. See [MsgIDHeader] for
// streams. A request is not repeated once its caller has the reply or has given up.
//
// [ReconnectBufSize] and [ReconnectBufMsgs] bound what is unsent and unconfirmed
// together. With a server, Publish waits for confirmations when they are reached;
// without one [ReconnectBufOverflow] decides. A negative [ReconnectBufSize] is refused.
// What is given up for its age, by the overflow policy or at Close may have arrived.
// A message that the server refuses for lack of permission is reported to the
// [UndeliveredHandler], with [ErrPermissionViolation].
//
// Confirmed means that the server has processed it, not that a subscriber or a stream
// has it: what a server has confirmed and dies with is lost.
func AtLeastOnce() Option { return set(func(o *Options) { o.AtLeastOnce = true }) }

package nats

import (
	"errors"
	"reflect"
)

// ErrChanArg is returned where a channel is wanted and something else was given.
var ErrChanArg = errors.New("nats: argument needs to be a channel type")

// BindSendChan publishes every value that the program sends to channel, until it
// closes the channel or a publish fails, which the connection's ErrorHandler is told.
// ErrChanArg: it is no channel.
func (c *EncodedConn) BindSendChan(subject string, channel any) error {
	ch := reflect.ValueOf(channel)
	if ch.Kind() != reflect.Chan {
		return ErrChanArg
	}
	// Owned by the program: ends when it closes the channel, or with the first
	// publish that fails.
	go c.publishFrom(ch, subject)
	return nil
}

func (c *EncodedConn) publishFrom(ch reflect.Value, subject string) {
	for {
		v, ok := ch.Recv()
		if !ok {
			return
		}
		if err := c.Publish(subject, v.Interface()); err != nil {
			c.sendFailed(err)
			return
		}
	}
}

// sendFailed tells the ErrorHandler, also if the connection is closed: then no other
// event comes any more, and it may be called here.
func (c *EncodedConn) sendFailed(err error) {
	nc := c.Conn
	nc.mu.Lock()
	cb, closed := nc.Opts.AsyncErrorCB, nc.state.now == CLOSED
	if !closed {
		nc.postErrorLocked(nil, err)
	}
	nc.mu.Unlock()
	if closed && cb != nil {
		cb(nc, nil, err)
	}
}

// BindRecvChan decodes the messages on subject and sends the values to channel, for
// which it waits. If the program closes the channel the subscription ends. A message
// that cannot be decoded is reported to the connection's ErrorHandler.
//
// Errors: ErrChanArg, and those of Conn.Subscribe.
func (c *EncodedConn) BindRecvChan(subject string, channel any) (*Subscription, error) {
	return c.BindRecvQueueChan(subject, "", channel)
}

// BindRecvQueueChan is BindRecvChan as a member of a queue group.
func (c *EncodedConn) BindRecvQueueChan(subject, queue string, channel any) (*Subscription, error) {
	ch := reflect.ValueOf(channel)
	if ch.Kind() != reflect.Chan {
		return nil, ErrChanArg
	}
	t := ch.Type().Elem()
	return c.Conn.QueueSubscribe(subject, queue, func(m *Msg) {
		v, err := c.value(m, t)
		if err != nil {
			c.Conn.reportError(m.Sub, unmarshalError(err))
			return
		}
		if !sendValue(ch, v) {
			_ = m.Sub.Unsubscribe() // it may have ended meanwhile
		}
	})
}

// sendValue waits for room in the program's channel; false if that was closed.
func sendValue(ch, v reflect.Value) (sent bool) {
	defer ignoreClosedChannel()
	ch.Send(v)
	return true
}

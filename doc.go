// Package nats is a client for the NATS messaging system that is made for
// outages. It has the names, defaults, errors and behaviour that Go programs
// know from the incumbent client, and one idea of its own: everything that goes
// out lives in one bounded ring, the outbox.
//
//	nc, err := nats.Connect("nats://127.0.0.1:4222", nats.Name("orders"))
//	if err != nil {
//		return err
//	}
//	defer nc.Close()
//	_, err = nc.Subscribe("orders.*", func(m *nats.Msg) { fmt.Println(m.Subject) })
//	if err != nil {
//		return err
//	}
//	err = nc.Publish("orders.new", data)
//	if err != nil {
//		return err
//	}
//	reply, err := nc.Request("orders.price", data, time.Second)
//
// # Sending and receiving
//
//   - [Conn.Publish] and [Conn.PublishMsg] send, [Conn.Flush] waits until the server
//     has processed what was sent.
//   - [Conn.Subscribe] calls a handler for each message, [Conn.SubscribeSync] keeps
//     them for [Subscription.NextMsg] or a loop over [Subscription.Msgs],
//     [Conn.ChanSubscribe] sends them to a channel. [Conn.QueueSubscribe] and its kin
//     share a subject between equal processes.
//   - [Conn.Request] and [Conn.RequestWithContext] wait for one answer, which
//     [Msg.Respond] gives.
//
// # Outages
//
// While there is a server, a writer drains the outbox into the socket. When the
// server is lost the writer goes, and the ring, with all that the operating
// system has not taken, is the reconnect buffer: Publish goes on and returns at
// once, up to [ReconnectBufSize] bytes and [ReconnectBufMsgs] messages, beyond
// which [ReconnectBufOverflow] decides; by default it returns
// [ErrReconnectBufExceeded].
//
// When there is a server again the subscriptions are made again, then what was
// buffered is sent in its order, then what is published meanwhile. A failure in
// the middle of that changes nothing: what was not taken is still there for the
// next attempt, and a message of which only a part was taken is sent again from
// its first byte.
//
// No call waits for a dial, a handshake or the sending of the buffer. Only where
// a connected socket is behind by the whole buffer, or where [OverflowBlock] asks
// for it, does Publish wait.
//
// What is to be buffered, and how:
//
//   - [ReconnectBufMaxAge], or [MaxAge] for one message: not what is too old.
//   - [ReconnectBufFilter], or [NoBuffer] for one message: not at all.
//   - [ReconnectReplayRate]: sent no faster than this.
//   - [Conn.PurgeBuffer]: taken back by the program.
//
// In an outage each server is tried [MaxReconnects] times, 60 by default, with
// pauses that [ReconnectWait] or [ReconnectBackoff] sets; then the connection is
// closed. A service that is to wait for ever says -1. With [RetryOnFailedConnect]
// the first server may be late, too.
//
// # What is guaranteed, and what not
//
// A message that Publish accepted and that has not been handed to the operating
// system is sent while the process lives and a server comes back, once, in order.
// What the client gives up instead, because an overflow policy or a maximum age
// says so, a new server would not take it, or the connection is closed, is
// reported to the [UndeliveredHandler].
//
// A message that was handed over may be lost when the connection breaks at that
// moment: [Conn.Flush] returns nil only when the server has processed everything
// published before it.
//
// With [AtLeastOnce] every message is kept until the server has confirmed it, and
// sent again after a lost connection until it has. It may arrive twice;
// [MsgIDHeader] lets a JetStream stream store it once.
//
// # The end
//
// [Conn.Close] sends what is unsent if a server takes it. [Conn.Drain] lets handlers
// finish first. [Conn.Shutdown] does that through an outage too, and says in a
// [ShutdownError] what did not arrive.
//
// # What is going on
//
// [Conn.BufferStats] shows what the outbox holds and has seen, [Conn.Stats] what went
// through, [Conn.Status] and [Conn.StatusChanged] whether there is a server. All
// answer at once. [ReconnectBufWatermark] tells when the buffer fills up,
// [DisconnectErrHandler], [ReconnectHandler], [ReconnectErrHandler] and
// [ClosedHandler] of the connection's life, and the [ErrorHandler] of what no call
// returns.
//
// Errors are to be matched with errors.Is; those of connection attempts name the
// server and the step, and wrap the cause.
//
// # Secured connections
//
// [Secure], [RootCAs], [ClientCert], [ClientTLSConfig] and URLs with the scheme
// "tls" ask for TLS, and then no server of the connection is talked to without.
// [UserCredentials], [Nkey] and their kin authenticate. Certificates and
// credentials are read for each attempt to connect, so that rotated ones take
// effect without a restart.
//
// # Handlers
//
// Message handlers run one message at a time for each subscription, the handlers
// for events of the connection one at a time for each connection. No lock is held
// meanwhile: they may call everything, Close included. Only Shutdown waits for
// message handlers, and is not for one to call.
package nats

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
//	sub, err := nc.Subscribe("orders.*", func(m *nats.Msg) { ... })
//	err = nc.Publish("orders.new", data)
//	reply, err := nc.Request("orders.price", data, time.Second)
//
// # Outages
//
// While there is a server, a writer drains the outbox into the socket. When the
// server is lost the writer goes, and the ring, with all that the operating
// system has not taken, is the reconnect buffer: Publish goes on and returns at
// once, up to [ReconnectBufSize] bytes and [ReconnectBufMsgs] messages, beyond
// which [ReconnectBufOverflow] decides; by default it returns
// [ErrReconnectBufExceeded]. [Conn.BufferStats] shows what is held.
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
// meanwhile: they may call everything, Close included.
package nats

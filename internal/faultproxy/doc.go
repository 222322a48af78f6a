// Package faultproxy is a TCP proxy on the loopback interface that injects
// faults between a NATS client and its server. It is made for tests and for
// programs that demonstrate outages.
//
//	p := faultproxy.Run(t, server.Addr().String())
//	nc := connect(p.URL())
//	p.Live().CutFrame(faultproxy.Up, faultproxy.FrameCut{Nth: 3, Byte: 7})
//
// # Which connections
//
// Faults that work on connections are methods of [Faults], which says what
// they apply to: [Proxy.Live] the connections open at the moment of the call,
// [Proxy.Later] all connections accepted after it, [Proxy.All] both,
// [Proxy.Next] only the next one accepted, and [Conn.Faults] one connection.
// What the listener does with new connections is set by [Proxy.SetAccept].
//
// # Exactness
//
// A change of settings takes the proxy's reader and writer out of their system
// calls first. So no byte is read after [Faults.StopReading] has returned, none
// is forwarded after [Faults.StopForwarding] has returned, and the n bytes of
// [Faults.CutAfter] are counted from what [Conn.Stats] shows at that moment. A
// byte counts as forwarded when the kernel has taken it for the receiver.
//
// # What each side sees of a cut
//
// A reset (SO_LINGER 0) is what a crashed machine or a firewall sends: the peer
// gets ECONNRESET, and bytes under way to it, also forwarded ones, may be lost.
// An orderly end (FIN) comes behind all bytes forwarded: the peer reads them
// all and then EOF. Until the peer closes too, for at most ten seconds, the
// proxy reads and swallows what it still sends, because closing a socket with
// unread data would turn the end into a reset. [How] says which side gets what.
//
// Without faults the proxy is transparent: it passes a FIN on as a FIN, behind
// the bytes before it, and a reset as a reset, or as a FIN if it meets the reset
// while writing. A client whose connection cannot be passed on, because the
// server is down, is accepted and reset. A client can see a reset that comes
// right after the accept as an error of connect already.
package faultproxy

package main

import (
	"fmt"
	"strings"
)

// fleet is what the arithmetic assumes; SCALE.md says so in its table.
type fleet struct {
	clients, servers float64
	subs             float64 // of each client
	subLine          float64 // bytes of a SUB
	buffer           float64 // bytes, full
	network          float64 // bytes a second, of a server
	roundTrip        float64 // seconds
	timeout          float64 // of an attempt, seconds
	address          float64 // bytes of a server's address in an INFO
	handshakes       float64 // a second, of a server
}

var assumed = fleet{clients: 10_000, servers: 1000, subs: 50, subLine: 42, buffer: 8 << 20, network: 1.25e9,
	roundTrip: 0.0005, timeout: 2, address: 24, handshakes: 2000}

// paper is the arithmetic for a fleet, with what was measured here in it.
func (r *results) paper() string {
	f := assumed
	var b strings.Builder
	b.WriteString("| assumed | |\n| --- | --: |\n")
	row := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "| %s | %s |\n", name, fmt.Sprintf(format, args...))
	}
	row("services, one connection each", "%s", number(f.clients))
	row("servers, the connections spread over them evenly", "%s", number(f.servers))
	row("subscriptions of a service; bytes of a SUB (subject of 32)", "%.0f; %.0f B", f.subs, f.subLine)
	row("reconnect buffer of each, full", "%s", size(f.buffer))
	row("network of a server; round trip", "%s/s; %.1f ms", size(f.network), f.roundTrip*1000)
	row("handshakes that a server does", "%s/s", number(f.handshakes))
	row("Timeout of an attempt", "%.0f s", f.timeout)
	subs, buffer, measured := r.perSub(), r.perBuffer(), "measured above: "
	row(measured+"a subscription replayed and taken by the server", "%s", duration(subs))
	row(measured+"a full buffer sent and taken by the server", "%s", duration(buffer))
	b.WriteString("\n| what happens | to each server | if all come to one address |\n| --- | --: | --: |\n")
	both := func(name string, each, one string) { fmt.Fprintf(&b, "| %s | %s | %s |\n", name, each, one) }
	perServer := f.clients / f.servers
	both("clients that come", number(perServer), number(f.clients))
	both("their handshakes take", duration(perServer/f.handshakes), duration(f.clients/f.handshakes))
	both("subscriptions replayed", number(perServer*f.subs), number(f.clients*f.subs))
	both("bytes of those", size(perServer*f.subs*f.subLine), size(f.clients*f.subs*f.subLine))
	both("time of those, at the measured cost", duration(perServer*f.subs*subs), duration(f.clients*f.subs*subs))
	both("bytes of full buffers", size(perServer*f.buffer), size(f.clients*f.buffer))
	both("time of those, at the measured cost", duration(perServer*buffer), duration(f.clients*buffer))
	both("time of those on the network, at least", duration(perServer*f.buffer/f.network), duration(f.clients*f.buffer/f.network))
	b.WriteString("\n| the list of 1,000 servers that each client has from discovery | |\n| --- | --: |\n")
	list := f.servers * f.address
	row("one INFO with it", "%s", size(list))
	row("one server leaves or joins: all clients are told", "%s", size(list*f.clients))
	row("a rolling restart of all servers, two changes each", "%s", size(2*f.servers*list*f.clients))
	row("one pass of one client when all refuse: attempts; time", "%s; %s", number(f.servers), duration(f.servers*f.roundTrip))
	row("attempts of all clients in that time", "%s", number(f.servers*f.clients))
	row("one pass when nobody answers", "%s", duration(f.servers*f.timeout))
	row("one pass over 4 addresses when nobody answers", "%s", duration(4*f.timeout))
	return b.String()
}

// perSub is the measured time of one subscription of a replay, in seconds.
func (r *results) perSub() float64 {
	s := points[0]
	x, _ := r.median(s.name, ours, "all back after a restart")
	return x / float64(s.n) / 1e9
}

// perBuffer is the measured time of a full buffer's flush, in seconds.
func (r *results) perBuffer() float64 {
	x, _ := r.median(points[len(points)-1].name, ours, "from the dial until the server has all")
	return x / 1e9
}

func duration(seconds float64) string {
	switch {
	case seconds < 1e-3:
		return number(seconds*1e6) + " µs"
	case seconds < 1:
		return number(seconds*1e3) + " ms"
	case seconds < 120:
		return number(seconds) + " s"
	}
	return number(seconds/60) + " min"
}

func size(b float64) string {
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if b < 1000 {
			return number(b) + " " + unit
		}
		b /= 1000
	}
	return number(b) + " TB"
}

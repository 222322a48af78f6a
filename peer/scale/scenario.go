package main

import (
	"regexp"
	"strconv"
)

// scenario is one measurement. It runs in a process of its own, with a server in
// another.
type scenario struct {
	name string
	n    int // how many of what is scaled
	run  func(e *env, n int, scale float64) (figures, error)
	rows []figure // in the order of the table
}

// figure is one row of a scenario's table.
type figure struct {
	name string
	unit unit
}

// unit says how a figure is written.
type unit string

const (
	seconds  unit = "s"
	millis   unit = "ms"
	micros   unit = "µs"
	nanos    unit = "ns"
	byteUnit unit = "B"
	mega     unit = "MB"
	rate     unit = "MB/s"
	count    unit = ""
)

// points are the measurements at one size.
var points = []scenario{
	{"100,000 subscriptions on one connection", 100_000, manySubscriptions, []figure{
		{"subscribe, each", nanos}, {"processor time", nanos}, {"memory, each", byteUnit}, {"goroutines, each", count},
		{"all back after a restart", millis}, {"processor time for that", millis},
		{"unsubscribe, each", nanos}, {"processor time of that", nanos},
	}},
	{"1,000 connections in one process", 1000, manyConnections, []figure{
		{"connect all", millis}, {"processor time", millis}, {"memory, each", byteUnit}, {"goroutines, each", count},
		{"all back after a restart", millis}, {"processor time for that", millis},
	}},
	{"1,000,000 distinct subjects, publish", 1_000_000, manySubjectsOut, []figure{
		{"a message", nanos}, {"processor time", nanos}, {"memory kept afterwards", mega},
	}},
	{"1,000,000 distinct subjects, receive on a wildcard", 1_000_000, manySubjectsIn, []figure{
		{"a message", nanos}, {"processor time", nanos}, {"memory kept afterwards", mega},
	}},
	{"8 MiB messages, publish", 100, largeOut, []figure{
		{"rate", rate}, {"processor time, a message", millis}, {"peak of the heap", mega},
	}},
	{"8 MiB messages, receive", 100, largeIn, []figure{
		{"rate", rate}, {"processor time, a message", millis}, {"peak of the heap", mega},
	}},
	{"10,000 requests in flight", 10_000, manyRequests, []figure{
		{"a request", nanos}, {"processor time", nanos}, {"allocations", count}, {"memory while in flight, each", byteUnit},
	}},
	{"a reconnect buffer of 8 MiB, messages of 128 B", 8 << 20, bufferFlush, []figure{
		{"messages it took", count}, {"bytes of their data", byteUnit}, {"memory while down", mega},
		{"from the dial until the server has all", millis}, {"processor time", millis}, {"messages that arrived", count},
	}},
}

// curve is a measurement over sizes. Every curve has the figures of its lines, which
// are ns of processor time of the measured process for one message or call.
type curve struct {
	name  string
	title string
	over  string // what there are more and more of
	sizes []int
	lines []string
	run   func(e *env, n int, scale float64) (figures, error)
}

var (
	subscriptions = []int{1, 10, 100, 1000, 10_000, 100_000}
	connections   = []int{1, 10, 100, 1000}
)

const wallOf = ", elapsed" // the name of the time that belongs to a line

var curves = []curve{
	{"publish", "Publishing beside subscriptions", "subscriptions on the connection", subscriptions,
		[]string{"publish"}, publishBeside},
	{"deliver", "Receiving with subscriptions", "subscriptions on the connection", subscriptions,
		[]string{"spread over all"}, deliverSpread},
	{"deliver-one", "Receiving with subscriptions, all for one", "subscriptions on the connection", subscriptions,
		[]string{"all for one"}, deliverOne},
	{"subscribe", "Subscribing and unsubscribing", "subscriptions on the connection", subscriptions,
		[]string{"subscribe", "unsubscribe"}, churn},
	{"publish-connections", "Publishing on connections, a goroutine for each", "connections", connections,
		[]string{"publish"}, publishOnAll},
	{"deliver-connections", "Receiving on connections", "connections", connections,
		[]string{"receive"}, deliverOnAll},
}

// job is one measurement to be made of each client: a scenario, or a curve at one size.
type job struct {
	name string
	n    int
	run  func(e *env, n int, scale float64) (figures, error)
}

// jobs are those that match.
func jobs(only *regexp.Regexp) (all []job) {
	for _, s := range points {
		all = append(all, job{s.name, s.n, s.run})
	}
	for _, c := range curves {
		for _, n := range c.sizes {
			all = append(all, job{c.at(n), n, c.run})
		}
	}
	kept := all[:0]
	for _, j := range all {
		if only.MatchString(j.name) {
			kept = append(kept, j)
		}
	}
	return kept
}

func (c curve) at(n int) string { return c.name + " " + strconv.Itoa(n) }

// Package peer holds what needs the incumbent client beside this one: the
// comparison of their APIs.
package peer

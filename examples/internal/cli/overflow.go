package cli

import (
	"errors"
	"flag"
	"slices"
	"strings"

	nats "github.com/natsring/nats.go"
)

// overflowNames are the values of -overflow.
var overflowNames = [...]string{
	nats.OverflowReject:     "reject",
	nats.OverflowBlock:      "block",
	nats.OverflowDropOldest: "drop-oldest",
	nats.OverflowDropNewest: "drop-newest",
}

// OverflowName is how -overflow calls a policy.
func OverflowName(p nats.OverflowPolicy) string { return overflowNames[p] }

// Overflow defines -overflow, which sets the policy.
func Overflow(fs *flag.FlagSet, policy *nats.OverflowPolicy) {
	fs.Var(overflowFlag{policy}, "overflow", "what Publish does if the buffer is full, a `policy` of "+overflowList())
}

func overflowList() string {
	last := len(overflowNames) - 1
	return strings.Join(overflowNames[:last], ", ") + " or " + overflowNames[last]
}

// An overflowFlag is the flag.Value of a policy.
type overflowFlag struct{ policy *nats.OverflowPolicy }

// String is also called on a zero value, by the flag package.
func (f overflowFlag) String() string {
	if f.policy == nil {
		return ""
	}
	return overflowNames[*f.policy]
}

// Set takes one of the names.
func (f overflowFlag) Set(s string) error {
	i := slices.Index(overflowNames[:], s)
	if i < 0 {
		return errors.New("must be " + overflowList())
	}
	*f.policy = nats.OverflowPolicy(i)
	return nil
}

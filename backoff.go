package nats

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// ReconnectBackoff makes the pauses between passes through the servers grow, and
// spreads the clients that have lost the same server: the n-th pause of an outage is
// drawn at random between 0 and least*2^(n-1), but never more than most. It takes the
// place of ReconnectWait and ReconnectJitter; CustomReconnectDelay wins over it.
// Default: off. least must be positive and most at least as long, else ErrInvalidArg.
//
// Drawing from the whole range ("full jitter") is what spreads best:
// https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
func ReconnectBackoff(least, most time.Duration) Option {
	return func(o *Options) error {
		if least <= 0 || most < least {
			return fmt.Errorf("%w: backoff from %v to %v, want 0 < least <= most", ErrInvalidArg, least, most)
		}
		o.ReconnectBackoffLeast, o.ReconnectBackoffMost = least, most
		return nil
	}
}

// backoff is the n-th pause, counted from 1.
func backoff(least, most time.Duration, n int) time.Duration {
	limit := most
	if doubled := least << min(n-1, 62); doubled > 0 && doubled>>min(n-1, 62) == least {
		limit = min(most, doubled)
	}
	return rand.N(limit + 1)
}

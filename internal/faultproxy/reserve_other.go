//go:build !linux

package faultproxy

import "errors"

// reservation does not exist here: other systems do not let a listener share
// the address of a socket that is only bound.
type reservation struct{ addr string }

func reserve() (*reservation, error) { return nil, errors.ErrUnsupported }

func (r *reservation) release() {}

package outagelab

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Step is an action at a time since the start.
type Step struct {
	At     time.Duration
	Action Action
}

// A Script is a list of steps, in the order of their times.
type Script []Step

// ParseScript reads steps like "2s cut; 3s stop; 5s start". The times count from the
// start and do not go back.
func ParseScript(text string) (Script, error) {
	var s Script
	for part := range strings.SplitSeq(text, ";") {
		fields := strings.Fields(part)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%q: must be a time and an action, like 2s cut", strings.TrimSpace(part))
		}
		at, err := time.ParseDuration(fields[0])
		if err != nil {
			return nil, err
		}
		action, err := ParseAction(fields[1])
		if err != nil {
			return nil, err
		}
		if at < 0 || len(s) > 0 && at < s[len(s)-1].At {
			return nil, fmt.Errorf("%q: before the step in front of it", strings.TrimSpace(part))
		}
		s = append(s, Step{at, action})
	}
	if len(s) == 0 {
		return nil, errors.New("no step")
	}
	return s, nil
}

// String is what ParseScript reads.
func (s Script) String() string {
	var steps []string
	for _, step := range s {
		steps = append(steps, fmt.Sprintf("%v %s", step.At, step.Action))
	}
	return strings.Join(steps, "; ")
}

// Scaled is the script at another speed: 0.5 takes half the time.
func (s Script) Scaled(by float64) Script {
	scaled := make(Script, len(s))
	for i, step := range s {
		scaled[i] = Step{time.Duration(by * float64(step.At)), step.Action}
	}
	return scaled
}

// Play does the steps, each at its time since the lab's start, or ends with the context.
func (l *Lab) Play(ctx context.Context, s Script) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for _, step := range s {
		timer.Reset(step.At - l.Since())
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := l.Do(step.Action); err != nil {
			return fmt.Errorf("%v %s: %w", step.At, step.Action, err)
		}
	}
	return nil
}

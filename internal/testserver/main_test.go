package testserver

import (
	"testing"

	"github.com/natsring/nats.go/internal/testserver/leaktest"
)

func TestMain(m *testing.M) { leaktest.VerifyTestMain(m) }

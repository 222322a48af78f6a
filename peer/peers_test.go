package peer

// The clients that are compared, with their encoders.
import (
	_ "github.com/nats-io/nats.go"
	_ "github.com/nats-io/nats.go/encoders/builtin"
	_ "github.com/nats-io/nats.go/encoders/protobuf"
	_ "github.com/natsring/nats.go"
	_ "github.com/natsring/nats.go/encoders/builtin"
	_ "github.com/natsring/nats.go/encoders/protobuf"
)

module github.com/nats-io/nats.go

go 1.26.0

require github.com/natsring/nats.go v0.0.0

require (
	github.com/coder/websocket v1.8.15 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/natsring/nats.go => ../
